//! What can be wrong with a theme, said so that its author finds the place and the way out.

use std::fmt;
use std::sync::Arc;

use sistemo::value::nearest;

/// A theme that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThemeError {
    at: Option<Place>,
    what: String,
    hint: String,
}

/// Where something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A path, or `theme "nord"` for one of the program's own.
    pub(super) file: Arc<str>,
    /// Counted from 1; none for a file as a whole.
    pub(super) line: Option<usize>,
}

impl ThemeError {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> ThemeError {
        ThemeError {
            at: None,
            what: what.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn at(self, place: &Place) -> ThemeError {
        ThemeError {
            at: Some(place.clone()),
            ..self
        }
    }

    /// The way out.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(place) => write!(f, "{}: {}", place, self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for ThemeError {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Names the candidate that is most like a word, or all of them.
pub(super) fn did_you_mean<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
    those: &str,
) -> String {
    match nearest(word, candidates.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("{those} are {}", candidates.collect::<Vec<_>>().join(", ")),
    }
}
