//! Downloads that go on where they broke off, and are believed only when their digest is right.

use std::future::Future;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use nix::fcntl::{Flock, FlockArg};
use oci_client::client::BlobResponse;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Error, Image, Images, disk};
use crate::event::Progress;

/// Attempts after the first, each a little later than the one before.
const RETRIES: usize = 5;

type Bytes = BoxStream<'static, std::io::Result<bytes::Bytes>>;

/// What a server sends when asked for a blob from some byte on.
pub(super) enum Answer {
    /// All of it: the server does not know how to begin in the middle.
    Whole(Bytes),
    /// What was asked for.
    Rest(Bytes),
}

impl From<BlobResponse> for Answer {
    fn from(response: BlobResponse) -> Self {
        match response {
            BlobResponse::Full(stream) => Answer::Whole(stream.stream),
            BlobResponse::Partial(stream) => Answer::Rest(stream.stream),
        }
    }
}

/// Something to fetch that is known by its digest.
pub(super) struct Blob<'a> {
    pub(super) dir: &'a Path,
    pub(super) digest: &'a str,
    pub(super) size: Option<u64>,
    pub(super) progress: &'a Progress,
    pub(super) cancel: &'a CancellationToken,
}

/// Where a blob lies once it is whole.
pub(super) fn path(dir: &Path, digest: &str) -> PathBuf {
    dir.join("blobs").join(digest.replace(':', "-"))
}

impl Blob<'_> {
    /// Fetches the blob, unless it is here. `ask` asks the server for it from a byte on.
    pub(super) async fn fetch<F>(&self, ask: impl Fn(u64) -> F) -> Result<PathBuf, Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        let whole = path(self.dir, self.digest);
        if whole.exists() {
            return Ok(whole);
        }
        let partial = whole.with_extension("partial");
        let fail = |source| Error::File {
            what: "write",
            path: partial.clone(),
            source,
        };
        std::fs::create_dir_all(self.dir.join("blobs")).map_err(fail)?;
        let file = {
            let mut options = std::fs::File::options();
            let open = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&partial);
            let file = open.map_err(fail)?;
            // Another process may be at the same blob.
            let waiting =
                tokio::task::spawn_blocking(|| Flock::lock(file, FlockArg::LockExclusive));
            let locked = waiting
                .await
                .map_err(|error| fail(std::io::Error::other(error)))?;
            locked.map_err(|(_, errno)| fail(errno.into()))?
        };
        if whole.exists() {
            return Ok(whole);
        }
        let mut part = Part {
            file,
            hash: Sha256::new(),
            at: 0,
        };
        part.take_up().map_err(fail)?;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        loop {
            let error = match self.attempt(&mut part, &ask).await {
                Ok(()) => break,
                Err(error) => error,
            };
            // A server that refuses will refuse again; a connection may hold the next time.
            let hopeless = !matches!(error, Error::Unreachable { .. } | Error::Download { .. });
            let Some(pause) = pauses.next().filter(|_| !hopeless) else {
                return Err(error);
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return Err(Error::Cancelled),
            }
        }
        if disk::written(&part.hash.clone().finalize()) != self.digest {
            part.begin_anew().map_err(fail)?;
            let _ = std::fs::remove_file(&partial);
            return Err(Error::Digest {
                digest: self.digest.into(),
            });
        }
        std::fs::rename(&partial, &whole).map_err(fail)?;
        Ok(whole)
    }

    async fn attempt<F>(&self, part: &mut Part, ask: impl Fn(u64) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        if self.size.is_some_and(|size| size > 0 && part.at == size) {
            return Ok(());
        }
        let label = self
            .digest
            .trim_start_matches("sha256:")
            .get(..12)
            .unwrap_or(self.digest);
        let broken = |source: std::io::Error| Error::Download {
            url: self.digest.into(),
            source: source.into(),
        };
        let mut bytes = match ask(part.at).await? {
            Answer::Rest(bytes) => bytes,
            Answer::Whole(bytes) => {
                part.begin_anew().map_err(broken)?;
                bytes
            }
        };
        loop {
            let next = tokio::select! {
                next = bytes.next() => next,
                () = self.cancel.cancelled() => return Err(Error::Cancelled),
            };
            match next {
                Some(bytes) => part
                    .add(&bytes.map_err(broken)?)
                    .map_err(|source| Error::File {
                        what: "write",
                        path: path(self.dir, self.digest),
                        source,
                    })?,
                None => break,
            }
            self.progress
                .transfer(self.digest, label, part.at, self.size);
        }
        match self.size {
            Some(size) if part.at < size => Err(broken(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

/// A blob on its way.
struct Part {
    file: Flock<std::fs::File>,
    hash: Sha256,
    at: u64,
}

impl Part {
    /// Reads what an earlier attempt has left.
    fn take_up(&mut self) -> std::io::Result<()> {
        let mut buffer = vec![0; 1 << 20];
        self.file.seek(SeekFrom::Start(0))?;
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(()),
                count => {
                    self.hash.update(&buffer[..count]);
                    self.at += count as u64;
                }
            }
        }
    }

    fn begin_anew(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.hash, self.at) = (Sha256::new(), 0);
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// Chooses ring for TLS, once for the program.
pub(super) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that somebody has chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Images {
    /// Downloads a file and takes it as an image.
    pub(super) async fn download(
        &self,
        url: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        install_tls();
        let failed = |error: reqwest::Error| Error::Download {
            url: url.into(),
            source: error.into(),
        };
        let name = url
            .split(['?', '#'])
            .next()
            .unwrap_or(url)
            .rsplit('/')
            .next()
            .unwrap_or_default();
        progress.step(format!("downloading {url}"));
        let work = super::work::Work::new(&self.dir)?;
        let path = work.join(if name.is_empty() { "download" } else { name });
        let fail = |source| Error::File {
            what: "write",
            path: path.clone(),
            source,
        };
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(60))
            .build()
            .map_err(failed)?;
        let mut file = std::fs::File::create(&path).map_err(fail)?;
        let (mut done, mut total) = (0u64, None);
        let mut pauses = ExponentialBuilder::default()
            .with_max_times(RETRIES)
            .build();
        while total.is_none_or(|total| done < total) {
            let attempt = async {
                let range = format!("bytes={done}-");
                let mut response = client
                    .get(url)
                    .header("Range", range)
                    .send()
                    .await?
                    .error_for_status()?;
                if done > 0 && response.status() != reqwest::StatusCode::PARTIAL_CONTENT {
                    done = 0;
                }
                total = response.content_length().map(|rest| done + rest);
                file.set_len(done).ok();
                file.seek(SeekFrom::Start(done)).ok();
                while let Some(bytes) = response.chunk().await? {
                    if file.write_all(&bytes).is_err() {
                        return Ok(false);
                    }
                    done += bytes.len() as u64;
                    progress.transfer(url, name, done, total);
                }
                total.get_or_insert(done);
                Ok::<bool, reqwest::Error>(true)
            };
            let outcome = tokio::select! {
                outcome = attempt => outcome,
                () = cancel.cancelled() => return Err(Error::Cancelled),
            };
            match outcome {
                Ok(true) => {}
                Ok(false) => return Err(fail(std::io::Error::last_os_error())),
                Err(error) if error.is_status() => return Err(failed(error)),
                Err(error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(failed(error)),
                },
            }
        }
        drop(file);
        self.import(&path, None, progress, cancel).await
    }
}
