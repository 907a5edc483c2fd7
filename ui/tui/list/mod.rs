//! Lists: what each view shows of the world, in which columns.

mod history;
mod images;
mod machines;
mod networks;
mod rows;
mod volumes;

use std::cmp::Ordering;

use crate::tui::model::Model;
use crate::tui::model::place::View;

pub(crate) use rows::{identity, settle};

/// A part of a cell: its text, and the scope of the theme that it is drawn in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) scope: &'static str,
}

/// What a column shows of a row.
pub(crate) type Cell = Vec<Part>;

pub(crate) fn part(text: impl Into<String>, scope: &'static str) -> Part {
    Part {
        text: text.into(),
        scope,
    }
}

/// A cell of plain text.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    vec![part(text, "table.row")]
}

/// A column of a list. Rows are given by their place in the world.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    /// Its name in the settings.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// How much it matters: where there is no room for all, those that matter least go first.
    pub(crate) weight: u8,
    /// Whether numbers are to stand under each other.
    pub(crate) right: bool,
    /// Whether it is a drawing, which takes what room is left and is not searched.
    pub(crate) drawn: bool,
    /// What it shows, given the width that it has, which matters to drawings only.
    pub(crate) cell: fn(&Model, usize, u16) -> Cell,
    pub(crate) order: fn(&Model, usize, usize) -> Ordering,
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl Column {
    /// What it shows, as text.
    pub(crate) fn text(&self, model: &Model, row: usize) -> String {
        let cell = (self.cell)(model, row, 0);
        cell.into_iter().map(|part| part.text).collect()
    }
}

/// All columns of a view, in the order in which they stand unless the settings say otherwise.
pub(crate) fn columns(view: View) -> &'static [Column] {
    match view {
        View::Machines => machines::COLUMNS,
        View::Volumes => volumes::COLUMNS,
        View::Images => images::COLUMNS,
        View::Networks => networks::COLUMNS,
        View::History => history::COLUMNS,
        View::Panes => &[],
    }
}

/// The columns that the settings want, in their order.
pub(crate) fn wanted(model: &Model, view: View) -> Vec<&'static Column> {
    let all = columns(view);
    match model.settings.columns_of(view) {
        None => all.iter().collect(),
        Some(ids) => ids
            .iter()
            .filter_map(|id| all.iter().find(|column| column.id == id))
            .collect(),
    }
}
