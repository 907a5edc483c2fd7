//! Selecting with the mouse.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line, Side};
use alacritty_terminal::selection::{Selection, SelectionRange, SelectionType};
use alacritty_terminal::term::cell::{Cell, Flags};

use super::{Emulator, text};

/// How far apart a terminal's tab stops are, if no program has set others.
const TAB: usize = 8;

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

    /// What is selected; lines that were wrapped are joined, and blanks at the ends of lines left out. `None` if that is
    /// nothing.
    pub(crate) fn selected_text(&self) -> Option<String> {
        let term = &self.screen.term;
        let selection = term.selection.as_ref()?;
        let SelectionRange {
            start,
            end,
            is_block,
        } = selection.to_range(term)?;
        let last = term.last_column();
        let mut text = String::new();
        for line in start.line.0..=end.line.0 {
            let row = &term.grid()[Line(line)];
            let from = if is_block || line == start.line.0 {
                start.column
            } else {
                Column(0)
            };
            let to = if is_block || line == end.line.0 {
                end.column
            } else {
                last
            };
            let wrapped = !is_block && row[last].flags.contains(Flags::WRAPLINE);
            let part = part(&row[..], from.0, to.min(last).0);
            text += if wrapped { &part } else { part.trim_end() };
            if !wrapped && line < end.line.0 {
                text.push('\n');
            }
        }
        if selection.ty == SelectionType::Lines {
            text.push('\n');
        }
        Some(text::copied(&text)).filter(|text| !text.is_empty())
    }
}

/// The text of a row's cells from one to another, with tabs as they came. `Term::selection_to_string` does the same, but
/// panics where the first line begins with a wide character that did not fit the line before.
fn part(row: &[Cell], from: usize, to: usize) -> String {
    let spacers = Flags::WIDE_CHAR_SPACER | Flags::LEADING_WIDE_CHAR_SPACER;
    let half = from > 0 && row[from].flags.contains(Flags::WIDE_CHAR_SPACER);
    let mut text = String::new();
    let mut tab = false;
    for (at, cell) in (0..=to).zip(row).skip(from - usize::from(half)) {
        tab &= cell.c == ' ' && at % TAB != 0;
        if tab || cell.flags.intersects(spacers) {
            continue;
        }
        tab = cell.c == '\t';
        text.push(cell.c);
        text.extend(cell.zerowidth().unwrap_or_default());
    }
    text
}
