//! Saving a log, or some of its lines, as plain text, in a thread of its own.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sistemo::machine::LogReader;
use sistemo::value::ByteSize;

use super::chunk::Chunk;
use super::kind::{Kind, Patterns};
use super::shape::Shape;
use super::shown::plain;
use super::source::Notify;
use super::status::grouped;

/// What came of saving.
#[derive(Debug)]
pub(super) enum Saved {
    /// So many lines are there.
    Lines(PathBuf, u64),
    /// There is such a file already.
    Exists(PathBuf),
    Failed(PathBuf, String),
}

impl Saved {
    /// What it says, and whether that is what was wanted.
    pub fn says(&self) -> (bool, String) {
        match self {
            Saved::Lines(path, lines) => {
                let lines = grouped(*lines);
                (true, format!("saved to {}, lines: {lines}", path.display()))
            }
            Saved::Exists(path) => (false, format!("{} is there already", path.display())),
            Saved::Failed(path, why) => (false, format!("not saved to {}: {why}", path.display())),
        }
    }
}

/// What came of saving logs that nobody has open any more. Their owner tells it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saves(Arc<Mutex<Vec<Saved>>>);

impl Saves {
    /// What there is to tell, and whether that is what was wanted.
    pub(crate) fn take(&self) -> Vec<(bool, String)> {
        lock(&self.0).drain(..).map(|saved| saved.says()).collect()
    }
}

/// The results of whoever is saving a log, for its view. What that has not taken when it is gone is left to the owner.
#[derive(Debug, Default)]
pub(super) struct Results {
    list: Mutex<Vec<Saved>>,
    left_to: Saves,
}

impl Results {
    pub fn new(left_to: Saves) -> Arc<Results> {
        let list = Mutex::default();
        Arc::new(Results { list, left_to })
    }

    pub fn take(&self) -> Vec<Saved> {
        std::mem::take(&mut *lock(&self.list))
    }

    pub fn put(&self, saved: Saved) {
        lock(&self.list).push(saved);
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        lock(&self.left_to.0).append(&mut lock(&self.list));
    }
}

fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be saved, and where.
pub(super) struct Order {
    pub reader: LogReader,
    /// Which of its lines.
    pub patterns: Patterns,
    pub path: PathBuf,
    /// Whether a file there may be replaced.
    pub replace: bool,
    /// From where to where in the log: the lines that begin there.
    pub range: (u64, u64),
}

impl Order {
    /// Saves without anybody waiting for it, to the end, whoever else has the log by then.
    pub fn begin(mut self, results: Arc<Results>, notify: Notify) {
        let path = self.path.clone();
        let own = Arc::clone(&results);
        let thread = std::thread::Builder::new().name("save".into());
        let begun = thread.spawn(move || {
            let saved = match self.save() {
                Ok(lines) => Saved::Lines(self.path, lines),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Saved::Exists(self.path),
                Err(error) => Saved::Failed(self.path, error.to_string()),
            };
            own.put(saved);
            // What is left to the owner is there before there is news.
            drop(own);
            notify();
        });
        if let Err(error) = begun {
            results.put(Saved::Failed(path, error.to_string()));
        }
    }

    fn save(&mut self) -> io::Result<u64> {
        if !self.replace && self.path.exists() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        let mut out = BufWriter::new(file.as_file_mut());
        let lines = self.write(&mut out)?;
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

    fn write(&mut self, out: &mut impl Write) -> io::Result<u64> {
        let (mut at, end) = self.range;
        let (mut count, mut shape) = (0, Shape::default());
        loop {
            let length = self.reader.length().map_err(io::Error::other)?;
            if length < shape.length {
                return Err(io::Error::other("the log was begun anew meanwhile"));
            }
            let gap = self.reader.gap();
            shape = Shape { length, gap };
            if at >= end || at >= shape.length {
                return Ok(count);
            }
            let slot = shape.slot(at);
            let chunk = Chunk::read(&mut self.reader, shape, slot).map_err(io::Error::other)?;
            for index in self.patterns.lines(Kind::Shown, &chunk) {
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
            at = shape.start(slot + 1);
        }
    }
}
