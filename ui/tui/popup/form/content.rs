//! What one form asks for, and what it makes of the answers.

use std::fmt::Debug;

use super::field::{Field, Values};
use crate::tui::model::Model;
use crate::tui::task::Task;

/// A form's own part.
pub(super) trait Content: Debug {
    fn title(&self) -> String;

    /// What its button says.
    fn go(&self) -> &'static str;

    /// Whether a field is shown, given what is in the others.
    fn shows(&self, key: &str, values: Values<'_>) -> bool {
        let _ = (key, values);
        true
    }

    /// Makes something to do of what is in the fields, and says what is wrong with them.
    fn read(&self, values: Values<'_>, model: &Model) -> Reading;

    /// What an empty field stands for.
    fn usual(&self, key: &str, values: Values<'_>, model: &Model) -> Option<String> {
        let _ = (key, values, model);
        None
    }

    /// What could be in a field whose user has typed `piece`.
    fn offers(&self, key: &str, piece: &str, values: Values<'_>, model: &Model) -> Vec<String> {
        let _ = (key, piece, values, model);
        Vec::new()
    }

    /// Lines under the fields.
    fn notes(&self, values: Values<'_>, model: &Model) -> Vec<String> {
        let _ = (values, model);
        Vec::new()
    }
}

/// What came of reading the fields.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What they say to do: with what is wrong left out; nothing when too little is there.
    pub(super) task: Option<Task>,
    /// What is wrong, by the fields' keys.
    pub(super) wrong: Vec<Wrong>,
    /// What one should know of what is in a field, by the fields' keys; it is done all the same.
    pub(super) told: Vec<(&'static str, String)>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) key: &'static str,
    pub(super) why: String,
    /// Whether it is only that nothing is there yet.
    pub(super) is_missing: bool,
}

impl Reading {
    pub(super) fn wrong(&mut self, key: &'static str, why: impl Into<String>) {
        self.wrong.push(Wrong {
            key,
            why: why.into(),
            is_missing: false,
        });
    }

    pub(super) fn missing(&mut self, key: &'static str, why: impl Into<String>) {
        self.wrong.push(Wrong {
            key,
            why: why.into(),
            is_missing: true,
        });
    }

    /// Notes what is wrong, if anything is, and gives what is right.
    pub(super) fn take<T>(&mut self, key: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.wrong(key, why)).ok()
    }
}

/// Those that begin with what was typed.
pub(super) fn beginning<'a>(piece: &str, all: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let all = all.into_iter();
    all.filter(|text| text.starts_with(piece))
        .map(str::to_owned)
        .collect()
}

/// Fields that every form of this kind starts with.
pub(super) type Fields = Vec<Field>;
