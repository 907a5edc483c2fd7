//! A boot log read at any place, for whoever goes up and down in it.
//!
//! Offsets are those of the log, as if nothing had ever been cut out of its middle. A log that another start has replaced
//! stays readable until [`LogReader::renew`].

use std::path::PathBuf;

use jiff::Timestamp;

use super::Error;
use super::console::{timestamp, unreadable};
use crate::vmm::console::{Log, Piece};

/// A boot log, open for reading at any place.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    log: Option<Log>,
}

impl LogReader {
    /// Opens the log at `path`; the file may yet have to appear.
    pub fn open(path: PathBuf) -> Result<LogReader, Error> {
        let mut reader = LogReader { path, log: None };
        reader.look()?;
        Ok(reader)
    }

    fn look(&mut self) -> Result<Option<&mut Log>, Error> {
        if self.log.is_none() {
            self.log = Log::open(&self.path).map_err(unreadable(&self.path))?;
        }
        Ok(self.log.as_mut())
    }

    /// The same log, even if another one has the name by now, for another thread.
    pub fn again(&self) -> Result<LogReader, Error> {
        let path = self.path.clone();
        let log = self.log.as_ref().map(Log::again).transpose();
        let log = log.map_err(unreadable(&path))?;
        Ok(LogReader { path, log })
    }

    /// Whether there is a log, or has been one.
    pub fn is_there(&self) -> bool {
        self.log.is_some()
    }

    /// Up to `most` bytes from `at` on, or from the next place that is not cut out. Nothing at the end. Of a log that was
    /// shortened since, a piece from before `at`.
    pub fn read(&mut self, at: u64, most: usize) -> Result<Piece, Error> {
        match self.look()? {
            Some(log) => log.read(at, most).map_err(unreadable(&self.path)),
            None => Ok(Piece::default()),
        }
    }

    /// How long the log is in bytes, what was cut out included.
    pub fn length(&mut self) -> Result<u64, Error> {
        match self.look()? {
            Some(log) => log.length().map_err(unreadable(&self.path)),
            None => Ok(0),
        }
    }

    /// The part that was cut out, from here to there, as of when the log was read or measured last.
    pub fn gap(&self) -> Option<(u64, u64)> {
        self.log.as_ref().and_then(Log::gap)
    }

    /// When the byte at `offset` was written, at the latest.
    pub fn time_of(&self, offset: u64) -> Result<Timestamp, Error> {
        let time = match &self.log {
            Some(log) => log.time_of(offset).map_err(unreadable(&self.path))?,
            None => 0,
        };
        Ok(timestamp(time))
    }

    /// Whether another log has the name by now.
    pub fn is_old(&self) -> bool {
        self.log.as_ref().is_some_and(|log| !log.is_current()) && self.path.exists()
    }

    /// Goes over to the log that has the name now.
    pub fn renew(&mut self) -> Result<(), Error> {
        self.log = None;
        self.look()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_at_any_place_and_left_for_the_next_one_on_demand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut reader = LogReader::open(path.clone()).unwrap();
        assert!(!reader.is_there() && !reader.is_old());
        assert_eq!(reader.length().unwrap(), 0);
        assert!(reader.read(5, 9).unwrap().bytes.is_empty());
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        assert_eq!(reader.length().unwrap(), 19);
        let piece = reader.read(6, 7).unwrap();
        assert_eq!((piece.at, piece.bytes.as_slice()), (6, &b"second\n"[..]));
        assert!(reader.is_there() && reader.gap().is_none());
        assert!(reader.time_of(3).unwrap() > Timestamp::UNIX_EPOCH);

        std::fs::rename(&path, dir.path().join("console.log.1")).unwrap();
        assert!(!reader.is_old(), "there is no other one yet");
        std::fs::write(&path, "next\n").unwrap();
        assert!(reader.is_old());
        assert_eq!(reader.read(0, 5).unwrap().bytes, b"first");
        let mut again = reader.again().unwrap();
        assert_eq!(again.read(0, 5).unwrap().bytes, b"first");
        reader.renew().unwrap();
        assert!(!reader.is_old());
        assert_eq!(reader.read(0, 9).unwrap().bytes, b"next\n");
    }

    #[test]
    fn what_was_cut_out_is_said() {
        use crate::vmm::console::{Bound, Keeper};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let line = format!("{}\n", "x".repeat(1023));
        std::fs::write(&path, line.repeat(3 << 10)).unwrap();
        let mut reader = LogReader::open(path.clone()).unwrap();
        assert_eq!(reader.length().unwrap(), 3 << 20);
        let mut keeper = Keeper::open(&path).unwrap();
        keeper.cut(Bound::new(Bound::LEAST)).unwrap();
        assert_eq!(reader.length().unwrap(), 3 << 20);
        let (from, to) = reader.gap().unwrap();
        assert!(from > 0 && to - from > 1 << 20, "{from} {to}");
        let piece = reader.read(from, 1024).unwrap();
        assert_eq!((piece.at, piece.left_out), (to, to - from));
    }
}
