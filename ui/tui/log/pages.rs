//! Going from line to line in a log: the chunks around the view, read as they are needed and kept for a while.

use std::collections::VecDeque;
use std::sync::Arc;

use sistemo::machine::Console;

use super::chunk::Chunk;
use super::kind::{Kind, Patterns};
use super::page::{Found, Page};
use super::shape::Shape;
use super::source::Source;
use super::state::Wanted;

/// How many chunks are kept: what the view goes back and forth in.
const KEPT: usize = 16;
/// How many chunks that have not been counted are searched at once before the worker is asked to go on.
const AT_ONCE: usize = 4;

/// What one comes to from a place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line, by where it begins.
    To(u64),
    /// There is none.
    End,
    /// From here on it is not known yet.
    Unknown(u64),
}

/// The pages of a log.
#[derive(Debug)]
pub(super) struct Pages {
    source: Source,
    kept: VecDeque<Arc<Page>>,
    /// What the pages are of.
    shape: Shape,
    log: u64,
    patterns: Patterns,
}

impl Pages {
    pub fn new(source: Source) -> Pages {
        let mut pages = Pages {
            source,
            kept: VecDeque::new(),
            shape: Shape::default(),
            log: 0,
            patterns: Patterns::default(),
        };
        pages.refresh();
        pages
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Looks at the log as it is now.
    pub fn refresh(&mut self) {
        let mut state = self.source.state();
        state.refresh();
        let (shape, log) = (state.shape(), state.log);
        drop(state);
        if log != self.log || shape.gap != self.shape.gap || shape.length < self.shape.length {
            self.kept.clear();
        } else if shape.length > self.shape.length {
            let grown = shape.slot(self.shape.length.saturating_sub(1));
            self.kept.retain(|page| page.slot + 1 < grown);
        }
        (self.shape, self.log) = (shape, log);
    }

    /// Looks for something else from now on.
    pub fn look_for(&mut self, patterns: Patterns) {
        self.source.state().look_for(patterns.clone());
        self.patterns = patterns;
        self.kept.clear();
        self.source.look();
    }

    /// Goes over to the log that has the name now.
    pub fn renew(&mut self) {
        self.source.state().renew();
        self.source.look();
        self.refresh();
    }

    fn page(&mut self, slot: usize) -> Arc<Page> {
        if let Some(page) = self.kept.iter().find(|page| page.slot == slot) {
            return Arc::clone(page);
        }
        let mut state = self.source.state();
        // What has changed since the last look is for the next one.
        let is_same = state.shape() == self.shape && state.log == self.log;
        let chunk = if is_same {
            state.read(slot)
        } else {
            Chunk::default()
        };
        drop(state);
        let page = Arc::new(Page::new(slot, chunk));
        if is_same {
            self.kept.truncate(KEPT - 1);
            self.kept.push_front(Arc::clone(&page));
        }
        page
    }

    /// The line that begins at `at`.
    pub fn line(&mut self, at: u64) -> Option<Found> {
        if self.shape.slots() == 0 {
            return None;
        }
        let page = self.page(self.shape.slot(at));
        let lines = page.chunk.lines();
        let index = lines.binary_search_by_key(&at, |line| line.at).ok()?;
        Some(Found { page, index })
    }

    /// The first line of a kind that begins at `from` or behind it, or the last one that begins before it.
    pub fn step(&mut self, from: u64, forwards: bool, kind: Kind) -> Step {
        let slots = self.shape.slots();
        if slots == 0 {
            return Step::End;
        }
        let mut slot = self.shape.slot(from).min(slots - 1);
        let is_known =
            kind == Kind::Line || (kind == Kind::Shown && self.patterns.filter.is_none());
        let mut unknown = 0;
        loop {
            let count = match is_known {
                true => None,
                false => self
                    .source
                    .state()
                    .census(kind)
                    .and_then(|census| census.get(slot)),
            };
            if count.is_none() && !is_known {
                unknown += 1;
                if unknown > AT_ONCE {
                    let start = self.shape.start(slot);
                    let end = self.shape.start(slot + 1);
                    return Step::Unknown(if forwards { start } else { end });
                }
            }
            if count != Some(0) {
                let page = self.page(slot);
                let found = page.lines(kind, &self.patterns);
                if count.is_none() && !is_known {
                    self.remember(kind, slot, found.len());
                }
                let begins = |line: &u32| page.chunk.lines()[*line as usize].at;
                let index = found.partition_point(|line| begins(line) < from);
                let line = match forwards {
                    true => found.get(index),
                    false => index.checked_sub(1).and_then(|index| found.get(index)),
                };
                if let Some(line) = line {
                    return Step::To(begins(line));
                }
            }
            slot = match (forwards, slot) {
                (true, slot) if slot + 1 < slots => slot + 1,
                (false, slot) if slot > 0 => slot - 1,
                _ => return Step::End,
            };
        }
    }

    /// Spares the worker what was counted here.
    fn remember(&self, kind: Kind, slot: usize, count: usize) {
        let mut state = self.source.state();
        if state.shape() == self.shape && state.log == self.log {
            state.set(kind, slot, count);
        }
    }

    /// The shown line at `at` or the next one to it.
    pub fn nearest(&mut self, at: u64) -> Option<u64> {
        if let Step::To(line) = self.step(at, true, Kind::Shown) {
            return Some(line);
        }
        self.before(at)
    }

    /// The shown line before `at`.
    pub fn before(&mut self, at: u64) -> Option<u64> {
        match self.step(at, false, Kind::Shown) {
            Step::To(line) => Some(line),
            Step::End | Step::Unknown(_) => None,
        }
    }

    /// The shown line behind the one at `at`.
    pub fn behind(&mut self, at: u64) -> Option<u64> {
        match self.step(at + 1, true, Kind::Shown) {
            Step::To(line) => Some(line),
            Step::End | Step::Unknown(_) => None,
        }
    }

    /// Looks at the log again whenever it may have grown. To be called on the runtime.
    pub fn watch(&mut self, console: Console) {
        self.source.watch(console);
    }

    /// Has the worker look for the next line of a kind before it does anything else.
    pub fn want(&mut self, wanted: Option<Wanted>) {
        self.source.state().wanted = wanted;
        self.source.look();
    }

    /// The number of the line at `at` among those of a kind, from 1 on, as far as that is known.
    pub fn number(&mut self, at: u64, kind: Kind) -> Option<u64> {
        let slot = self.shape.slot(at);
        let before = self.source.state().census(kind)?.before(slot)?;
        let page = self.page(slot);
        let lines = page.chunk.lines();
        let own = match kind {
            Kind::Line => {
                let until = lines.partition_point(|line| line.at <= at);
                lines[..until]
                    .iter()
                    .filter(|line| line.left_out == 0)
                    .count()
            }
            _ => {
                let found = page.lines(kind, &self.patterns);
                let index = found.binary_search_by_key(&at, |line| lines[*line as usize].at);
                index.ok()? + 1
            }
        };
        Some(before + own as u64)
    }

    /// How many lines of a kind are known, and whether those are all.
    pub fn total(&self, kind: Kind) -> Option<(u64, bool)> {
        Some(self.source.state().census(kind)?.total())
    }
}
