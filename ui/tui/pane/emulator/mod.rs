//! A terminal emulator: bytes of a guest in, a grid of cells out. It knows no connection and no layout.
//!
//! The machine is alacritty's; no other module names that crate.

mod attic;
mod colours;
mod copy;
mod keys;
mod kitty;
mod mouse;
mod outbox;
mod paint;
mod resize;
mod screen;
mod search;
mod select;
mod text;
mod view;

use std::time::Instant;

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Boundary, Line};
use alacritty_terminal::term::TermMode;
use alacritty_terminal::vte::ansi::Processor;
use crossterm::event::{KeyEvent, MouseEvent};

use attic::Attic;
use colours::Colours;
use screen::Screen;
use search::Search;

pub(crate) use copy::Motion;
pub(crate) use mouse::Mouse;
pub(crate) use outbox::News;
pub(crate) use paint::{Look, paint};
pub(crate) use select::Kind;
pub(crate) use view::Shape;

/// How many bytes are parsed between two looks at how the history has grown.
const SLICE: usize = 4096;

/// How many lines of history the grid has when the oldest of them are packed away, and how many it keeps. Together with
/// the screen it stays below 1024 rows, to which alacritty allocates.
const PACK_AT: usize = 800;
const KEEP: usize = 400;

/// How many lines are packed away at once; takes a millisecond or two.
const PACK: usize = 2000;

/// How many bytes may come without anything being done. A control string that is longer has no other end than that of
/// memory, in which the parser keeps it.
const LONGEST_STRING: usize = 8 * 1024 * 1024;

/// The terminal in a pane.
pub(crate) struct Emulator {
    screen: Screen,
    processor: Processor,
    /// Bytes since something was last done.
    idle: usize,
    attic: Attic,
    scrollback: usize,
    search: Option<Search>,
    held: mouse::Held,
}

impl Emulator {
    /// A blank one of at least 2 columns and 1 line, which keeps this many lines that have left the screen.
    pub(crate) fn new(columns: u16, lines: u16, scrollback: usize) -> Emulator {
        let size = resize::clamp(columns, lines);
        let mut attic = Attic::default();
        attic.set_columns(size.columns);
        Emulator {
            screen: Screen::new(size.columns, size.lines, scrollback),
            processor: Processor::new(),
            idle: 0,
            attic,
            scrollback,
            search: None,
            held: mouse::Held::default(),
        }
    }

