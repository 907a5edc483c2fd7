//! Files behind URLs as images.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ETAG, IF_RANGE, LAST_MODIFIED, RANGE};
use reqwest::{Client, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use super::download::{Pauses, install_tls};
use super::work::Work;
use super::{Error, Image, Images};
use crate::event::Progress;
pub(super) use crate::value::without_secrets as shown;

/// How long a server may take to take a call, and to say something.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);
/// How many bytes pass between two reports of progress.
const REPORT: u64 = 256 << 10;

/// A client for plain downloads.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    install_tls();
    Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
}

impl Images {
    /// Downloads a file and takes it as an image of these names.
    pub(super) async fn download(
        &self,
        url: &str,
        names: Vec<String>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        progress.step(format!("downloading {}", shown(url)));
        self.check_space(0)?;
        let work = Work::new(&self.dir)?;
        // The end of the name serves where the bytes leave doubts about what the file is.
        let name = file_name(url);
        let end = name.char_indices().rev().nth(40).map_or(0, |(at, _)| at);
        let path = work.join(&format!("download-{}", &name[end..]));
        fetch(url, &path, progress, cancel).await?;
        self.take_in(&path, names, shown(url), cancel).await
    }
}

/// The last part of a URL's path.
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or_default()
}

/// Downloads a file, going on where a connection broke.
async fn fetch(
    url: &str,
    path: &Path,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let file = File::create(path).map_err(|source| unwritten(path, source))?;
    let mut download = Download {
        url,
        path,
        client: client().map_err(|error| failed(url, error))?,
        file,
        done: 0,
        version: None,
        progress,
    };
    let mut pauses = Pauses::new();
    loop {
        let before = download.done;
        let outcome = tokio::select! {
            outcome = download.attempt() => outcome,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) => {
                if download.done > before {
                    pauses = Pauses::new();
                }
                pauses.wait(error, cancel).await?;
            }
        }
    }
}

struct Download<'a> {
    url: &'a str,
    path: &'a Path,
    client: Client,
    file: File,
    done: u64,
    /// What tells this version of the file from another (RFC 9110 §13.1.5).
    version: Option<String>,
    progress: &'a Progress,
}

impl Download<'_> {
    async fn attempt(&mut self) -> Result<(), Error> {
        let mut request = self.client.get(self.url);
        if let Some(version) = self.version.as_ref().filter(|_| self.done > 0) {
            request = request
                .header(RANGE, format!("bytes={}-", self.done))
                .header(IF_RANGE, version);
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| failed(self.url, error))?;
        if let Err(error) = response.error_for_status_ref() {
            return Err(failed(self.url, error));
        }
        if response.status() != StatusCode::PARTIAL_CONTENT {
            self.done = 0;
            self.version = version(&response);
        }
        let rewound = self
            .file
            .set_len(self.done)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.done)));
        rewound.map_err(|source| unwritten(self.path, source))?;
        let total = response.content_length().map(|rest| self.done + rest);
        let mut reported = self.done;
        while let Some(bytes) = response
            .chunk()
            .await
            .map_err(|error| failed(self.url, error))?
        {
            self.file
                .write_all(&bytes)
                .map_err(|source| unwritten(self.path, source))?;
            self.done += bytes.len() as u64;
            if self.done - reported >= REPORT {
                self.progress
                    .transfer(&shown(self.url), file_name(self.url), self.done, total);
                reported = self.done;
            }
        }
        self.progress.transfer(
            &shown(self.url),
            file_name(self.url),
            self.done,
            Some(self.done),
        );
        Ok(())
    }
}

/// A strong validator, if the server gave one.
fn version(response: &Response) -> Option<String> {
    let headers = response.headers();
    let tag = headers
        .get(ETAG)
        .and_then(|tag| tag.to_str().ok())
        .filter(|tag| !tag.starts_with("W/"));
    let date = || {
        headers
            .get(LAST_MODIFIED)
            .and_then(|date| date.to_str().ok())
    };
    tag.or_else(date).map(ToString::to_string)
}

/// A refusal is final; everything else may go better the next time.
pub(super) fn failed(url: &str, error: reqwest::Error) -> Error {
    match error.status() {
        Some(status) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Error::Refused {
                url: shown(url),
                status: status.to_string(),
            }
        }
        _ => Error::Download {
            url: shown(url),
            source: error.without_url().into(),
        },
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        what: "write",
        path: path.into(),
        source,
    }
}
