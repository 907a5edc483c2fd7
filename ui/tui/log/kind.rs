//! The kinds of lines that are counted and gone to, and which lines of a chunk are of one.

use std::sync::Arc;

use super::chunk::Chunk;
use super::errors;
use super::pattern::Pattern;

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

    /// How many there are.
    pub fn count(&self, kind: Kind, chunk: &Chunk) -> usize {
        match kind {
            Kind::Line => chunk.count(),
            _ => self.lines(kind, chunk).len(),
        }
    }
}
