//! A blob's file while it is being fetched: what has come of it, and the digest so far.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::DerefMut;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use super::{disk, work};

/// What an earlier attempt has left of a blob, or a new file. It is locked: when another process is at the same blob,
/// this one fetches it into a file of its own.
pub(super) fn open_partial(whole: &Path) -> std::io::Result<(PathBuf, Flock<File>)> {
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

/// A blob on its way.
pub(super) struct Part<F> {
    pub(super) file: F,
    hash: Sha256,
    /// How much of it has come, in bytes.
    pub(super) at: u64,
}

impl<F: DerefMut<Target = File>> Part<F> {
    /// Nothing is known of the file yet.
    pub(super) fn new(file: F) -> Part<F> {
        Part {
            file,
            hash: Sha256::new(),
            at: 0,
        }
    }

    /// Reads what an earlier attempt has left.
    pub(super) fn take_up(&mut self) -> std::io::Result<()> {
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

    pub(super) fn digest(&self) -> String {
        disk::written(&self.hash.clone().finalize())
    }

    pub(super) fn begin_anew(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.hash, self.at) = (Sha256::new(), 0);
        Ok(())
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}
