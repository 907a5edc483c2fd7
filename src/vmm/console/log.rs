//! Reading a console log while its hypervisor writes it and its keeper cuts it.
//!
//! Offsets are those of the log, as if nothing had ever been cut out. A reader takes no lock, so it is in nobody's way: a
//! cut is said in the marks before the file changes and after, and what was read between two looks at them that differ is
//! read again.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::keep;
use super::marks::{self, Cut, Marks, Version};
use super::previous;

/// How much is read at once when a place is looked for.
const BLOCK: u64 = 64 << 10;

/// A console log, open for reading.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    inode: u64,
    marks: Marks,
    /// The file that the marks are from, and which state of it.
    version: Option<Version>,
}

/// A piece of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Where in the log it begins.
    pub at: u64,
    /// How much is missing right before it.
    pub left_out: u64,
    pub bytes: Vec<u8>,
}

impl Piece {
    /// Where in the log it ends.
    pub fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl Log {
    /// Opens the log at `path`, if there is one.
    pub fn open(path: &Path) -> io::Result<Option<Log>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut log = Log {
            path: path.into(),
            inode: marks::inode(&file)?,
            file,
            marks: Marks::default(),
            version: None,
        };
        log.refresh()?;
        Ok(Some(log))
    }

    /// The same log, for another thread.
    pub fn again(&self) -> io::Result<Log> {
        Ok(Log {
            path: self.path.clone(),
            file: self.file.try_clone()?,
            inode: self.inode,
            marks: self.marks.clone(),
            version: self.version,
        })
    }

    /// Whether it still is the log that has the name.
    pub fn is_current(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(&self.path).is_ok_and(|facts| facts.ino() == self.inode)
    }

