//! Keeping a console log from growing without end, and noting when it grew.
//!
//! Its beginning (the boot) and its end stay, what is between goes, while a hypervisor goes on writing at the end:
//!
//! ```text
//!   before  │ boot │        middle         │ end │◄─ written
//!   after   │ boot │ end │◄─ written
//! ```
//!
//! The middle is zeroed first, which is said in the [`marks`] before and after, and can be done again. Then the file
//! closes over it: where the file system can, in one step that moves nothing and loses nothing (fallocate(2),
//! `FALLOC_FL_COLLAPSE_RANGE`: ext4, XFS); elsewhere the end is copied forwards and the file shortened, and what is written
//! in the very moment between the two (microseconds) is lost. Whether a cut that was interrupted had come so far is told
//! by the zeroes: whoever finds it ends it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use super::marks::{self, Cut, Going, MOST_TIMES, Marks};

/// Cuts are made at multiples of this: whatever the blocks of a file system are, they divide it.
const UNIT: u64 = 64 << 10;
/// How much before and after a cut is looked at for the ends of lines.
const LINE: u64 = UNIT;
/// How much tells whether a cut has been made.
const PROOF: u64 = 4096;

/// How large a log may become, and what stays of it then.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    most: u64,
}

impl Bound {
    /// The least that a log may be bounded to.
    pub const LEAST: u64 = 16 * UNIT;

    /// At most `most` bytes, of which the first sixteenth is kept always, and the last three eighths at least.
    pub fn new(most: u64) -> Bound {
        let most = most.max(Bound::LEAST);
        Bound { most }
    }

    fn head(self) -> u64 {
        (self.most / 16).next_multiple_of(UNIT)
    }

    fn tail(self) -> u64 {
        self.most / 8 * 3
    }
}

/// A log that is looked after. One process at a time does so.
#[derive(Debug)]
pub struct Keeper {
    marks_path: PathBuf,
    file: Arc<File>,
    inode: u64,
    /// Times that were noted, and the last of them.
    noted: usize,
    last: Option<(u64, u64)>,
    cut: Cut,
}

