//! Downloads that go on where they broke off. What is known by its digest is believed only when the digest is right.

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use nix::fcntl::Flock;
use oci_client::client::BlobResponse;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::part::{Part, open_partial};
use crate::event::Progress;

/// The folder of blobs, in that of the images.
pub(super) const BLOBS: &str = "blobs";
/// Attempts after the first, each later than the one before.
const RETRIES: usize = 5;
/// How many bytes pass between two reports of progress.
const REPORT: u64 = 256 << 10;

pub(super) type Bytes = BoxStream<'static, std::io::Result<bytes::Bytes>>;

/// What a server sends when asked for something from some byte on.
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
    /// Its size in bytes.
    pub(super) size: u64,
    /// What a progress bar calls it.
    pub(super) label: String,
    pub(super) progress: &'a Progress,
    pub(super) cancel: &'a CancellationToken,
}

/// Where a blob lies once it is whole.
pub(super) fn path(dir: &Path, digest: &str) -> PathBuf {
    dir.join(BLOBS).join(digest.replace([':', '/'], "-"))
}

/// Whether a digest is of the one kind that is used for layers; it comes from elsewhere and becomes a file's name.
fn is_sha256(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        hex.len() == 64 && hex.bytes().all(digit)
    })
}

/// Whether the host's disk is full.
fn is_full(error: &Error) -> bool {
    matches!(error, Error::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
}

impl Blob<'_> {
    /// Fetches the blob, unless it is here, and returns its open file. `ask` asks the server for it from a byte on.
    pub(super) async fn fetch<F>(&self, ask: impl Fn(u64) -> F) -> Result<File, Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        let whole = path(self.dir, self.digest);
        let fail = |source| Error::File {
            what: "write",
            path: whole.clone(),
            source,
        };
        if !is_sha256(self.digest) {
            return Err(self.wrong());
        }
        if let Some(file) = self.sound(&whole).map_err(fail)? {
            self.report(self.size);
            return Ok(file);
        }
        std::fs::create_dir_all(self.dir.join(BLOBS)).map_err(fail)?;
        let (partial, file) = open_partial(&whole).map_err(fail)?;
        // Another process may have finished it since.
        if let Some(file) = self.sound(&whole).map_err(fail)? {
            let _ = std::fs::remove_file(&partial);
            return Ok(file);
        }
        let mut part = Part::new(file);
        part.take_up().map_err(fail)?;
        let mut taken_up = part.at > 0;
        loop {
            if let Err(error) = self.complete(&mut part, &ask).await {
                if is_full(&error) {
                    // What is here already must not be what fills the disk.
                    let _ = std::fs::remove_file(&partial);
                }
                return Err(error);
            }
            if part.digest() == self.digest {
                break;
            }
            if !taken_up {
                let _ = std::fs::remove_file(&partial);
                return Err(self.wrong());
            }
            // What an earlier process left may have been damaged, when the host failed for instance.
            part.begin_anew().map_err(fail)?;
            taken_up = false;
        }
        std::fs::rename(&partial, &whole).map_err(fail)?;
        part.file.try_clone().map_err(fail)
    }

    /// The blob, when it is here and what it should be. A damaged one is removed.
    fn sound(&self, whole: &Path) -> std::io::Result<Option<File>> {
        let Ok(file) = File::open(whole) else {
            return Ok(None);
        };
        let mut part = Part::new(Box::new(file));
        part.take_up()?;
        if part.digest() == self.digest {
            return Ok(Some(*part.file));
        }
        std::fs::remove_file(whole)?;
        Ok(None)
    }

    /// Fetches what is missing. It is given up after several attempts that brought nothing.
    async fn complete<F>(
        &self,
        part: &mut Part<Flock<File>>,
        ask: impl Fn(u64) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        let mut pauses = Pauses::new();
        loop {
            let before = part.at;
            let Err(error) = self.attempt(part, &ask).await else {
                return Ok(());
            };
            if part.at > before {
                pauses = Pauses::new();
            }
            pauses.wait(error, self.cancel).await?;
        }
    }

    fn wrong(&self) -> Error {
        Error::Digest {
            digest: self.digest.into(),
        }
    }

    fn report(&self, done: u64) {
        self.progress
            .transfer(self.digest, &self.label, done, Some(self.size));
    }

    async fn attempt<F>(
        &self,
        part: &mut Part<Flock<File>>,
        ask: impl Fn(u64) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<Answer, Error>>,
    {
        if part.at > self.size {
            part.begin_anew().map_err(|source| self.unwritten(source))?;
        }
        if part.at == self.size {
            self.report(part.at);
            return Ok(());
        }
        let answer = tokio::select! {
            answer = ask(part.at) => answer?,
            () = self.cancel.cancelled() => return Err(Error::Cancelled),
        };
        let mut bytes = match answer {
            Answer::Rest(bytes) => bytes,
            Answer::Whole(bytes) => {
                part.begin_anew().map_err(|source| self.unwritten(source))?;
                bytes
            }
        };
        let mut reported = part.at;
        self.report(part.at);
        loop {
            let next = tokio::select! {
                next = bytes.next() => next,
                () = self.cancel.cancelled() => return Err(Error::Cancelled),
            };
            let Some(piece) = next else { break };
            let piece = piece.map_err(|source| self.broken(source))?;
            part.add(&piece).map_err(|source| self.unwritten(source))?;
            if part.at > self.size {
                return Err(self.wrong());
            }
            if part.at - reported >= REPORT {
                self.report(part.at);
                reported = part.at;
            }
        }
        self.report(part.at);
        if part.at < self.size {
            return Err(self.broken(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    fn broken(&self, source: std::io::Error) -> Error {
        Error::Download {
            url: self.digest.into(),
            source: source.into(),
        }
    }

    fn unwritten(&self, source: std::io::Error) -> Error {
        Error::File {
            what: "write",
            path: path(self.dir, self.digest),
            source,
        }
    }
}

/// The pauses between attempts.
pub(super) struct Pauses(ExponentialBackoff);

impl Pauses {
    pub(super) fn new() -> Pauses {
        let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(300));
        Pauses(pauses.with_max_times(RETRIES).with_jitter().build())
    }

    /// Waits before the next attempt, or returns the error when another is of no use: a server that refuses will
    /// refuse again; a connection may hold the next time.
    pub(super) async fn wait(
        &mut self,
        error: Error,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let hopeful = matches!(error, Error::Unreachable { .. } | Error::Download { .. });
        let Some(pause) = self.0.next().filter(|_| hopeful) else {
            return Err(error);
        };
        tracing::debug!(%error, ?pause, "trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = cancel.cancelled() => Err(Error::Cancelled),
        }
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
