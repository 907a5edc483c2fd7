//! Rows to choose from in a box over the screen: moving among them, and drawing those that there is room for.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use crate::tui::model::Model;
use crate::tui::view::text::fitted;

/// One row: a text, and what stands at its right end as far as there is room beside the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    /// Behind the text, dim: why it cannot be done.
    pub(super) note: Option<String>,
    /// At the right end, the one that matters most last.
    pub(super) right: Vec<String>,
    /// Whether it stands back, because it cannot be done.
    pub(super) is_dim: bool,
}

/// How a key moves among rows.
pub(super) fn moved(key: KeyEvent, at: usize, count: usize, page: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    let page = page.max(2) - 1;
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let to = match key.code {
        KeyCode::Char('n' | 'j') if is_control => at + 1,
        KeyCode::Char('p' | 'k') if is_control => at.saturating_sub(1),
        KeyCode::Char('d') if is_control => at + (page / 2).max(1),
        KeyCode::Char('u') if is_control => at.saturating_sub((page / 2).max(1)),
        KeyCode::Down => at + 1,
        KeyCode::Up => at.saturating_sub(1),
        KeyCode::PageDown => at + page,
        KeyCode::PageUp => at.saturating_sub(page),
        KeyCode::Home => 0,
        KeyCode::End => last,
        _ => return None,
    };
    Some(to.min(last))
}

/// The same where nothing is typed, so that letters move, too.
pub(super) fn moved_by_letter(
    key: KeyEvent,
    at: usize,
    count: usize,
    page: usize,
) -> Option<usize> {
    let plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    let code = match key.code {
        KeyCode::Char('j') if plain => KeyCode::Down,
        KeyCode::Char('k') if plain => KeyCode::Up,
        KeyCode::Char('g') if plain => KeyCode::Home,
        KeyCode::Char('G') if plain => KeyCode::End,
        _ => return moved(key, at, count, page),
    };
    moved(KeyEvent::from(code), at, count, page)
}

/// The first row that is shown, so that the one that is chosen is in the middle if there is something on both sides.
pub(super) fn top(at: usize, count: usize, height: usize) -> usize {
    at.saturating_sub(height / 2)
        .min(count.saturating_sub(height))
}

/// Draws rows; the one at `at` is chosen, if it is any. Gives nothing back: which row is where is known by [`top`].
pub(super) fn draw(
    model: &Model,
    area: Rect,
    rows: &[Row],
    at: Option<usize>,
    top: usize,
    buffer: &mut Buffer,
) {
    let height = usize::from(area.height);
    let is_long = rows.len() > height;
    // A column for what shows how much more there is.
    let width = area.width.saturating_sub(u16::from(is_long) * 2);
    let shown = rows.iter().enumerate().skip(top).take(height);
    for ((number, row), y) in shown.zip(area.y..) {
        let place = Rect {
            y,
            width,
            height: 1,
            ..area
        };
        row.draw(model, place, at == Some(number), buffer);
    }
    if is_long {
        thumb(model, area, rows.len(), top, buffer);
    }
}

/// Shows at the right edge which part of so many lines is seen.
pub(super) fn thumb(model: &Model, area: Rect, count: usize, top: usize, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    if count <= height || area.is_empty() {
        return;
    }
    let (glyphs, style) = (model.theme.glyphs(), model.theme.style("border"));
    let length = (height * height / count).max(1);
    let last_top = count - height;
    let first = (height - length) * top.min(last_top) / last_top;
    for (line, y) in (area.y..area.bottom()).enumerate() {
        let sign = match (first..first + length).contains(&line) {
            true => glyphs.scroll_thumb,
            false => glyphs.scroll_track,
        };
        buffer.set_string(area.right() - 1, y, sign, style);
    }
}

impl Row {
    fn draw(&self, model: &Model, place: Rect, is_chosen: bool, buffer: &mut Buffer) {
        let (theme, glyphs) = (&model.theme, model.theme.glyphs());
        let base = match is_chosen {
            true => theme.style("popup.selected"),
            false => theme.style("popup"),
        };
        if is_chosen {
            buffer.set_style(place, base);
        }
        let scoped = |scope: &str| match is_chosen {
            // What is chosen has the colours of what is chosen.
            true => base,
            false => Style {
                bg: base.bg,
                ..theme.style(scope)
            },
        };
        let style = if self.is_dim {
            scoped("text.dim")
        } else {
            base
        };
        let room = usize::from(place.width);
        let sign = if is_chosen { glyphs.selected } else { " " };
        let text = fitted(&self.text, room.saturating_sub(2), glyphs.ellipsis);
        let mut used = 2 + text.width();
        let mut spans = vec![
            Span::styled(sign, base),
            Span::styled(format!(" {text}"), style),
        ];
        if let Some(note) = &self.note
            && used + 2 + note.width() <= room
        {
            used += 2 + note.width();
            spans.push(Span::styled(format!("  {note}"), scoped("text.dim")));
        }
        Line::from(spans).render(place, buffer);
        // From the right, as far as there is room for a whole one.
        let mut end = room;
        for (number, part) in self.right.iter().rev().enumerate() {
            let width = part.width();
            if width == 0 {
                continue;
            }
            if end < used + 2 + width {
                break;
            }
            let scope = if number == 0 { "key" } else { "text.dim" };
            let x = place.x + u16::try_from(end - width).unwrap_or(0);
            buffer.set_string(x, place.y, part, scoped(scope));
            end = end.saturating_sub(width + 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_move_and_stay_among_the_rows() {
        let key = |code| KeyEvent::from(code);
        assert_eq!(moved(key(KeyCode::Down), 0, 3, 10), Some(1));
        assert_eq!(moved(key(KeyCode::Down), 2, 3, 10), Some(2));
        assert_eq!(moved(key(KeyCode::Up), 0, 3, 10), Some(0));
        assert_eq!(moved(key(KeyCode::PageDown), 0, 30, 10), Some(9));
        assert_eq!(moved(key(KeyCode::End), 0, 0, 10), Some(0));
        assert_eq!(moved(key(KeyCode::Char('j')), 0, 3, 10), None);
        assert_eq!(moved_by_letter(key(KeyCode::Char('j')), 0, 3, 10), Some(1));
        assert_eq!(moved_by_letter(key(KeyCode::Char('G')), 0, 3, 10), Some(2));
        let control = KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL);
        assert_eq!(moved(control, 0, 30, 10), Some(4));
    }

    #[test]
    fn the_chosen_row_is_always_shown() {
        for height in 1..12 {
            for count in 1..30 {
                for at in 0..count {
                    let top = top(at, count, height);
                    assert!(
                        (top..top + height).contains(&at),
                        "{at} of {count} in {height}"
                    );
                    assert!(top == 0 || top + height <= count);
                }
            }
        }
    }
}
