//! What is known of a log: its shape, what is looked for in it, and what has been counted so far. The view and the worker
//! share it.

use std::sync::Arc;

use jiff::Timestamp;
use sistemo::machine::{Error, LogReader};

use super::census::Census;
use super::chunk::Chunk;
use super::errors;
use super::pattern::Pattern;
use super::shape::Shape;

/// Kinds of lines that are counted and gone to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of them.
    Line,
    /// Those that the filter keeps; without a filter all, and what stands for what was cut out.
    Shown,
    /// Those of them that have what is searched.
    Found,
    /// Those of them that are taken for errors.
    Error,
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    pub search: Option<Arc<Pattern>>,
    pub filter: Option<Arc<Pattern>>,
}

impl Patterns {
    /// The lines of a kind in a chunk, by number.
    pub fn lines(&self, kind: Kind, chunk: &Chunk) -> Vec<u32> {
        let errors = errors::pattern();
        let wanted = match kind {
            Kind::Line | Kind::Shown => self.filter.as_ref().filter(|_| kind == Kind::Shown),
            Kind::Found => self.search.as_ref(),
            Kind::Error => errors.as_ref(),
        };
        let mut lines = match (wanted, kind) {
            (Some(pattern), _) => pattern.lines(chunk),
            (None, Kind::Line | Kind::Shown) => {
                let count = u32::try_from(chunk.lines().len()).unwrap_or(u32::MAX);
                (0..count).collect()
            }
            (None, Kind::Found | Kind::Error) => Vec::new(),
        };
        if let (Kind::Found | Kind::Error, Some(filter)) = (kind, &self.filter) {
            lines.retain(|line| filter.is_shown(chunk, *line as usize));
        }
        lines
    }

    fn count(&self, kind: Kind, chunk: &Chunk) -> usize {
        match kind {
            Kind::Line => chunk.count(),
            _ => self.lines(kind, chunk).len(),
        }
    }
}

/// A chunk that is to be counted.
pub(super) struct Job {
    pub kind: Kind,
    pub slot: usize,
    pub chunk: Chunk,
    patterns: Patterns,
    version: u64,
}

impl Job {
    /// How many lines of the kind there are.
    pub fn count(&self) -> usize {
        self.patterns.count(self.kind, &self.chunk)
    }
}

/// What is to be counted before anything else, since somebody waits for it: the nearest line of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub kind: Kind,
    /// From where in the log on.
    pub from: u64,
    pub forwards: bool,
}

/// The log and what is known of it.
#[derive(Debug)]
pub(super) struct State {
    reader: LogReader,
    shape: Shape,
    patterns: Patterns,
    lines: Census,
    /// Counted once they are asked for.
    shown: Option<Census>,
    found: Option<Census>,
    errors: Option<Census>,
    /// Changes with everything that makes a count void.
    version: u64,
    /// How many logs there were before this one.
    pub log: u64,
    /// Where in the log somebody looks; what is near is counted first.
    pub around: u64,
    pub wanted: Option<Wanted>,
    /// Whether another start has begun another log.
    pub is_old: bool,
    /// Whether the log was deleted with its machine.
    pub is_gone: bool,
    /// Why the log could not be read, if it could not be last.
    pub failure: Option<String>,
}

