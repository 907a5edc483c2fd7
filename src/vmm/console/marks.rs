//! What is known of a console log besides its bytes: what was cut out of it, and when it had grown how far. It lies in
//! a file beside the log, a line for each thing, in the order in which they happened:
//!
//! ```text
//! log INODE                  which log this is about; with another it says nothing
//! grown MS LENGTH            at that time (ms since 1970) the log had that length, cut-out bytes included
//! cut AT UNTIL FROM TO       the bytes of the file from AT to UNTIL are about to go, so that those of the log from FROM
//!                            to TO will be missing: whole lines
//! emptied                    they are zeroes now
//! done REMOVED               the cut is over: so many bytes have gone from the file by now, all cuts together
//! gap AT REMOVED FROM TO     the state after all cuts so far, when this file is written anew
//! ```
//!
//! A line counts once it has its end. The log itself knows nothing of this: it is what its hypervisor writes.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many times are kept. When there are more, every second one of the older half goes.
pub(super) const MOST_TIMES: usize = 8192;

/// What was cut out of a log, and what is being cut out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Where in the file the bytes were that are gone.
    pub at: u64,
    /// How many are.
    pub removed: u64,
    /// The part of the log that is missing, whole lines: from here to there.
    pub gap: Option<(u64, u64)>,
    pub going: Option<Going>,
}

/// A cut that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Going {
    /// The end, in the file, of what goes.
    pub until: u64,
    /// Whether it has been zeroed.
    pub emptied: bool,
}

impl Cut {
    /// Where in the file the byte of the log at `offset` is, if it has not been cut out.
    pub fn place(&self, offset: u64) -> u64 {
        if offset < self.at || self.removed == 0 {
            offset
        } else {
            self.at.max(offset - self.removed.min(offset))
        }
    }

    /// How long the log would be, had nothing been cut out, when its file has `size`.
    pub fn length(&self, size: u64) -> u64 {
        size + self.removed
    }
}

/// Everything that a file of marks says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub cut: Cut,
    /// Times in ms since 1970 with the length that the log had; both only ever grow.
    pub times: Vec<(u64, u64)>,
}

/// Where the marks of a log lie.
pub(super) fn path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_os_string();
    name.push(".marks");
    name.into()
}

impl Marks {
    /// The marks at `path`, if they are about the log with that inode.
    pub fn load(path: &Path, inode: u64) -> io::Result<Option<Marks>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Marks::parse(&text, inode)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str, inode: u64) -> Option<Marks> {
        let mut lines = text
            .split_inclusive('\n')
            .map_while(|l| l.strip_suffix('\n'));
        if lines.next()? != format!("log {inode}") {
            return None;
        }
        let mut marks = Marks::default();
        for line in lines {
            let mut words = line.split(' ');
            let word = words.next().unwrap_or_default();
            let numbers: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
            let cut = &mut marks.cut;
            match (word, &numbers[..]) {
                ("grown", [at, length]) => marks.times.push((*at, *length)),
                ("cut", [at, until, from, to]) => {
                    cut.at = *at;
                    cut.gap = Some((*from, *to));
                    let (until, emptied) = (*until, false);
                    cut.going = Some(Going { until, emptied });
                }
                ("emptied", []) => {
                    if let Some(going) = &mut cut.going {
                        going.emptied = true;
                    }
                }
                ("done", [removed]) => {
                    cut.removed = *removed;
                    cut.going = None;
                }
                ("gap", [at, removed, from, to]) => {
                    (cut.at, cut.removed, cut.going) = (*at, *removed, None);
                    cut.gap = Some((*from, *to));
                }
                // A later version may have more to say.
                _ => {}
            }
        }
        Some(marks)
    }

    /// Leaves out the times of what was cut out, and some of the older ones when there are too many. What is left out
    /// makes a line look later than it was, never earlier.
    fn thin(&mut self) {
        if let Some((from, to)) = self.cut.gap {
            let mut first = true;
            self.times.retain(|(_, length)| {
                let missing = from < *length && *length <= to;
                !missing || std::mem::take(&mut first)
            });
        }
        let half = self.times.len() / 2;
        if self.times.len() > MOST_TIMES {
            let mut index = 0;
            self.times.retain(|_| {
                index += 1;
                index > half || index % 2 == 0
            });
        }
    }

    /// Writes the file anew, as short as it can be, in one step. The caller holds the log's lock.
    pub fn rewrite(&mut self, path: &Path, inode: u64) -> io::Result<()> {
        self.thin();
        let mut text = format!("log {inode}\n");
        if let Some((from, to)) = self.cut.gap {
            let Cut { at, removed, .. } = self.cut;
            let _ = writeln!(text, "gap {at} {removed} {from} {to}");
        }
        for (at, length) in &self.times {
            let _ = writeln!(text, "grown {at} {length}");
        }
        let mut partial = path.as_os_str().to_os_string();
        partial.push(".new");
        let partial = PathBuf::from(partial);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(partial, path)
    }
}

