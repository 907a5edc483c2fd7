//! The rows of a log that fit on the screen: which lines they show, and what of them.

use std::collections::VecDeque;
use std::ops::Range;

use super::errors;
use super::pages::Pages;
use super::pattern::Pattern;
use super::shown::Shown;

/// What the rows are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// In cells, of the text alone.
    pub width: usize,
    /// In rows.
    pub height: usize,
    pub wraps: bool,
    /// The first column that is to be seen, of lines that are not wrapped.
    pub left: usize,
}

/// A line on the screen.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// Where in the log it begins and ends.
    pub at: u64,
    pub end: u64,
    pub shown: Shown,
    /// Where in its text something is that is looked for.
    pub found: Vec<Range<usize>>,
    pub is_error: bool,
    /// For what stands for what was cut out: how many bytes that is.
    pub left_out: u64,
    /// How many rows it takes.
    pub height: usize,
}

/// A row on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line, by its number on the screen.
    pub line: usize,
    /// Which of the line's rows it is.
    pub part: usize,
    /// What of the text.
    pub range: Range<usize>,
    /// How many cells before it are empty.
    pub empty: usize,
}

/// What is on the screen, from the top.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    pub lines: Vec<Drawn>,
    pub rows: Vec<Row>,
}

impl Window {
    /// The rows from the row `part` of the line at `at` on.
    pub fn down(
        pages: &mut Pages,
        frame: Frame,
        highlight: Option<&Pattern>,
        at: u64,
        part: usize,
    ) -> Window {
        let mut window = Window::default();
        let mut next = Some(at);
        while let Some(at) = next
            && window.rows.len() < frame.height
        {
            let Some((drawn, mut rows)) = draw(pages, frame, highlight, at) else {
                break;
            };
            let line = window.lines.len();
            rows.iter_mut().for_each(|row| row.line = line);
            // A line may have fewer rows than it had.
            let first = if line == 0 {
                part.min(rows.len() - 1)
            } else {
                0
            };
            window.rows.extend(rows.into_iter().skip(first));
            window.lines.push(drawn);
            next = pages.behind(at);
        }
        window.rows.truncate(frame.height);
        window
    }

    /// The rows up to the row `part` of the line at `at`.
    pub fn up(
        pages: &mut Pages,
        frame: Frame,
        highlight: Option<&Pattern>,
        at: u64,
        part: usize,
    ) -> Window {
        let (mut lines, mut rows) = (VecDeque::new(), VecDeque::new());
        let mut next = Some(at);
        while let Some(at) = next
            && rows.len() < frame.height
        {
            let Some((drawn, own)) = draw(pages, frame, highlight, at) else {
                break;
            };
            let count = if lines.is_empty() {
                part.saturating_add(1)
            } else {
                usize::MAX
            };
            for mut row in own.into_iter().take(count).rev() {
                if rows.len() < frame.height {
                    // Counted from the bottom as yet.
                    row.line = lines.len();
                    rows.push_front(row);
                }
            }
            lines.push_front(drawn);
            next = pages.before(at);
        }
        let last = lines.len().saturating_sub(1);
        rows.iter_mut().for_each(|row| row.line = last - row.line);
        Window {
            lines: lines.into(),
            rows: rows.into(),
        }
    }

    /// Where the first row is: its line, and which of its rows.
    pub fn top(&self) -> Option<(u64, usize)> {
        let row = self.rows.first()?;
        Some((self.lines[row.line].at, row.part))
    }

    /// The line that a row is of.
    pub fn line(&self, row: usize) -> Option<&Drawn> {
        self.lines.get(self.rows.get(row)?.line)
    }

    /// How many rows of the line at `at` are to be seen, and how many it has.
    pub fn rows_of(&self, at: u64) -> (usize, usize) {
        let Some(line) = self.lines.iter().position(|line| line.at == at) else {
            return (0, 1);
        };
        let rows = self.rows.iter().filter(|row| row.line == line);
        (rows.count(), self.lines[line].height)
    }

    /// Whether the line at `at` is to be seen: all of it, or if it is too long for that, a part.
    pub fn has(&self, at: u64, height: usize) -> bool {
        let (seen, all) = self.rows_of(at);
        seen > 0 && (seen == all || all > height)
    }

    /// The first row of the line at `at`, or of one behind it.
    pub fn row_of(&self, at: u64) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| self.lines[row.line].at >= at)
    }
}

/// A line and its rows.
fn draw(
    pages: &mut Pages,
    frame: Frame,
    highlight: Option<&Pattern>,
    at: u64,
) -> Option<(Drawn, Vec<Row>)> {
    let found = pages.line(at)?;
    let line = found.line();
    let shown = Shown::new(found.text(), found.style());
    let parts = match frame.wraps {
        true => shown
            .rows(frame.width)
            .into_iter()
            .map(|part| (part, 0))
            .collect(),
        false => vec![shown.part_at(frame.left, frame.width)],
    };
    let rows: Vec<Row> = (parts.into_iter().enumerate())
        .map(|(part, (range, empty))| Row {
            line: 0,
            part,
            range,
            empty,
        })
        .collect();
    let text = &shown.text[..shown.rest];
    let places = |pattern: &Pattern| pattern.places(text);
    let drawn = Drawn {
        at,
        end: line.end,
        found: highlight.map(places).unwrap_or_default(),
        is_error: errors::pattern().is_some_and(|pattern| pattern.is_in(text.as_bytes())),
        left_out: line.left_out,
        height: rows.len(),
        shown,
    };
    Some((drawn, rows))
}