    /// Whether it has no name any more.
    pub fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.file.metadata().is_ok_and(|facts| facts.nlink() == 0)
    }

    /// Reads the marks if they have changed; says whether the cut has. A log that was put aside has taken its marks
    /// along.
    fn refresh(&mut self) -> io::Result<bool> {
        for log in [self.path.clone(), previous(&self.path)] {
            let place = marks::path(&log);
            let Some(version) = marks::version(&place) else {
                continue;
            };
            if self.version == Some(version) {
                return Ok(false);
            }
            let Some(mut marks) = Marks::load(&place, self.inode)? else {
                continue;
            };
            if marks.cut.going.is_some() {
                keep::resume(&log, &place)?;
                marks = Marks::load(&place, self.inode)?.unwrap_or(marks);
            }
            self.version = Some(version);
            let changed = marks.cut != self.marks.cut;
            self.marks = marks;
            return Ok(changed);
        }
        Ok(false)
    }

    /// Reads while nothing is cut.
    fn steadily<T>(&mut self, read: impl Fn(&File, &Cut) -> io::Result<T>) -> io::Result<T> {
        loop {
            self.refresh()?;
            let found = read(&self.file, &self.marks.cut);
            if !self.refresh()? {
                return found;
            }
        }
    }

    /// Up to `most` bytes from `at` on, or from the next place that is not cut out. Nothing at the end.
    pub fn read(&mut self, at: u64, most: usize) -> io::Result<Piece> {
        self.steadily(|file, cut| {
            let mut piece = Piece {
                at,
                ..Piece::default()
            };
            let length = cut.length(file.metadata()?.len());
            if length < at {
                // Shortened: by a cut, which may have taken some of the end, or by somebody who begins it anew.
                piece.at = if cut.gap.is_some() { length } else { 0 };
            }
            let mut most = most as u64;
            if let Some((from, to)) = cut.gap {
                match piece.at {
                    at if at < from => most = most.min(from - at),
                    at if at < to => (piece.at, piece.left_out) = (to, to - at),
                    _ => {}
                }
            }
            piece.bytes = vec![0; usize::try_from(most).unwrap_or(usize::MAX)];
            let count = fill(file, &mut piece.bytes, cut.place(piece.at))?;
            piece.bytes.truncate(count);
            Ok(piece)
        })
    }

    /// How long the log is, what was cut out included.
    pub fn length(&mut self) -> io::Result<u64> {
        self.steadily(|file, cut| Ok(cut.length(file.metadata()?.len())))
    }

    /// The part of the log that is missing, from here to there, as of when it was read or measured last.
    pub fn gap(&self) -> Option<(u64, u64)> {
        self.marks.cut.gap
    }

    /// Where the last `lines` lines begin, counting one that has no end yet.
    pub fn last_lines(&mut self, lines: usize) -> io::Result<u64> {
        self.steadily(|file, cut| last_lines(file, cut, lines))
    }

    /// Where the first line begins that was written at `time` (ms since 1970) or later, as far as is known: some that
    /// come before it may be older.
    pub fn first_since(&mut self, time: u64) -> io::Result<u64> {
        self.refresh()?;
        let times = &self.marks.times;
        let index = times.partition_point(|(at, _)| *at < time);
        let known = index
            .checked_sub(1)
            .and_then(|index| times.get(index))
            .map_or(0, |(_, length)| *length);
        if index == times.len() && self.written()? < time {
            return self.length();
        }
        self.steadily(|file, cut| {
            let length = cut.length(file.metadata()?.len());
            line_from(file, cut, known.min(length))
        })
    }

    /// When the byte at `offset` was written at the latest, as far as is known: ms since 1970.
    pub fn time_of(&self, offset: u64) -> io::Result<u64> {
        let times = &self.marks.times;
        let index = times.partition_point(|(_, length)| *length <= offset);
        match times.get(index) {
            Some((at, _)) => Ok(*at),
            None => self.written(),
        }
    }

    /// When the byte at `offset` was written at the earliest, as far as is known.
    pub fn not_before(&self, offset: u64) -> u64 {
        let times = &self.marks.times;
        let index = times.partition_point(|(_, length)| *length <= offset);
        index.checked_sub(1).map_or(0, |index| times[index].0)
    }

    /// When the log was written to last.
    fn written(&self) -> io::Result<u64> {
        let time = self.file.metadata()?.modified()?;
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Where the line begins that has the byte at `offset`, or the first one behind what was cut out if that is gone.
fn line_from(file: &File, cut: &Cut, offset: u64) -> io::Result<u64> {
    if let Some((from, to)) = cut.gap
        && from <= offset
        && offset <= to
    {
        return Ok(to);
    }
    if offset == 0 {
        return Ok(0);
    }
    let start = match cut.gap {
        Some((_, to)) if offset > to => to,
        _ => 0,
    };
    let mut end = offset;
    while end > start {
        let size = BLOCK.min(end - start);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        let count = fill(file, &mut bytes, cut.place(end - size))?;
        if let Some(index) = bytes[..count].iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - size + index as u64 + 1);
        }
        end -= size;
    }
    Ok(start)
}

fn last_lines(file: &File, cut: &Cut, lines: usize) -> io::Result<u64> {
    let length = cut.length(file.metadata()?.len());
    if lines == 0 {
        return Ok(length);
    }
    let parts = match cut.gap {
        Some((from, to)) => vec![(to, length), (0, from)],
        None => vec![(0, length)],
    };
    let mut ends = 0;
    for (start, stop) in parts {
        // The end of the last line begins none.
        let (mut end, mut last) = (stop, true);
        while end > start {
            let size = BLOCK.min(end - start);
            let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
            let count = fill(file, &mut bytes, cut.place(end - size))?;
            for (index, byte) in bytes[..count].iter().enumerate().rev() {
                if *byte == b'\n' && !std::mem::take(&mut last) {
                    ends += 1;
                    if ends == lines {
                        return Ok(end - size + index as u64 + 1);
                    }
                }
                last = false;
            }
            end -= size;
        }
        // A line ends at the beginning of the part, too, if there is more before it.
        if start > 0 {
            ends += 1;
            if ends == lines {
                return Ok(start);
            }
        }
    }
    Ok(0)
}

/// Fills a buffer as far as the file goes.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
