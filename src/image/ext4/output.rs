//! The disk image being written: adjacent blocks are gathered into large writes, and the host's free space is watched.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::fstatvfs;

use super::Error;
use super::layout::BLOCK;

/// How much is gathered before it is written.
const GATHER: usize = 1 << 20;
/// How often the free space of the host's disk is looked at, in bytes written.
const WATCH: u64 = 16 << 20;

/// The file and what is still to be written to it.
pub struct Output {
    file: File,
    pending: Vec<u8>,
    /// Where `pending` belongs, in bytes.
    start: u64,
    keep_free: u64,
    until_check: u64,
}

impl Output {
    /// Writes to `file`, leaving at least `keep_free` bytes free on its disk.
    pub fn new(file: File, keep_free: u64) -> Output {
        Output {
            file,
            pending: Vec::with_capacity(GATHER),
            start: 0,
            keep_free,
            until_check: 0,
        }
    }

    /// Writes whole blocks from block `block` on.
    pub fn write(&mut self, block: u64, data: &[u8]) -> Result<(), Error> {
        debug_assert!(data.len().is_multiple_of(BLOCK));
        let at = block * BLOCK as u64;
        if self.start + self.pending.len() as u64 != at || self.pending.len() + data.len() > GATHER
        {
            self.flush()?;
            self.start = at;
        }
        if data.len() >= GATHER {
            self.put(at, data)?;
            self.start = at + data.len() as u64;
        } else {
            self.pending.extend_from_slice(data);
        }
        Ok(())
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) -> Result<(), Error> {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.put(self.start, &pending)?;
            self.start += pending.len() as u64;
            self.pending = pending;
            self.pending.clear();
        }
        Ok(())
    }

    fn put(&mut self, at: u64, data: &[u8]) -> Result<(), Error> {
        self.until_check = self.until_check.saturating_sub(data.len() as u64);
        if self.until_check == 0 {
            self.check_free()?;
            self.until_check = WATCH;
        }
        self.file.write_all_at(data, at).map_err(Error::Write)
    }

    fn check_free(&self) -> Result<(), Error> {
        let stat = fstatvfs(self.file.as_fd()).map_err(|e| Error::Write(e.into()))?;
        let free = stat.blocks_available() * stat.fragment_size();
        let floor = self.keep_free;
        if free < floor {
            return Err(Error::NearlyFull { free, floor });
        }
        Ok(())
    }

    /// Turns blocks that were written and are free again back into a hole, where the host's file system can.
    pub fn punch(&mut self, block: u64, count: u64) -> Result<(), Error> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let (at, length) = (block * BLOCK as u64, count * BLOCK as u64);
        match fallocate(self.file.as_fd(), flags, at as i64, length as i64) {
            Ok(()) | Err(nix::errno::Errno::EOPNOTSUPP) => Ok(()),
            Err(error) => Err(Error::Write(error.into())),
        }
    }

    /// Writes what was gathered and gives the file its final size, in bytes.
    pub fn close(mut self, size: u64) -> Result<(), Error> {
        self.flush()?;
        self.file.set_len(size).map_err(Error::Write)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Write(error)
    }
}
