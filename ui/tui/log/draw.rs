//! Drawing a log.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use sistemo::value::ByteSize;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::look::LogLook;
use super::moves::SIGNS;
use super::prompt::{Prompt, Purpose};
use super::status;
use super::view::LogView;
use super::window::{Drawn, Row};

impl LogView {
    /// Draws the log as it was when it was last brought up to date, the status line last.
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer, look: &LogLook) {
        let area = area.intersection(*buffer.area());
        if area.is_empty() {
            return;
        }
        buffer.set_style(area, look.text);
        let rows = Rect {
            height: area.height - 1,
            ..area
        };
        for (row, y) in self.window.rows.iter().zip(rows.rows()) {
            self.draw_row(row, y, buffer, look);
        }
        if self.window.rows.is_empty() {
            self.draw_nothing(rows, buffer, look);
        }
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        match &self.prompt {
            Some(prompt) => draw_prompt(prompt, bottom, buffer, look),
            None => self.draw_status(bottom, buffer, look),
        }
    }

    fn draw_row(&self, row: &Row, area: Rect, buffer: &mut Buffer, look: &LogLook) {
        let line = &self.window.lines[row.line];
        let is_here = self.here == Some(line.at);
        let is_marked = self
            .marked()
            .is_some_and(|(from, to)| (from..=to).contains(&line.at));
        let mut base = look.text;
        if is_marked {
            base = base.patch(look.marked);
        }
        if is_here {
            base = base.patch(look.cursor);
        }
        buffer.set_style(area, base);
        self.draw_signs(row, area, buffer, (base, is_here, is_marked), look);
        let (left, width) = (area.left(), usize::from(area.width));
        if let Some(Some(time)) = self.stamps.get(row.line).filter(|_| row.part == 0) {
            let style = base.patch(look.time);
            let width = width.saturating_sub(SIGNS);
            buffer.set_stringn(left + SIGNS as u16, area.y, time, width, style);
        }
        let lead = u16::try_from(self.lead())
            .unwrap_or(u16::MAX)
            .min(area.width);
        let text = Rect {
            x: area.x + lead,
            width: area.width - lead,
            ..area
        };
        if line.left_out > 0 {
            let (dots, size) = (look.ellipsis(), ByteSize::bytes(line.left_out));
            let said = format!("{dots} {size} of the log left out here {dots}");
            let style = base.patch(look.dim);
            buffer.set_stringn(text.x, text.y, said, usize::from(text.width), style);
            return;
        }
        let found = if is_here { look.found_here } else { look.found };
        let goes_on = !self.wraps && row.range.end < line.shown.text.len();
        let room = Rect {
            width: text.width.saturating_sub(u16::from(goes_on)),
            ..text
        };
        draw_text(line, row, room, buffer, (base, found), look);
        if goes_on && text.width > 0 {
            buffer.set_stringn(text.right() - 1, text.y, ">", 1, base.patch(look.dim));
        }
    }

    /// The signs before a line: where the cursor is or what is marked, and what is an error or begins farther left.
    fn draw_signs(
        &self,
        row: &Row,
        area: Rect,
        buffer: &mut Buffer,
        (base, is_here, is_marked): (Style, bool, bool),
        look: &LogLook,
    ) {
        let line = &self.window.lines[row.line];
        let own = match (is_here, is_marked) {
            (true, _) => Some((look.cursor_sign(), base)),
            (_, true) => Some((look.mark_sign(), base)),
            _ => None,
        };
        let other = if line.is_error && row.part == 0 {
            Some(("!", base.patch(look.error)))
        } else if !self.wraps && row.range.start > 0 {
            Some(("<", base.patch(look.dim)))
        } else {
            None
        };
        for ((sign, style), x) in own.into_iter().chain(other).zip(area.left()..area.right()) {
            buffer.set_stringn(x, area.y, sign, 1, style);
        }
    }

    fn draw_nothing(&self, area: Rect, buffer: &mut Buffer, look: &LogLook) {
        let patterns = self.pages.patterns();
        let text = match (&patterns.filter, self.position.shown) {
            (Some(filter), Some((_, true))) if self.position.is_there => {
                format!("no line is kept by &{}", filter.text)
            }
            (Some(_), _) if self.position.is_there => format!("filtering{}", look.ellipsis()),
            _ => "nothing has been written yet".into(),
        };
        let width = text.width().min(usize::from(area.width));
        let left = (usize::from(area.width) - width) / 2;
        let x = area.x + u16::try_from(left).unwrap_or(0);
        if area.height > 0 {
            buffer.set_stringn(x, area.y + area.height / 2, text, width, look.dim);
        }
    }

    fn draw_status(&self, area: Rect, buffer: &mut Buffer, look: &LogLook) {
        buffer.set_style(area, look.bar);
        let (separator, width) = (look.separator(), usize::from(area.width).saturating_sub(2));
        let remarks = self.remarks(look.ellipsis());
        let remarks = status::fit(remarks, separator.width(), width);
        let mut x = area.x + 1;
        for (index, remark) in remarks.iter().enumerate() {
            let room = |x: u16| usize::from(area.right().saturating_sub(x + 1));
            if index > 0 {
                x = buffer
                    .set_stringn(x, area.y, separator, room(x), look.bar)
                    .0;
            }
            let style = match remark.is_strong {
                true => look.bar.patch(look.bar_strong),
                false => look.bar,
            };
            let text = cut(&remark.text, room(x), look.ellipsis());
            x = buffer.set_stringn(x, area.y, text, room(x), style).0;
        }
    }

    /// Where the terminal's cursor belongs while something is typed.
    pub(crate) fn cursor_place(&self, area: Rect) -> Option<Position> {
        let prompt = self.prompt.as_ref()?;
        let width = usize::from(area.width.checked_sub(2)?).max(1);
        let (column, hidden) = prompt.column(width);
        let x = u16::try_from(column.saturating_sub(hidden)).ok()?;
        Some(Position {
            x: (area.x + 1 + x).min(area.right().saturating_sub(1)),
            y: area.bottom().checked_sub(1)?,
        })
    }
}

