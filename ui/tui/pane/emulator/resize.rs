//! Another size for the grid, with what is on the screen staying there if it has room.

use alacritty_terminal::grid::{Dimensions, Grid};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::Term;
use alacritty_terminal::term::cell::{Cell, Flags};

use super::Emulator;
use super::outbox::Outbox;

/// The least that alacritty's grid can be.
const LEAST_COLUMNS: u16 = 2;
const LEAST_LINES: u16 = 1;

/// A size in cells.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.lines
    }

    fn screen_lines(&self) -> usize {
        self.lines
    }

    fn columns(&self) -> usize {
        self.columns
    }
}

/// A size as it may be.
pub(super) fn clamp(columns: u16, lines: u16) -> Size {
    Size {
        columns: usize::from(columns.max(LEAST_COLUMNS)),
        lines: usize::from(lines.max(LEAST_LINES)),
    }
}

impl Emulator {
    /// Gives the grid another size, at least 2 columns and 1 line. Lines that were wrapped are wrapped anew; on the
    /// alternate screen the program does that itself.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) {
        let size = clamp(columns, lines);
        let (old_columns, old_lines) = (self.columns(), self.lines());
        if (size.columns, size.lines) == (old_columns, old_lines) {
            return;
        }
        // A grid that becomes much larger needs more of its history than it has at hand.
        if size.columns / 4 > old_columns || size.lines > old_lines + self.history_at_hand() {
            self.bring_back();
        }
        let anchor = (!self.screen.is_alternate()).then(|| Anchor::new(self.screen.term.grid()));
        self.screen.term.resize(size);
        if let Some(anchor) = anchor {
            anchor.restore(&mut self.screen.term);
        }
        self.attic.set_columns(size.columns);
        self.settle();
    }
}

/// Where the screen begins in the text, and whether there is room below it.
///
/// alacritty's grid keeps the bottom of the screen where it is: when lines are wrapped anew, the first ones of a screen
/// that is nearly empty are pushed into the history, and when there is more room lines that were cleared come back.
struct Anchor {
    /// How many lines of text begin above the cursor's, on the screen.
    above: usize,
    /// Whether the screen begins with the beginning of a line.
    whole: bool,
    /// Whether there are blank rows below the cursor and all text.
    room: bool,
}

impl Anchor {
    fn new(grid: &Grid<Cell>) -> Anchor {
        let top = grid.topmost_line();
        Anchor {
            above: (0..grid.cursor.point.line.0)
                .filter(|line| !wraps(grid, *line))
                .count(),
            whole: top.0 == 0 || !wraps(grid, -1),
            room: blank_rows(grid) > 0,
        }
    }

    fn restore(&self, term: &mut Term<Outbox>) {
        let grid = term.grid();
        let (columns, lines) = (grid.columns(), grid.screen_lines());
        let top = self.top(grid);
        let hidden = usize::try_from(-top).unwrap_or_default();
        let down = hidden.min(blank_rows(grid));
        if self.whole && down > 0 {
            // Taking blank rows away below and adding them again takes as many from the history.
            term.resize(Size {
                columns,
                lines: lines - down,
            });
            term.resize(Size { columns, lines });
        }
        let up = usize::try_from(top).unwrap_or_default();
        if self.whole && self.room && up > 0 {
            let bottom = i32::try_from(lines).unwrap_or(i32::MAX);
            let grid = term.grid_mut();
            let template = std::mem::take(&mut grid.cursor.template);
            grid.scroll_up(&(Line(0)..Line(bottom)), up);
            grid.cursor.template = template;
            grid.cursor.point.line -= up;
            let saved = grid.saved_cursor.point.line - up;
            grid.saved_cursor.point.line = saved.max(Line(0));
            term.selection = None;
        }
    }

    /// The row at which the screen's text begins now.
    fn top(&self, grid: &Grid<Cell>) -> i32 {
        let first = grid.topmost_line().0;
        let mut row = grid.cursor.point.line.0;
        let mut above = self.above;
        while row > first && (above > 0 || wraps(grid, row - 1)) {
            row -= 1;
            if !wraps(grid, row) {
                above -= 1;
            }
        }
        row
    }
}

fn wraps(grid: &Grid<Cell>, line: i32) -> bool {
    let last = Column(grid.columns() - 1);
    grid[Line(line)][last].flags.contains(Flags::WRAPLINE)
}

/// How many rows at the end of the screen are blank and below the cursor.
fn blank_rows(grid: &Grid<Cell>) -> usize {
    let below = grid.cursor.point.line.0 + 1..=grid.bottommost_line().0;
    below
        .rev()
        .take_while(|line| grid[Line(*line)].is_clear())
        .count()
}
