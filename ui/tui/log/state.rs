//! What is known of a log: its shape, what is looked for in it, and what has been counted so far. The view and the worker
//! share it.

use std::sync::Arc;

use jiff::Timestamp;
use sistemo::machine::{Error, LogReader};

use super::census::Census;
use super::chunk::Chunk;
use super::kind::{Kind, Patterns};
use super::pattern::Pattern;
use super::shape::Shape;

/// A chunk that is to be counted, by whoever has a reader of its own.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub kind: Kind,
    pub slot: usize,
    pub shape: Shape,
    /// Which log it is of: [`State::log`].
    pub log: u64,
    pub patterns: Patterns,
    version: u64,
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
    /// Whether it may have grown since it was looked at.
    pub has_grown: bool,
    /// Whether nobody looks at it any more.
    pub is_closed: bool,
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
            has_grown: false,
            is_closed: false,
            failure: None,
        };
        state.refresh();
        state
    }

    pub fn shape(&self) -> Shape {
        self.shape
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
        self.void();
        if length < old.length {
            // Shortened by whoever begins it anew, or by a cut that took some of the end.
            self.log += 1;
        }
        self.lines.reshape(old, new);
        let others = [&mut self.shown, &mut self.found, &mut self.errors];
        for census in others.into_iter().flatten() {
            census.reshape(old, new);
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
        self.void();
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

    fn census_mut(&mut self, kind: Kind) -> Option<&mut Census> {
        match kind {
            Kind::Line => Some(&mut self.lines),
            Kind::Shown => self.shown.as_mut(),
            Kind::Found => self.found.as_mut(),
            Kind::Error => self.errors.as_mut(),
        }
    }

    /// Remembers a count of a chunk as it is now.
    pub fn set(&mut self, kind: Kind, slot: usize, count: usize) {
        if let Some(census) = self.census_mut(kind) {
            census.set(slot, count);
        }
    }

    /// Makes void what is being counted now.
    fn void(&mut self) {
        self.version += 1;
        for kind in [Kind::Shown, Kind::Found, Kind::Line, Kind::Error] {
            if let Some(census) = self.census_mut(kind) {
                census.give_back();
            }
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

    /// What is to be counted next, by whoever asks.
    pub fn job(&mut self) -> Option<Job> {
        let (kind, slot) = self.next_job()?;
        if let Some(census) = self.census_mut(kind) {
            census.take(slot);
        }
        Some(Job {
            kind,
            slot,
            shape: self.shape,
            log: self.log,
            patterns: self.patterns.clone(),
            version: self.version,
        })
    }

    /// Whether everything is counted.
    #[cfg(test)]
    pub fn is_counted(&self) -> bool {
        let kinds = [Kind::Shown, Kind::Found, Kind::Line, Kind::Error];
        let mut counted = kinds.into_iter().filter_map(|kind| self.census(kind));
        counted.all(|census| census.is_known(0, true))
    }

    /// The log for a thread of its own.
    pub fn reader(&self) -> Result<LogReader, Error> {
        self.reader.again()
    }

    fn next_job(&mut self) -> Option<(Kind, usize)> {
        if let Some(wanted) = self.wanted {
            let slot = self.shape.slot(wanted.from);
            let census = self.census(wanted.kind);
            let slot = census.and_then(|census| census.unknown(slot, wanted.forwards));
            if let Some(slot) = slot {
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
        let is_over = census.is_none_or(|census| census.is_known(from, wanted.forwards));
        if is_found || is_over {
            self.wanted = None;
        }
        is_found || is_over
    }
}
