//! Copy mode: a cursor of one's own that goes through history as in vi, and selects.

use alacritty_terminal::grid::{Dimensions, Scroll};
use alacritty_terminal::index::{Point, Side};
use alacritty_terminal::selection::Selection;
use alacritty_terminal::term::TermMode;
use alacritty_terminal::vi_mode::ViMotion;

use super::{Emulator, Kind};

/// Ways for copy mode's cursor to go, with vi's keys for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// `h`
    Left,
    /// `j`
    Down,
    /// `k`
    Up,
    /// `l`
    Right,
    /// `w`
    Word,
    /// `b`
    WordBack,
    /// `e`
    WordEnd,
    /// `0`
    LineStart,
    /// `^`
    LineText,
    /// `$`
    LineEnd,
    /// `gg`
    Top,
    /// `G`
    Bottom,
    /// `H`
    ScreenTop,
    /// `M`
    ScreenMiddle,
    /// `L`
    ScreenBottom,
    /// `{`
    ParagraphUp,
    /// `}`
    ParagraphDown,
    /// `%`
    Bracket,
    /// Ctrl-u
    HalfPageUp,
    /// Ctrl-d
    HalfPageDown,
    /// Ctrl-b
    PageUp,
    /// Ctrl-f
    PageDown,
}

impl Emulator {
    /// Enters copy mode, with its cursor where the guest's is, or in the view's corner if that is elsewhere.
    pub(crate) fn enter_copy_mode(&mut self) {
        if !self.in_copy_mode() {
            self.bring_back();
            self.screen.term.selection = None;
            self.screen.term.toggle_vi_mode();
        }
    }

    /// Leaves copy mode and goes back to the end.
    pub(crate) fn leave_copy_mode(&mut self) {
        if self.in_copy_mode() {
            self.screen.term.toggle_vi_mode();
            self.clear_selection();
            self.scroll_to_bottom();
        }
    }

    pub(crate) fn in_copy_mode(&self) -> bool {
        self.screen.term.mode().contains(TermMode::VI)
    }

    /// Moves copy mode's cursor; the view and a selection go along.
    pub(crate) fn motion(&mut self, motion: Motion) {
        if !self.in_copy_mode() {
            return;
        }
        let page = i32::try_from(self.lines()).unwrap_or(i32::MAX);
        let term = &mut self.screen.term;
        match motion {
            Motion::Left => term.vi_motion(ViMotion::Left),
            Motion::Down => term.vi_motion(ViMotion::Down),
            Motion::Up => term.vi_motion(ViMotion::Up),
            Motion::Right => term.vi_motion(ViMotion::Right),
            Motion::Word => term.vi_motion(ViMotion::SemanticRight),
            Motion::WordBack => term.vi_motion(ViMotion::SemanticLeft),
            Motion::WordEnd => term.vi_motion(ViMotion::SemanticRightEnd),
            Motion::LineStart => term.vi_motion(ViMotion::First),
            Motion::LineText => term.vi_motion(ViMotion::FirstOccupied),
            Motion::LineEnd => term.vi_motion(ViMotion::Last),
            Motion::ScreenTop => term.vi_motion(ViMotion::High),
            Motion::ScreenMiddle => self.middle(),
            Motion::ScreenBottom => term.vi_motion(ViMotion::Low),
            Motion::ParagraphUp => term.vi_motion(ViMotion::ParagraphUp),
            Motion::ParagraphDown => term.vi_motion(ViMotion::ParagraphDown),
            Motion::Bracket => term.vi_motion(ViMotion::Bracket),
            Motion::Top => {
                let mut point = term.vi_mode_cursor.point;
                point.line = term.topmost_line();
                term.vi_goto_point(point);
            }
            Motion::Bottom => {
                let mut point = term.vi_mode_cursor.point;
                point.line = term.bottommost_line();
                term.vi_goto_point(point);
            }
            Motion::HalfPageUp => self.page(page / 2),
            Motion::HalfPageDown => self.page(-page / 2),
            Motion::PageUp => self.page(page),
            Motion::PageDown => self.page(-page),
        }
    }

    /// Moves as often as a number before a motion says, or until that leads nowhere; how often it moved. What goes to the
    /// same place however often it is said, or there and back, is done once.
    pub(crate) fn motions(&mut self, motion: Motion, times: u32) -> u32 {
        let times = if motion == Motion::Bracket { 1 } else { times };
        for moved in 0..times {
            let before = self.copy_place();
            self.motion(motion);
            if self.copy_place() == before {
                return moved;
            }
        }
        times
    }

    /// Where copy mode's cursor is, and how far the view is scrolled back.
    pub(super) fn copy_place(&self) -> (Point, usize) {
        let term = &self.screen.term;
        (term.vi_mode_cursor.point, term.grid().display_offset())
    }

    /// `Term`'s own way to the middle is to a line above the screen when that has one line only.
    fn middle(&mut self) {
        if self.lines() > 1 {
            self.screen.term.vi_motion(ViMotion::Middle);
        }
    }

    /// Moves cursor and view by lines, back in time if positive.
    fn page(&mut self, lines: i32) {
        let term = &mut self.screen.term;
        let cursor = term.vi_mode_cursor.scroll(term, lines);
        term.scroll_display(Scroll::Delta(lines));
        term.vi_goto_point(cursor.point);
    }

    /// Begins to select at copy mode's cursor, changes what is selected by, or ends that: `v`, `V`, Ctrl-v.
    pub(crate) fn toggle_selection(&mut self, kind: Kind) {
        if !self.in_copy_mode() {
            return;
        }
        let wanted = kind.native();
        let point = self.screen.term.vi_mode_cursor.point;
        self.screen.term.selection = match self.screen.term.selection.take() {
            Some(selection) if selection.ty == wanted => None,
            Some(mut selection) => {
                selection.ty = wanted;
                selection.include_all();
                Some(selection)
            }
            None => {
                let mut selection = Selection::new(wanted, point, Side::Left);
                selection.update(point, Side::Right);
                Some(selection)
            }
        };
    }

    /// Whether something is being selected in copy mode.
    pub(crate) fn is_selecting(&self) -> bool {
        self.screen.term.selection.is_some()
    }

    /// What is selected, and an end to selecting: `y`.
    #[cfg(test)]
    pub(crate) fn yank(&mut self) -> Option<String> {
        let text = self.selected_text();
        self.clear_selection();
        text
    }
}
