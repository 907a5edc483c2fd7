//! Selecting with the mouse.

use alacritty_terminal::index::Side;
use alacritty_terminal::selection::{Selection, SelectionType};

use super::{Emulator, text};

/// What a selection grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Cells, from one to another as one reads.
    Simple,
    /// Words; a pair of brackets if it begins on one.
    Word,
    /// Lines of text, however many rows they are wrapped to.
    Line,
    /// A rectangle.
    Block,
}

impl Kind {
    pub(super) fn native(self) -> SelectionType {
        match self {
            Kind::Simple => SelectionType::Simple,
            Kind::Word => SelectionType::Semantic,
            Kind::Line => SelectionType::Lines,
            Kind::Block => SelectionType::Block,
        }
    }
}

impl Emulator {
    /// Begins a selection at a cell of the pane. One of cells or of a rectangle is empty until it is extended.
    pub(crate) fn begin_selection(&mut self, kind: Kind, column: u16, line: u16) {
        let point = self.point(column, line);
        self.screen.term.selection = Some(Selection::new(kind.native(), point, Side::Left));
    }

    /// Extends the selection to a cell of the pane, that one included.
    pub(crate) fn extend_selection(&mut self, column: u16, line: u16) {
        let point = self.point(column, line);
        if let Some(selection) = &mut self.screen.term.selection {
            selection.update(point, Side::Right);
            selection.include_all();
        }
    }

    pub(crate) fn clear_selection(&mut self) {
        self.screen.term.selection = None;
        self.settle();
    }

    /// What is selected; lines that were wrapped are joined. `None` if that is nothing.
    pub(crate) fn selected_text(&self) -> Option<String> {
        let selected = self.screen.term.selection_to_string()?;
        Some(text::copied(&selected)).filter(|text| !text.is_empty())
    }
}
