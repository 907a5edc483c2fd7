//! Where old lines of a pane go: as text and runs of one style, a tenth of what they take in the grid.
//!
//! A cell of the grid takes 24 bytes, a line of 80 columns 1.9 kB; ten panes with 10,000 lines each would take 190 MB. So
//! the grid keeps a few hundred lines of history, and older ones come here. They are put back when somebody wants to see
//! or search them, all at once, which takes some milliseconds.
//!
//! Lines are kept unwrapped, so that they fit whatever width the grid has when they come back.

use std::collections::VecDeque;

use alacritty_terminal::grid::{Dimensions, Grid, Scroll};
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::cell::{Cell, Flags};
use alacritty_terminal::vte::ansi::{Color, NamedColor};
use unicode_width::UnicodeWidthChar;

/// Flags that say how a line is laid out, not how a character looks.
const LAYOUT: Flags = Flags::WRAPLINE
    .union(Flags::WIDE_CHAR)
    .union(Flags::WIDE_CHAR_SPACER)
    .union(Flags::LEADING_WIDE_CHAR_SPACER);

/// How many cells a piece of a line has at most; a longer one is kept in several.
const LONGEST: usize = 16 * 1024;

/// The lines, the oldest first.
#[derive(Default)]
pub(super) struct Attic {
    lines: VecDeque<Kept>,
    /// How many rows of the grid the lines take at `columns`.
    rows: usize,
    columns: usize,
}

/// One line, or a piece of a very long one.
struct Kept {
    text: Box<str>,
    /// Empty if all is in the default style.
    runs: Box<[Run]>,
    /// Its width in cells.
    cells: usize,
    /// Whether the line goes on, in the next piece or in the grid.
    goes_on: bool,
}

/// Characters that look the same.
struct Run {
    chars: u16,
    /// The look, on an empty cell.
    like: Cell,
}

/// A line that is being put together.
#[derive(Default)]
struct Draft {
    text: String,
    runs: Vec<Run>,
    cells: usize,
}

impl Attic {
    /// How many rows the lines take.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Attic {
            columns: self.columns,
            ..Attic::default()
        };
    }

    /// Says how wide the grid is now.
    pub(super) fn set_columns(&mut self, columns: usize) {
        self.columns = columns;
        self.rows = self
            .lines
            .iter()
            .map(|line| rows(line.cells, columns))
            .sum();
    }

    /// Forgets the oldest lines, until the rest takes no more than this many rows.
    pub(super) fn trim(&mut self, most: usize) {
        while self.rows > most
            && let Some(line) = self.lines.pop_front()
        {
            self.rows -= rows(line.cells, self.columns);
        }
    }

    /// Takes all but about the newest `keep` lines of a grid's history, which may go on to grow to `scrollback`. A line is
    /// not cut through unless it is very long.
    pub(super) fn take(&mut self, grid: &mut Grid<Cell>, keep: usize, scrollback: usize) {
        let row = |rows: usize| i32::try_from(rows).unwrap_or(i32::MAX);
        let first = -row(grid.history_size());
        let last = first.max(-row(keep));
        let least = first.max(last - row(LONGEST / grid.columns())) + 1;
        let mut ends = (least..=last).rev();
        let end = ends
            .find(|line| !is_wrapped(grid, *line - 1))
            .unwrap_or(last);
        let mut draft = Draft::default();
        for line in first..end {
            draft.add(&grid[Line(line)][..]);
            let goes_on = is_wrapped(grid, line);
            if !goes_on || draft.cells >= LONGEST || line == end - 1 {
                self.push(draft.finish(goes_on));
            }
        }
        grid.update_history(usize::try_from(-end).unwrap_or_default());
        grid.update_history(scrollback);
    }

    fn push(&mut self, line: Kept) {
        self.rows += rows(line.cells, self.columns);
        self.lines.push_back(line);
    }

    /// Puts everything back: a grid like `grid`, but with all lines and a history of up to `scrollback`.
    pub(super) fn give_back(&mut self, grid: &mut Grid<Cell>, scrollback: usize) {
        let (lines, columns) = (grid.screen_lines(), grid.columns());
        let history = i32::try_from(grid.history_size()).unwrap_or_default();
        let screen = i32::try_from(lines).unwrap_or_default();
        let mut all = Grid::<Cell>::new(lines, columns, scrollback);
        for line in self.lines.drain(..) {
            line.lay_out(&mut all);
        }
        self.rows = 0;
        for line in -history..0 {
            std::mem::swap(&mut all[Line(0)], &mut grid[Line(line)]);
            all.scroll_up(&(Line(0)..Line(screen)), 1);
        }
        for line in 0..screen {
            std::mem::swap(&mut all[Line(line)], &mut grid[Line(line)]);
        }
        all.cursor = grid.cursor.clone();
        all.saved_cursor = grid.saved_cursor.clone();
        let offset = i32::try_from(grid.display_offset()).unwrap_or_default();
        all.scroll_display(Scroll::Delta(offset));
        *grid = all;
    }
}

fn rows(cells: usize, columns: usize) -> usize {
    cells.div_ceil(columns.max(1)).max(1)
}