impl State {
    pub fn new(reader: LogReader) -> State {
        let mut state = State {
            reader,
            shape: Shape::default(),
            patterns: Patterns::default(),
            lines: Census::default(),
            shown: None,
            found: None,
            errors: None,
            version: 0,
            log: 0,
            around: 0,
            wanted: None,
            is_old: false,
            is_gone: false,
            failure: None,
        };
        state.refresh();
        state
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Whether there is a log, or has been one.
    pub fn is_there(&self) -> bool {
        self.reader.is_there()
    }

    /// Looks at how long the log is by now.
    pub fn refresh(&mut self) {
        let length = self.reader.length();
        let Some(length) = self.answer(length) else {
            return;
        };
        self.is_old = self.reader.is_old();
        let gap = self.reader.gap();
        let (old, new) = (self.shape, Shape { length, gap });
        if old == new {
            return;
        }
        self.shape = new;
        self.version += 1;
        if length < old.length {
            // Shortened by whoever begins it anew, or by a cut that took some of the end.
            self.log += 1;
        }
        self.lines.reshape(old, new);
        for census in [&mut self.shown, &mut self.found, &mut self.errors] {
            if let Some(census) = census {
                census.reshape(old, new);
            }
        }
    }

    fn answer<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Ok(value) => {
                self.failure = None;
                Some(value)
            }
            Err(error) => {
                self.failure = Some(error.to_string());
                None
            }
        }
    }

    /// Goes over to the log that has the name now.
    pub fn renew(&mut self) {
        let renewed = self.reader.renew();
        self.answer(renewed);
        self.log += 1;
        self.shape = Shape::default();
        self.reset();
        self.refresh();
    }

    fn reset(&mut self) {
        self.version += 1;
        self.wanted = None;
        let fresh = || Census::new(self.shape);
        self.lines = fresh();
        self.shown = self.patterns.filter.as_ref().map(|_| fresh());
        self.found = self.patterns.search.as_ref().map(|_| fresh());
        self.errors = self.errors.as_ref().map(|_| fresh());
    }

    /// Looks for something else from now on.
    pub fn look_for(&mut self, patterns: Patterns) {
        let is_same = |old: &Option<Arc<Pattern>>, new: &Option<Arc<Pattern>>| match (old, new) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        let same_filter = is_same(&self.patterns.filter, &patterns.filter);
        let same_search = is_same(&self.patterns.search, &patterns.search);
        self.version += 1;
        self.wanted = None;
        self.patterns = patterns;
        let fresh = || Census::new(self.shape);
        if !same_filter {
            self.shown = self.patterns.filter.as_ref().map(|_| fresh());
            self.errors = None;
        }
        // What is found is found among what is shown.
        if !same_filter || !same_search {
            self.found = self.patterns.search.as_ref().map(|_| fresh());
        }
    }

    /// Begins to count lines of a kind if they are not counted yet.
    pub fn begin(&mut self, kind: Kind) {
        if kind == Kind::Error && self.errors.is_none() {
            self.errors = Some(Census::new(self.shape));
        }
    }

    /// The count of lines of a kind. `None` where they are not counted.
    pub fn census(&self, kind: Kind) -> Option<&Census> {
        match kind {
            Kind::Line => Some(&self.lines),
            Kind::Shown => self.shown.as_ref(),
            Kind::Found => self.found.as_ref(),
            Kind::Error => self.errors.as_ref(),
        }
    }

    /// Remembers a count of a chunk as it is now.
    pub fn set(&mut self, kind: Kind, slot: usize, count: usize) {
        let census = match kind {
            Kind::Line => Some(&mut self.lines),
            Kind::Shown => self.shown.as_mut(),
            Kind::Found => self.found.as_mut(),
            Kind::Error => self.errors.as_mut(),
        };
        if let Some(census) = census {
            census.set(slot, count);
        }
    }

    /// Reads the chunk in a slot; an empty one if that cannot be.
    pub fn read(&mut self, slot: usize) -> Chunk {
        let chunk = Chunk::read(&mut self.reader, self.shape, slot);
        self.answer(chunk).unwrap_or_default()
    }

    /// When the byte at `offset` was written, at the latest.
    pub fn time_of(&self, offset: u64) -> Option<Timestamp> {
        self.reader.time_of(offset).ok()
    }

    /// What is to be counted next.
    pub fn job(&mut self) -> Option<Job> {
        let (kind, slot) = self.next_job()?;
        Some(Job {
            kind,
            slot,
            chunk: self.read(slot),
            patterns: self.patterns.clone(),
            version: self.version,
        })
    }

    fn next_job(&mut self) -> Option<(Kind, usize)> {
        if let Some(wanted) = self.wanted {
            let slot = self.shape.slot(wanted.from);
            let census = self.census(wanted.kind)?;
            if let Some(slot) = census.unknown(slot, wanted.forwards) {
                return Some((wanted.kind, slot));
            }
        }
        let around = self.shape.slot(self.around);
        let kinds = [Kind::Shown, Kind::Found, Kind::Line, Kind::Error];
        kinds.into_iter().find_map(|kind| {
            let census = self.census(kind)?;
            let slot = census.unknown(around, true);
            let slot = slot.or_else(|| census.unknown(around, false))?;
            Some((kind, slot))
        })
    }

    /// Takes a count. Says whether it is what somebody waits for.
    pub fn done(&mut self, job: &Job, count: usize) -> bool {
        if job.version != self.version {
            return false;
        }
        self.set(job.kind, job.slot, count);
        let Some(wanted) = self.wanted else {
            return false;
        };
        let from = self.shape.slot(wanted.from);
        let census = self.census(wanted.kind);
        let is_found = wanted.kind == job.kind && count > 0;
        let is_over = census.is_none_or(|census| census.unknown(from, wanted.forwards).is_none());
        if is_found || is_over {
            self.wanted = None;
        }
        is_found || is_over
    }
}