    /// Does what the guest's output says. Whoever has much of it gives up to 64 KiB at once: then lines that are soon gone
    /// again are not packed away, but may take 20 MB until [`Emulator::tidy`] is called.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        for slice in bytes.chunks(SLICE) {
            let (offset, history) = (self.scrolled_back(), self.history_at_hand());
            self.processor.advance(&mut self.screen, slice);
            self.keep_view(offset, history);
            self.idle += slice.len();
            if std::mem::take(&mut self.screen.active) {
                self.idle = 0;
            } else if self.idle > LONGEST_STRING {
                self.processor = Processor::new();
                self.idle = 0;
            }
            self.settle();
        }
        if bytes.len() <= SLICE {
            self.tidy();
        }
    }

    /// Packs old lines away, some of them at a time; to be called again if there are more. For when no output has come for
    /// a moment.
    pub(crate) fn tidy(&mut self) -> bool {
        let term = &mut self.screen.term;
        let history = term.history_size();
        let looked_at = term.grid().display_offset() > 0
            || term.selection.is_some()
            || term.mode().intersects(TermMode::VI | TermMode::ALT_SCREEN)
            || self.search.is_some();
        if history < PACK_AT || looked_at {
            return false;
        }
        let keep = KEEP.max(history.saturating_sub(PACK));
        self.attic.take(term.grid_mut(), keep, self.scrollback);
        self.settle();
        self.history_at_hand() >= PACK_AT
    }

    /// Puts the cursor at the beginning of the line below the last one with something on it. At the end of the screen
    /// that scrolls.
    pub(crate) fn go_below_text(&mut self) {
        let grid = self.screen.term.grid();
        let lines = i32::try_from(grid.screen_lines()).unwrap_or(i32::MAX);
        let last = (0..lines).rev().find(|line| !grid[Line(*line)].is_clear());
        match last {
            // CUP counts from 1.
            Some(last) => self.advance(format!("\x1b[{};1H\r\n", last + 1).as_bytes()),
            None => self.advance(b"\x1b[H"),
        }
    }

    /// What the guest is to be answered, in order.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        self.screen.outbox.take_replies()
    }

    /// What has happened since this was last asked.
    pub(crate) fn take_news(&mut self) -> Vec<News> {
        self.screen.outbox.take_news()
    }

    /// When [`Emulator::end_sync`] is to be called, if the guest has begun a synchronized update (mode 2026) and not ended
    /// it by then.
    pub(crate) fn sync_deadline(&self) -> Option<Instant> {
        self.processor.sync_timeout().sync_timeout()
    }

    /// Shows what came during a synchronized update that has not ended.
    pub(crate) fn end_sync(&mut self) {
        let (offset, history) = (self.scrolled_back(), self.history_at_hand());
        self.processor.stop_sync(&mut self.screen);
        self.keep_view(offset, history);
        self.settle();
    }

    /// Says which colours the pane has, for guests that ask.
    pub(crate) fn set_colours(&mut self, look: &Look) {
        self.screen.colours = Colours::new(look.foreground, look.background, look.ansi);
    }

    /// The bytes for a key; the view goes to the end, as whoever types wants to see what.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> Vec<u8> {
        let bytes = keys::encode(key, *self.screen.term.mode());
        if !bytes.is_empty() {
            self.clear_selection();
            self.scroll_to_bottom();
        }
        bytes
    }

    /// The bytes for text that is pasted, which cannot end the paste nor press control keys: lines and tabs only. Line
    /// ends are Enter, as in xterm.
    pub(crate) fn paste(&mut self, text: &str) -> Vec<u8> {
        let text = text.replace("\x1b[201~", "").replace("\u{9b}201~", "");
        let text = text.replace("\r\n", "\r").replace('\n', "\r");
        let keep = |c: &char| matches!(c, '\r' | '\t') || !c.is_control();
        let text: String = text.chars().filter(keep).collect();
        self.clear_selection();
        self.scroll_to_bottom();
        if self.screen.term.mode().contains(TermMode::BRACKETED_PASTE) {
            format!("\x1b[200~{text}\x1b[201~").into_bytes()
        } else {
            text.into_bytes()
        }
    }

    /// Whose an event of the mouse is, at a cell of the pane counted from 0.
    pub(crate) fn mouse(&mut self, event: &MouseEvent, column: u16, line: u16) -> Mouse {
        let point = self.clamp(column, line);
        let column = u16::try_from(point.column.0).unwrap_or(column);
        let line = u16::try_from(point.line).unwrap_or(line);
        let mode = *self.screen.term.mode();
        mouse::decide(
            &mut self.held,
            event,
            column,
            line,
            mode,
            self.screen.x10_mouse,
        )
    }

    /// Says whether the pane has the focus; the bytes are for a guest that wants to know (mode 1004).
    pub(crate) fn focus(&mut self, has: bool) -> Vec<u8> {
        self.screen.term.is_focused = has;
        let wanted = self.screen.term.mode().contains(TermMode::FOCUS_IN_OUT);
        let bytes: &[u8] = match (wanted, has) {
            (false, _) => b"",
            (true, true) => b"\x1b[I",
            (true, false) => b"\x1b[O",
        };
        bytes.to_vec()
    }

    /// Whether the guest wants to know of the mouse.
    #[cfg(test)]
    pub(crate) fn wants_mouse(&self) -> bool {
        self.screen.x10_mouse || self.screen.term.mode().intersects(TermMode::MOUSE_MODE)
    }

    /// Whether a program has the screen to itself, as editors and pagers do.
    #[cfg(test)]
    pub(crate) fn alternate_screen(&self) -> bool {
        self.screen.is_alternate()
    }

    /// The title that the guest gave its window; empty if none.
    pub(crate) fn title(&self) -> String {
        self.screen.outbox.title()
    }

    /// The address that a cell of the pane links to (OSC 8), if it is one that may be opened.
    pub(crate) fn link_at(&self, column: u16, line: u16) -> Option<String> {
        let cell = &self.screen.term.grid()[self.point(column, line)];
        text::link(cell.hyperlink()?.uri())
    }

    /// Brings things in order after the grid has changed: the cursor of copy mode is on it, and no more lines are kept
    /// than are wanted.
    fn settle(&mut self) {
        if std::mem::take(&mut self.screen.forgotten) {
            self.attic.clear();
        }
        let term = &mut self.screen.term;
        let point = term.vi_mode_cursor.point;
        term.vi_mode_cursor.point = point.grid_clamp(term, Boundary::Grid);
        if !self.screen.is_alternate() {
            let room = self.scrollback.saturating_sub(self.history_at_hand());
            self.attic.trim(room);
        }
    }

    /// Puts all lines that were packed away back into the grid.
    fn bring_back(&mut self) {
        if !self.attic.is_empty() && !self.screen.is_alternate() {
            self.attic
                .give_back(self.screen.term.grid_mut(), self.scrollback);
        }
    }
}

#[cfg(test)]
mod tests;