/// Adds lines to a file of marks that is there.
pub(super) fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(format!("{lines}\n").as_bytes())
}

/// What tells one state of a file from another: its number, its length, and when it was written to.
pub(super) type Version = (u64, u64, i64, i64);

/// The state that a file of marks is in, if there is one.
pub(super) fn version(path: &Path) -> Option<Version> {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()))
}

/// The number that a log's marks know it by.
pub(super) fn inode(log: &File) -> io::Result<u64> {
    Ok(log.metadata()?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_about_one_log_and_a_line_counts_once_it_has_its_end() {
        let text = "log 7\ngrown 5 100\ncut 10 60 8 64\nemptied\ndone 50\ngrown 6 2";
        let marks = Marks::parse(text, 7).unwrap();
        assert_eq!(marks.times, [(5, 100)]);
        assert_eq!(
            marks.cut,
            Cut {
                at: 10,
                removed: 50,
                gap: Some((8, 64)),
                going: None
            }
        );
        assert_eq!(Marks::parse(text, 8), None);
        assert_eq!(Marks::parse("", 7), None);
        let going = Marks::parse("log 7\ncut 10 60 8 64\nemptied\n", 7).unwrap();
        let emptied = true;
        assert_eq!(going.cut.going, Some(Going { until: 60, emptied }));
        assert_eq!(going.cut.removed, 0, "until it is done");
    }

    #[test]
    fn offsets_of_the_log_are_found_in_what_is_left_of_its_file() {
        let cut = Cut {
            at: 100,
            removed: 50,
            gap: Some((90, 160)),
            going: None,
        };
        assert_eq!([0, 99].map(|at| cut.place(at)), [0, 99]);
        assert_eq!([160, 1000].map(|at| cut.place(at)), [110, 950]);
        assert_eq!(cut.length(950), 1000);
        assert_eq!(Cut::default().place(1000), 1000);
    }

    #[test]
    fn older_times_are_thinned_and_those_of_what_is_gone_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks");
        let mut marks = Marks::default();
        for time in 0..=MOST_TIMES as u64 {
            marks.times.push((time, time * 10));
        }
        marks.rewrite(&path, 1).unwrap();
        assert_eq!(marks.times.len(), MOST_TIMES - MOST_TIMES / 4 + 1);
        assert_eq!(marks.times.last(), Some(&(8192, 81920)));
        assert_eq!(Marks::load(&path, 1).unwrap().unwrap(), marks);

        let mut marks = Marks::default();
        for time in 1..=6 {
            marks.times.push((time, time * 10));
        }
        marks.cut.gap = Some((25, 55));
        marks.rewrite(&path, 1).unwrap();
        // The first after the gap's beginning is when the last line before it was whole.
        let left = [(1, 10), (2, 20), (3, 30), (6, 60)];
        assert_eq!(marks.times, left);
    }
}
