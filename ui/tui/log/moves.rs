//! Going about in a log: by lines, by rows and by the mouse, and having what one is at on the screen.

use super::status::Position;
use super::view::LogView;
use super::window::{Frame, Window};

/// The cells to the left of the text: the sign of the cursor or a mark, and that of an error.
pub(super) const SIGNS: usize = 2;
/// The cells of a time, the space behind it included: `14:03:22.250 `, or with its date before it where there is room.
const TIME: usize = 13;
const DATE: usize = 11;
/// The least cells at which there is room for a date.
const WIDE: u16 = 110;

impl LogView {
    /// The cells before the text.
    pub(super) fn lead(&self) -> usize {
        let times = match self.times {
            true if self.has_dates() => TIME + DATE,
            true => TIME,
            false => 0,
        };
        SIGNS + times
    }

    fn has_dates(&self) -> bool {
        self.size.width >= WIDE
    }

    fn frame(&self) -> Frame {
        Frame {
            width: usize::from(self.size.width)
                .saturating_sub(self.lead())
                .max(2),
            height: usize::from(self.size.height).saturating_sub(1).max(1),
            wraps: self.wraps,
            left: self.left,
        }
    }

    /// The rows of a page.
    pub(super) fn page(&self) -> isize {
        isize::try_from(self.frame().height).unwrap_or(isize::MAX)
    }

    /// How far one goes to a side at once.
    pub(super) fn sideways(&self) -> usize {
        self.frame().width / 3 + 1
    }

    /// Brings what is on the screen up to date.
    pub(super) fn settle(&mut self) {
        let frame = self.frame();
        self.here = match self.follows {
            true => self.pages.before(u64::MAX),
            false => self.pages.nearest(self.cursor),
        };
        let came_far = std::mem::take(&mut self.came_far);
        let Some(here) = self.here else {
            self.window = Window::default();
            self.tell();
            return;
        };
        if self.follows {
            self.cursor = here;
            self.window = self.up(frame, here, usize::MAX);
            self.fill(frame);
        } else {
            self.show(frame, here, came_far);
        }
        if came_far {
            self.aim(frame, here);
        }
        self.top = self.window.top().unwrap_or_default();
        self.tell();
    }

    /// Shows the cursor's line, from where one was if it is to be seen there.
    fn show(&mut self, frame: Frame, here: u64, came_far: bool) {
        let top = self.pages.nearest(self.top.0).unwrap_or(here);
        let part = if top == self.top.0 { self.top.1 } else { 0 };
        self.window = self.down(frame, top, part);
        self.fill(frame);
        if self.window.has(here, frame.height) {
            return;
        }
        let is_above = self.window.top().is_some_and(|(top, _)| here <= top);
        let own = self.down(frame, here, 0);
        let is_tall = own.rows_of(here).1 >= frame.height;
        self.window = if came_far {
            let third = Frame {
                height: frame.height / 3 + 1,
                ..frame
            };
            let (top, part) = self.up(third, here, 0).top().unwrap_or((here, 0));
            self.down(frame, top, part)
        } else if is_above || is_tall {
            own
        } else {
            self.up(frame, here, usize::MAX)
        };
        self.fill(frame);
    }

    /// Has no rows empty at the bottom while there are lines above.
    fn fill(&mut self, frame: Frame) {
        if self.window.rows.len() >= frame.height {
            return;
        }
        let top = self.window.top();
        let is_first = |(top, part): (u64, usize)| part == 0 && self.pages.before(top).is_none();
        if top.is_none_or(is_first) {
            return;
        }
        if let Some(last) = self.window.lines.last().map(|line| line.at) {
            self.window = self.up(frame, last, usize::MAX);
        }
    }

    /// Has what was looked for in the cursor's line on the screen.
    fn aim(&mut self, frame: Frame, here: u64) {
        if frame.wraps {
            return;
        }
        let line = self.window.lines.iter().find(|line| line.at == here);
        let Some((line, place)) = line.and_then(|line| Some((line, line.found.first()?))) else {
            return;
        };
        let (begin, end) = (line.shown.column(place.start), line.shown.column(place.end));
        let left = match end {
            end if end <= frame.width => 0,
            end if begin >= frame.left && end <= frame.left + frame.width => frame.left,
            _ => begin.saturating_sub(frame.width / 3),
        };
        if left != self.left {
            self.left = left;
            let (top, part) = self.window.top().unwrap_or((here, 0));
            self.window = self.down(self.frame(), top, part);
        }
    }

