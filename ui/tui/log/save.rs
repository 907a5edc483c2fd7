//! Saving a log, or some of its lines, as plain text, in a thread of its own.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sistemo::value::ByteSize;

use super::kind::Kind;
use super::shown::plain;
use super::source::{Notify, Shared};

/// What came of saving.
#[derive(Debug)]
pub(super) enum Saved {
    /// So many lines are there.
    Lines(PathBuf, u64),
    /// There is such a file already.
    Exists(PathBuf),
    Failed(PathBuf, String),
}

/// The results of whoever is saving.
pub(super) type Results = Arc<Mutex<Vec<Saved>>>;

/// What is to be saved, and where.
pub(super) struct Order {
    pub path: PathBuf,
    /// Whether a file there may be replaced.
    pub replace: bool,
    /// From where to where in the log: the lines that begin there.
    pub range: (u64, u64),
}

impl Order {
    /// Saves without anybody waiting for it. Ends early once nobody else has the log any more.
    pub fn begin(self, log: Arc<Shared>, results: Results, notify: Notify) {
        let path = self.path.clone();
        let own = Arc::clone(&results);
        let thread = std::thread::Builder::new().name("save".into());
        let begun = thread.spawn(move || {
            let saved = match self.save(&log) {
                Ok(lines) => Saved::Lines(self.path, lines),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Saved::Exists(self.path),
                Err(error) => Saved::Failed(self.path, error.to_string()),
            };
            put(&own, saved);
            notify();
        });
        if let Err(error) = begun {
            put(&results, Saved::Failed(path, error.to_string()));
        }
    }

    fn save(&self, shared: &Shared) -> io::Result<u64> {
        if !self.replace && self.path.exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        let mut out = BufWriter::new(file.as_file_mut());
        let lines = self.write(shared, &mut out)?;
        out.flush()?;
        drop(out);
        match self.replace {
            // Through a link, and with the rights that it has.
            true if self.path.exists() => {
                let mut old = OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(&self.path)?;
                io::copy(&mut file.reopen()?, &mut old)?;
            }
            _ => {
                file.persist_noclobber(&self.path)?;
            }
        }
        Ok(lines)
    }

    fn write(&self, shared: &Shared, out: &mut impl Write) -> io::Result<u64> {
        let (log, patterns) = {
            let state = shared.state();
            (state.log, state.patterns().clone())
        };
        let (mut at, end) = self.range;
        let mut count = 0;
        loop {
            let (chunk, next) = {
                let mut state = shared.state();
                if state.is_closed {
                    return Err(ErrorKind::Interrupted.into());
                }
                if state.log != log {
                    return Err(io::Error::other("the log was begun anew meanwhile"));
                }
                let shape = state.shape();
                if at >= end || at >= shape.length {
                    return Ok(count);
                }
                let slot = shape.slot(at);
                (state.read(slot), shape.start(slot + 1))
            };
            for index in patterns.lines(Kind::Shown, &chunk) {
                let line = chunk.lines()[index as usize];
                if line.at < at || line.at >= end {
                    continue;
                }
                let text = match line.left_out {
                    0 => plain(chunk.text(index as usize)),
                    left_out => format!("[{} left out]", ByteSize::bytes(left_out)),
                };
                writeln!(out, "{text}")?;
                count += u64::from(line.left_out == 0);
            }
            at = next;
        }
    }
}

fn put(results: &Results, saved: Saved) {
    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
    results.push(saved);
}
