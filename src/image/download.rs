//! Downloads that go on where they broke off. What is known by its digest is believed only when the digest is right.

use std::fs::File;
use std::future::Future;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::DerefMut;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use nix::fcntl::{Flock, FlockArg};
use oci_client::client::BlobResponse;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Error, disk, work};
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
        let mut part = Part {
            file,
            hash: Sha256::new(),
            at: 0,
        };
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
        let mut part = Part {
            file: Box::new(file),
            hash: Sha256::new(),
            at: 0,
        };
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

/// What an earlier attempt has left of a blob, or a new file. It is locked: when another process is at the same blob,
/// this one fetches it into a file of its own.
fn open_partial(whole: &Path) -> std::io::Result<(PathBuf, Flock<File>)> {
    let mut partial = whole.with_extension("partial");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    loop {
        let file = options.open(&partial)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            // One that was finished and renamed before it was locked is nobody's file any more.
            Ok(locked) if work::lies_at(&locked, &partial) => return Ok((partial, locked)),
            Ok(_) => {}
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                partial = whole.with_extension(format!("partial-{}", uuid::Uuid::new_v4()));
            }
            Err((_, errno)) => return Err(errno.into()),
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

/// A blob on its way.
struct Part<F> {
    file: F,
    hash: Sha256,
    at: u64,
}

impl<F: DerefMut<Target = File>> Part<F> {
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

    fn digest(&self) -> String {
        disk::written(&self.hash.clone().finalize())
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