fn is_wrapped(grid: &Grid<Cell>, line: i32) -> bool {
    let last = Column(grid.columns() - 1);
    grid[Line(line)][last].flags.contains(Flags::WRAPLINE)
}

/// Whether a cell is as it was when the grid was new.
fn is_blank(cell: &Cell) -> bool {
    cell.c == ' '
        && cell.extra.is_none()
        && cell.flags.is_empty()
        && cell.bg == Color::Named(NamedColor::Background)
        && cell.fg == Color::Named(NamedColor::Foreground)
}

impl Draft {
    /// Adds the cells of a row of the grid.
    fn add(&mut self, row: &[Cell]) {
        let wrapped = row
            .last()
            .is_some_and(|cell| cell.flags.contains(Flags::WRAPLINE));
        let mut end = row.len();
        while !wrapped && end > 0 && is_blank(&row[end - 1]) {
            end -= 1;
        }
        let mut wide = false;
        for (at, cell) in row[..end].iter().enumerate() {
            let flags = cell.flags;
            if !wide && !flags.intersects(LAYOUT) {
                self.put(cell, flags, cell.c);
                continue;
            }
            let spacer = flags.contains(Flags::WIDE_CHAR_SPACER);
            let left_over = flags.contains(Flags::LEADING_WIDE_CHAR_SPACER);
            if (spacer && wide) || (left_over && at + 1 == row.len()) {
                wide = false;
                continue;
            }
            let spaced = |next: &Cell| next.flags.contains(Flags::WIDE_CHAR_SPACER);
            wide = flags.contains(Flags::WIDE_CHAR) && row.get(at + 1).is_some_and(spaced);
            // Halves of wide characters, which programs leave behind by writing over the other half, are blank.
            let broken = !wide && flags.intersects(LAYOUT.difference(Flags::WRAPLINE));
            self.cells += usize::from(wide);
            self.put(
                cell,
                flags.difference(LAYOUT),
                if broken { ' ' } else { cell.c },
            );
        }
    }

    fn put(&mut self, cell: &Cell, flags: Flags, c: char) {
        self.text.push(c);
        self.cells += 1;
        if let Some(last) = self.runs.last_mut()
            && last.chars < u16::MAX
            && (last.like.fg, last.like.bg, last.like.flags) == (cell.fg, cell.bg, flags)
            && last.like.extra == cell.extra
            && cell.zerowidth().is_none_or(<[char]>::is_empty)
        {
            last.chars += 1;
            return;
        }
        let like = Cell {
            c: ' ',
            flags,
            ..cell.clone()
        };
        self.runs.push(Run { chars: 1, like });
    }

    /// The line so far, and an empty draft in its place.
    fn finish(&mut self, goes_on: bool) -> Kept {
        let plain = self.runs.iter().all(|run| is_blank(&run.like));
        if plain {
            self.runs.clear();
        }
        let line = Kept {
            text: self.text.as_str().into(),
            runs: self.runs.drain(..).collect(),
            cells: self.cells,
            goes_on,
        };
        self.text.clear();
        self.cells = 0;
        line
    }
}

impl Kept {
    /// Writes the line into the history of a grid whose screen is blank.
    fn lay_out(&self, grid: &mut Grid<Cell>) {
        let columns = grid.columns();
        let plain = Cell::default();
        let mut runs = self.runs.iter();
        let mut run = runs.next();
        let mut left = run.map_or(u16::MAX, |run| run.chars);
        let mut at = 0;
        for c in self.text.chars() {
            if left == 0 {
                run = runs.next();
                left = run.map_or(u16::MAX, |run| run.chars);
            }
            if run.is_some() {
                left -= 1;
            }
            let like = run.map_or(&plain, |run| &run.like);
            let width = c.width().unwrap_or(1).clamp(1, 2);
            if at + width > columns {
                let row = &mut grid[Line(0)];
                if at < columns {
                    row[Column(at)]
                        .flags
                        .insert(Flags::LEADING_WIDE_CHAR_SPACER);
                }
                row[Column(columns - 1)].flags.insert(Flags::WRAPLINE);
                next_row(grid);
                at = 0;
            }
            let row = &mut grid[Line(0)];
            row[Column(at)] = Cell { c, ..like.clone() };
            if width == 2 {
                row[Column(at)].flags.insert(Flags::WIDE_CHAR);
                row[Column(at + 1)] = Cell {
                    extra: None,
                    ..like.clone()
                };
                row[Column(at + 1)].flags.insert(Flags::WIDE_CHAR_SPACER);
            }
            at += width;
        }
        if self.goes_on && at == columns {
            grid[Line(0)][Column(columns - 1)]
                .flags
                .insert(Flags::WRAPLINE);
        }
        next_row(grid);
    }
}

/// Moves the screen's first line into the history.
fn next_row(grid: &mut Grid<Cell>) {
    let lines = i32::try_from(grid.screen_lines()).unwrap_or(1);
    grid.scroll_up(&(Line(0)..Line(lines)), 1);
}

#[cfg(test)]
#[path = "tests/attic.rs"]
mod tests;
