//! Which part of a grid is seen, and where its cursor is.

use alacritty_terminal::grid::{Dimensions, Scroll};
use alacritty_terminal::index::{Column, Point};
use alacritty_terminal::term::{point_to_viewport, viewport_to_point};
use alacritty_terminal::vte::ansi::CursorShape;

use super::Emulator;

/// Where the cursor is in the pane, and how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) column: u16,
    pub(crate) line: u16,
    pub(crate) shape: Shape,
    pub(crate) blinks: bool,
}

/// How a cursor looks (DECSCUSR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Block,
    Underline,
    Bar,
}

impl Emulator {
    /// Moves the view by lines, back in time if positive.
    pub(crate) fn scroll(&mut self, lines: i32) {
        let all = i32::try_from(self.history_len()).unwrap_or(i32::MAX);
        let lines = lines.clamp(-all, all);
        let wanted = self.scrolled_back().saturating_add_signed(lines as isize);
        if wanted > self.history_at_hand() {
            self.bring_back();
        }
        self.scroll_view(Scroll::Delta(lines));
    }

    pub(crate) fn scroll_page_up(&mut self) {
        self.scroll(i32::try_from(self.lines()).unwrap_or(i32::MAX));
    }

    pub(crate) fn scroll_page_down(&mut self) {
        self.scroll_view(Scroll::PageDown);
    }

    #[cfg(test)]
    pub(crate) fn scroll_to_top(&mut self) {
        self.bring_back();
        self.scroll_view(Scroll::Top);
    }

    pub(crate) fn scroll_to_bottom(&mut self) {
        self.scroll_view(Scroll::Bottom);
    }

    fn scroll_view(&mut self, scroll: Scroll) {
        self.screen.term.scroll_display(scroll);
        self.settle();
    }

    /// How many lines the view is above the end.
    pub(crate) fn scrolled_back(&self) -> usize {
        self.screen.term.grid().display_offset()
    }

    /// How many lines there are above the screen.
    pub(crate) fn history_len(&self) -> usize {
        let attic = if self.screen.is_alternate() {
            0
        } else {
            self.attic.rows()
        };
        self.history_at_hand() + attic
    }

    pub(crate) fn columns(&self) -> usize {
        self.screen.term.columns()
    }

    pub(crate) fn lines(&self) -> usize {
        self.screen.term.screen_lines()
    }

    /// The cursor, if it is to be seen: the guest has not hidden it, and the view has not left it behind. In copy mode it
    /// is that mode's own.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        let content = self.screen.term.renderable_content();
        let style = self.screen.term.cursor_style();
        let shape = match content.cursor.shape {
            CursorShape::Block | CursorShape::HollowBlock => Shape::Block,
            CursorShape::Underline => Shape::Underline,
            CursorShape::Beam => Shape::Bar,
            CursorShape::Hidden => return None,
        };
        let point = point_to_viewport(content.display_offset, content.cursor.point)?;
        (point.line < self.lines()).then(|| Cursor {
            column: u16::try_from(point.column.0).unwrap_or(u16::MAX),
            line: u16::try_from(point.line).unwrap_or(u16::MAX),
            shape,
            blinks: style.blinking,
        })
    }

    /// The cell of the grid at one of the pane's, the nearest if the pane is larger.
    pub(super) fn point(&self, column: u16, line: u16) -> Point {
        viewport_to_point(self.scrolled_back(), self.clamp(column, line))
    }

    pub(super) fn clamp(&self, column: u16, line: u16) -> Point<usize> {
        let column = usize::from(column).min(self.columns() - 1);
        Point::new(usize::from(line).min(self.lines() - 1), Column(column))
    }

    /// How many lines of history the grid itself has.
    pub(super) fn history_at_hand(&self) -> usize {
        self.screen.term.history_size()
    }

    /// Keeps the view, and the match that a search is at, on what they were on, given how far the view was from the end and
    /// how much history there was. alacritty's grid moves the view also when lines scroll within a region, which leaves
    /// the history as it is, even to where there is none.
    pub(super) fn keep_view(&mut self, offset: usize, history: usize) {
        let now = self.history_at_hand();
        let grown = now.saturating_sub(history);
        let most = if now < self.scrollback {
            (offset + grown).min(now)
        } else {
            now
        };
        let over = self.scrolled_back().saturating_sub(most);
        if over > 0 {
            let down = i32::try_from(over).unwrap_or(i32::MAX);
            self.screen
                .term
                .grid_mut()
                .scroll_display(Scroll::Delta(-down));
        }
        let moved = self.scrolled_back().saturating_sub(offset);
        self.follow(moved.max(grown));
    }

    /// A line of the grid as text, the first of the screen being 0 and those of the history negative.
    #[cfg(test)]
    pub(super) fn text_of(&self, line: i32) -> String {
        let last = Column(self.columns() - 1);
        let (start, end) = (
            Point::new(alacritty_terminal::index::Line(line), Column(0)),
            Point::new(alacritty_terminal::index::Line(line), last),
        );
        self.screen.term.bounds_to_string(start, end)
    }
}