    fn down(&mut self, frame: Frame, at: u64, part: usize) -> Window {
        let patterns = self.pages.patterns().clone();
        let own = self.prompt.as_ref().and_then(|prompt| prompt.pattern());
        let highlight = own.or(patterns.search.as_deref().or(patterns.filter.as_deref()));
        Window::down(&mut self.pages, frame, highlight, at, part)
    }

    fn up(&mut self, frame: Frame, at: u64, part: usize) -> Window {
        let patterns = self.pages.patterns().clone();
        let own = self.prompt.as_ref().and_then(|prompt| prompt.pattern());
        let highlight = own.or(patterns.search.as_deref().or(patterns.filter.as_deref()));
        Window::up(&mut self.pages, frame, highlight, at, part)
    }

    /// Says where one is, and when the lines on the screen were written.
    fn tell(&mut self) {
        let format = match self.has_dates() {
            true => "%Y-%m-%d %H:%M:%S%.3f",
            false => "%H:%M:%S%.3f",
        };
        self.stamps.clear();
        if self.times {
            let state = self.pages.source().state();
            let stamp = |end: u64| {
                let time = state.time_of(end.saturating_sub(1))?;
                let time = self.zone.to_datetime(time);
                Some(time.strftime(format).to_string())
            };
            let stamps = self.window.lines.iter().map(|line| match line.left_out {
                0 => stamp(line.end),
                _ => None,
            });
            self.stamps = stamps.collect();
        }
        self.position = Position::of(&mut self.pages, self.here);
    }

    pub(super) fn go_to(&mut self, at: u64) {
        self.follows = false;
        self.cursor = at;
        self.top = (at, 0);
    }

    pub(super) fn go_down(&mut self, lines: usize) {
        for _ in 0..lines {
            let Some(next) = self.here.and_then(|here| self.pages.behind(here)) else {
                break;
            };
            (self.cursor, self.here) = (next, Some(next));
        }
    }

    pub(super) fn go_up(&mut self, lines: usize) {
        self.follows = false;
        for _ in 0..lines {
            let Some(next) = self.here.and_then(|here| self.pages.before(here)) else {
                break;
            };
            (self.cursor, self.here) = (next, Some(next));
        }
    }

    pub(super) fn go_right(&mut self) {
        let lines = self.window.lines.iter();
        let widest = lines
            .map(|line| line.shown.column(line.shown.text.len()))
            .max();
        let left = self.left + self.sideways();
        if !self.wraps && widest.is_some_and(|widest| left < widest) {
            self.left = left;
        }
    }

    /// Goes down so many rows, or up, with the cursor if it is to come along.
    pub(super) fn scroll(&mut self, rows: isize, with_cursor: bool) {
        let (frame, Some(here)) = (self.frame(), self.here) else {
            return;
        };
        let (top, part) = self.top;
        let (old, wanted) = (self.window.row_of(here).unwrap_or(0), rows.unsigned_abs());
        let moved;
        if rows < 0 {
            self.follows = false;
            let taller = Frame {
                height: wanted + 1,
                ..frame
            };
            let above = self.up(taller, top, part);
            moved = above.rows.len().saturating_sub(1);
            self.top = above.top().unwrap_or(self.top);
        } else {
            let taller = Frame {
                height: wanted + frame.height,
                ..frame
            };
            let below = self.down(taller, top, part);
            moved = wanted.min(below.rows.len().saturating_sub(frame.height));
            if let Some(row) = below.rows.get(moved) {
                self.top = (below.lines[row.line].at, row.part);
            }
        }
        let window = self.down(frame, self.top.0, self.top.1);
        let left = wanted - moved.min(wanted);
        let last = window.rows.len().saturating_sub(1);
        let row = match (with_cursor, rows < 0) {
            (true, true) => old.saturating_sub(left),
            (true, false) => (old + left).min(last),
            (false, _) if window.has(here, frame.height) => return,
            (false, true) => last,
            (false, false) => 0,
        };
        // One of which all is to be seen, lest everything moves once more.
        let near = (0..=row).rev().chain(row..=last);
        let near = near.filter_map(|row| window.line(row)).map(|line| line.at);
        let whole = near.clone().find(|at| window.has(*at, frame.height));
        if let Some(line) = whole.or(near.clone().next()) {
            (self.cursor, self.here) = (line, Some(line));
        }
    }
}