impl Keeper {
    /// Begins to look after the log at `path`, which is there.
    pub fn open(path: &Path) -> io::Result<Keeper> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let inode = marks::inode(&file)?;
        let mut keeper = Keeper {
            marks_path: marks::path(path),
            file: Arc::new(file),
            inode,
            noted: 0,
            last: None,
            cut: Cut::default(),
        };
        keeper.load()?;
        Ok(keeper)
    }

    /// Whether it still is the log that has the name.
    pub fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).is_ok_and(|facts| facts.ino() == self.inode)
    }

    fn load(&mut self) -> io::Result<Marks> {
        let marks = match Marks::load(&self.marks_path, self.inode)? {
            Some(marks) => marks,
            None => {
                let mut marks = Marks::default();
                marks.rewrite(&self.marks_path, self.inode)?;
                marks
            }
        };
        (self.noted, self.cut) = (marks.times.len(), marks.cut);
        self.last = marks.times.last().copied();
        Ok(marks)
    }

    /// Notes that the log has grown, if it has. Says so. `silent` is for how long before now it is known not to have
    /// grown, if it is.
    pub fn note(&mut self, silent: Option<Duration>) -> io::Result<bool> {
        let length = self.cut.length(self.file.metadata()?.len());
        let (before, known) = self.last.unwrap_or_default();
        if length <= known {
            return Ok(false);
        }
        if self.noted > MOST_TIMES {
            let _alone = Locked::take(&self.file)?;
            self.load()?.rewrite(&self.marks_path, self.inode)?;
            self.load()?;
        }
        // Clocks are set back now and then; times are not.
        let now = now().max(before);
        let silent = silent.map(|silent| u64::try_from(silent.as_millis()).unwrap_or(u64::MAX));
        let mut lines = format!("grown {now} {length}");
        if let Some(until) = silent.map(|silent| now.saturating_sub(silent))
            && until > before
        {
            lines = format!("grown {until} {known}\n{lines}");
            self.noted += 1;
        }
        marks::append(&self.marks_path, &lines)?;
        self.noted += 1;
        self.last = Some((now, length));
        Ok(true)
    }

    /// Whether the log is larger than it may be.
    pub fn is_over(&self, bound: Bound) -> io::Result<bool> {
        Ok(self.cut.going.is_some() || self.file.metadata()?.len() > bound.most)
    }

    /// Cuts the middle out of a log that is larger than it may be.
    pub fn cut(&mut self, bound: Bound) -> io::Result<()> {
        let _alone = Locked::take(&self.file)?;
        let mut marks = self.load()?;
        if marks.cut.going.is_some() {
            finish(&self.file, &self.marks_path, &mut marks)?;
        }
        let size = self.file.metadata()?.len();
        if size > bound.most && begin(&self.file, &self.marks_path, &mut marks, size, bound)? {
            finish(&self.file, &self.marks_path, &mut marks)?;
        }
        marks.rewrite(&self.marks_path, self.inode)?;
        self.load()?;
        Ok(())
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The lock of whoever cuts a log; given back when dropped, or when its holder dies (flock(2)).
struct Locked(Arc<File>);

impl Locked {
    fn take(file: &Arc<File>) -> io::Result<Self> {
        file.lock()?;
        Ok(Locked(Arc::clone(file)))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Ends a cut that whoever began it was killed in. Does nothing when somebody else has ended it.
pub(super) fn resume(log: &Path, marks_path: &Path) -> io::Result<()> {
    let file = Arc::new(OpenOptions::new().read(true).write(true).open(log)?);
    let inode = marks::inode(&file)?;
    let _alone = Locked::take(&file)?;
    match Marks::load(marks_path, inode)? {
        Some(mut marks) if marks.cut.going.is_some() => finish(&file, marks_path, &mut marks),
        _ => Ok(()),
    }
}

/// Decides what goes, and says so. `false` when there is nothing between what stays.
pub(super) fn begin(
    file: &File,
    path: &Path,
    marks: &mut Marks,
    size: u64,
    bound: Bound,
) -> io::Result<bool> {
    let cut = &mut marks.cut;
    // The boot ends where it ended when something was cut out before.
    let (at, from) = match cut.gap {
        Some((from, _)) => (cut.at, from),
        None => {
            let at = bound.head();
            (at, line_before(file, at)?)
        }
    };
    let until = (size - bound.tail()) / UNIT * UNIT;
    if until <= at + UNIT {
        // It was kept to a larger bound until now.
        return Ok(false);
    }
    let to = line_after(file, until)? + cut.removed;
    marks::append(path, &format!("cut {at} {until} {from} {to}"))?;
    (cut.at, cut.gap) = (at, Some((from, to)));
    let emptied = false;
    cut.going = Some(Going { until, emptied });
    Ok(true)
}

/// Does what is left to do of a cut that has begun.
fn finish(file: &File, path: &Path, marks: &mut Marks) -> io::Result<()> {
    let cut = &mut marks.cut;
    let Some(Going { until, emptied }) = cut.going else {
        return Ok(());
    };
    if !emptied {
        empty(file, cut.at, until)?;
        marks::append(path, "emptied")?;
    }
    let size = file.metadata()?.len();
    let is_there = !emptied || (size > until && is_empty(file, until)?);
    let removed = match is_there {
        true => close(file, cut.at, until)?,
        // It had gone, but that had not been said.
        false => until - cut.at,
    };
    cut.removed += removed;
    cut.going = None;
    marks::append(path, &format!("done {}", cut.removed))
}

/// Zeroes what goes, and gives its space back where that can be done.
pub(super) fn empty(file: &File, at: u64, until: u64) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    match fallocate(file.as_fd(), flags, signed(at), signed(until - at)) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            file.write_all_at(&[0; PROOF as usize], until - PROOF)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn is_empty(file: &File, until: u64) -> io::Result<bool> {
    let mut proof = [1; PROOF as usize];
    file.read_exact_at(&mut proof, until - PROOF)?;
    Ok(proof.iter().all(|byte| *byte == 0))
}

/// Closes the file over what goes. Comes back with how much shorter it is: nothing when it was written faster than it
/// could be copied.
pub(super) fn close(file: &File, at: u64, until: u64) -> io::Result<u64> {
    let flags = FallocateFlags::FALLOC_FL_COLLAPSE_RANGE;
    match fallocate(file.as_fd(), flags, signed(at), signed(until - at)) {
        Ok(()) => Ok(until - at),
        // Not of this file system, or not here: its blocks may be larger than anyone's.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL) => shift(file, at, until),
        Err(errno) => Err(errno.into()),
    }
}

fn shift(file: &File, at: u64, until: u64) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut copied = 0;
    loop {
        let count = match file.read_at(&mut buffer, until + copied) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = at + copied + count as u64;
        if end > until - PROOF {
            // What was copied would reach what is copied from.
            empty(file, at, until)?;
            return Ok(0);
        }
        file.write_all_at(&buffer[..count], at + copied)?;
        copied += count as u64;
    }
    file.set_len(at + copied)?;
    Ok(until - at)
}

/// Where the line that goes over `at` begins; `at` itself when it is longer than is looked at.
fn line_before(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = vec![0; usize::try_from(LINE.min(at)).unwrap_or_default()];
    let start = at - bytes.len() as u64;
    file.read_exact_at(&mut bytes, start)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    Ok(end.map_or(at, |index| start + index as u64 + 1))
}

/// Where the first line behind `at` begins; `at` itself when it is farther than is looked at.
fn line_after(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = vec![0; LINE as usize];
    let count = file.read_at(&mut bytes, at)?;
    let end = bytes[..count].iter().position(|byte| *byte == b'\n');
    Ok(end.map_or(at, |index| at + index as u64 + 1))
}

fn signed(offset: u64) -> i64 {
    offset.cast_signed()
}