/// Draws what a row shows of its line. `styles` are that of its text, and that of what is looked for.
fn draw_text(
    line: &Drawn,
    row: &Row,
    area: Rect,
    buffer: &mut Buffer,
    styles: (Style, Style),
    look: &LogLook,
) {
    let shown = &line.shown;
    let is_found = |at: usize| {
        let index = line
            .found
            .partition_point(|found: &Range<usize>| found.end <= at);
        line.found.get(index).is_some_and(|found| found.start <= at)
    };
    let mut x = usize::from(area.x) + row.empty;
    for (index, grapheme) in shown.text[row.range.clone()].grapheme_indices(true) {
        let (at, width) = (row.range.start + index, grapheme.width());
        if x + width > usize::from(area.right()) {
            break;
        }
        let mut style = styles.0.patch(look.fit(shown.style(at)));
        if at >= shown.rest {
            style = styles.0.patch(look.dim);
        } else if is_found(at) {
            style = style.patch(styles.1);
        }
        if width > 0 {
            let place = (u16::try_from(x).unwrap_or(u16::MAX), area.y);
            buffer.set_stringn(place.0, place.1, grapheme, width, style);
        }
        x += width;
    }
}

fn draw_prompt(prompt: &Prompt, area: Rect, buffer: &mut Buffer, look: &LogLook) {
    buffer.set_style(area, look.input);
    let mut sign = [0; 4];
    let sign = prompt.sign().encode_utf8(&mut sign);
    buffer.set_stringn(area.x, area.y, sign, usize::from(area.width), look.input);
    let room = usize::from(area.width).saturating_sub(2);
    let (_, mut hidden) = prompt.column(room.max(1));
    let text = prompt.text().graphemes(true).skip_while(|grapheme| {
        let is_hidden = hidden > 0;
        hidden = hidden.saturating_sub(grapheme.width());
        is_hidden
    });
    let text: String = text.collect();
    let (x, _) = buffer.set_stringn(area.x + 1, area.y, &text, room, look.input);
    let hint = match (prompt.text().is_empty(), prompt.purpose) {
        (true, Purpose::Search) => "a regular expression; empty ends the search",
        (true, Purpose::Filter) => "keeps lines that have it, !… those without; empty: all",
        _ if prompt.pattern().is_some_and(|pattern| pattern.is_literal) => {
            "no regular expression: taken as it stands"
        }
        _ => "",
    };
    let hint = match look.ascii {
        true => hint.replace('…', "..."),
        false => hint.into(),
    };
    let left = usize::from(area.right().saturating_sub(x));
    if hint.width() + 2 <= left {
        let x = area.right() - u16::try_from(hint.width()).unwrap_or(0) - 1;
        buffer.set_stringn(x, area.y, hint, left, look.input.patch(look.dim));
    }
}

/// A text in so many cells, with a sign at its end if it is longer.
fn cut(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.into();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut used = 0;
    let fits = text.graphemes(true).take_while(|grapheme| {
        used += grapheme.width();
        used <= room
    });
    fits.collect::<String>() + ellipsis
}
