//! A disk being made of archives.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::disk::written;
use super::ext4::{Builder, Options};
use super::layer::{self, Layers, Whiteouts};
use super::pipe::Pipe;
use crate::value::ByteSize;

/// Volume label of every disk made here.
const LABEL: &str = "sistemo-root";

/// A disk on its way. Dropped before it is finished, it leaves a file that is of no use.
pub(super) struct Making {
    layers: Layers,
    cancel: CancellationToken,
}

impl Making {
    /// Begins a disk in a new file. `made_at` (seconds since 1970) is the time of what the archives do not describe;
    /// `keep_free` stays free on the host's disk, so that a full disk stops a build and not the host.
    pub(super) fn begin(
        disk: &Path,
        made_at: i64,
        whiteouts: Whiteouts,
        keep_free: ByteSize,
        cancel: &CancellationToken,
    ) -> Result<Making, Error> {
        let file = File::create_new(disk).map_err(|source| Error::File {
            what: "write",
            path: disk.into(),
            source,
        })?;
        let options = Options {
            label: LABEL.into(),
            made_at,
            keep_free: keep_free.as_u64(),
        };
        let layers = Layers::new(
            Builder::new(file, options),
            made_at,
            whiteouts,
            cancel.clone(),
        );
        Ok(Making {
            layers,
            cancel: cancel.clone(),
        })
    }

    /// Lays an archive, compressed or not, over what is there. Returns the digest of the uncompressed archive.
    pub(super) fn add_file(&mut self, archive: File) -> Result<String, Error> {
        self.add(Pipe::of_file(archive).map_err(Error::Damaged)?)
    }

    /// Lays the archive that a stream holds over what is there.
    pub(super) fn add_stream(
        &mut self,
        stream: impl Read + Send + 'static,
    ) -> Result<String, Error> {
        self.add(Pipe::new(stream).map_err(Error::Damaged)?)
    }

    fn add(&mut self, mut pipe: Pipe) -> Result<String, Error> {
        self.layers.add(&mut pipe)?;
        let digest = pipe.finish(&self.cancel);
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(written(&digest.map_err(Error::Damaged)?))
    }

    /// How many entries the archives had so far.
    pub(super) fn entries(&self) -> u64 {
        self.layers.entries()
    }

    /// Completes the disk. The file system's identity follows from `content`, which says what it was made of.
    pub(super) fn finish(self, content: &str) -> Result<(), Error> {
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&Sha256::digest(content)[..16]);
        let uuid = uuid::Builder::from_custom_bytes(uuid).into_uuid();
        self.layers.finish(uuid.into_bytes())?;
        Ok(())
    }
}

impl From<layer::Error> for Error {
    fn from(error: layer::Error) -> Self {
        use super::{archive, ext4};
        match error {
            layer::Error::Cancelled => Error::Cancelled,
            layer::Error::Escapes { path } => Error::Escapes { entry: path },
            layer::Error::Archive(archive::Error::Read(source)) => Error::Damaged(source),
            layer::Error::Archive(archive::Error::Truncated) => {
                Error::Damaged(io::ErrorKind::UnexpectedEof.into())
            }
            layer::Error::Place {
                source: error @ (ext4::Error::Write(_) | ext4::Error::NearlyFull { .. }),
                ..
            }
            | layer::Error::Finish(
                error @ (ext4::Error::Write(_) | ext4::Error::NearlyFull { .. }),
            ) => Error::Write(error),
            other => Error::Layer(other),
        }
    }
}
