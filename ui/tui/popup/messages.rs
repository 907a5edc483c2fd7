//! Everything that was said, the newest first, with what there was no room for in the corner.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::dialog::{self, wrapped};
use super::{Popup, Step};
use crate::tui::model::Model;
use crate::tui::view::text::when;
use crate::tui::view::toasts::{harmless_lines, sign};

/// Columns that it takes, where there are so many.
const WIDTH: u16 = 100;

/// All messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The first line that is shown.
    top: usize,
}

fn place(area: Rect) -> Rect {
    dialog::centred(
        area,
        WIDTH.min(area.width.saturating_sub(2)).max(40),
        area.height.saturating_sub(2),
    )
}

/// The lines of all messages: each a few parts with their scopes.
fn lines(model: &Model, width: usize) -> Vec<Vec<(String, &'static str)>> {
    let glyphs = model.theme.glyphs();
    let mut lines = Vec::new();
    for (at, toast) in model.toasts.all.iter().rev() {
        let (sign, word, scope) = sign(toast.kind, glyphs);
        let time = when(&at.to_string(), &model.clock);
        lines.push(vec![
            (format!("{time} "), "text.dim"),
            (format!("{sign} {word}"), scope),
        ]);
        let mut more = |text: &str, scope| {
            let texts = wrapped(&harmless_lines(text), width.saturating_sub(2));
            lines.extend(
                texts
                    .into_iter()
                    .map(|text| vec![(format!("  {text}"), scope)]),
            );
        };
        more(&toast.text, "popup");
        if let Some(hint) = &toast.hint {
            more(&format!("{} {hint}", glyphs.right), "input.hint");
        }
        if let Some(detail) = &toast.detail {
            more(detail, "text.dim");
        }
    }
    lines
}

impl Messages {
    fn scroll(&mut self, by: isize, model: &Model) {
        let inside = dialog::inside(place(Rect::new(0, 0, model.size.0, model.size.1)));
        let count = lines(model, usize::from(inside.width)).len();
        let last = count.saturating_sub(usize::from(inside.height));
        self.top = self.top.saturating_add_signed(by).min(last);
    }
}

impl Popup for Messages {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let page = isize::try_from(model.size.1)
            .unwrap_or(0)
            .saturating_sub(5)
            .max(1);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return vec![Step::Close],
            KeyCode::Char('d') if control => self.scroll(page / 2, model),
            KeyCode::Char('u') if control => self.scroll(-page / 2, model),
            KeyCode::Char('f') if control => self.scroll(page, model),
            KeyCode::Char('b') if control => self.scroll(-page, model),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | 'M' | '-') => {
                return vec![Step::Close];
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1, model),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1, model),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(page, model),
            KeyCode::PageUp => self.scroll(-page, model),
            KeyCode::Home | KeyCode::Char('g') => self.top = 0,
            KeyCode::End | KeyCode::Char('G') => self.scroll(isize::MAX / 2, model),
            _ => {}
        }
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        match event.kind {
            MouseEventKind::ScrollDown => self.scroll(3, model),
            MouseEventKind::ScrollUp => self.scroll(-3, model),
            MouseEventKind::Down(_) => {
                let place = place(Rect::new(0, 0, model.size.0, model.size.1));
                if !place.contains(Position::new(event.column, event.row)) {
                    return vec![Step::Close];
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let place = place(area);
        let inside = dialog::frame(model, place, "What was said", buffer);
        let lines = lines(model, usize::from(inside.width));
        if lines.is_empty() {
            let line = Line::styled("nothing yet", model.theme.style("text.dim"));
            line.render(
                Rect {
                    height: inside.height.min(1),
                    ..inside
                },
                buffer,
            );
        }
        let count = lines.len();
        let last = count.saturating_sub(usize::from(inside.height));
        let top = self.top.min(last);
        for (parts, y) in lines.into_iter().skip(top).zip(inside.y..inside.bottom()) {
            let spans = parts
                .into_iter()
                .map(|(text, scope)| Span::styled(text, model.theme.style(scope)));
            Line::from_iter(spans).render(
                Rect {
                    y,
                    height: 1,
                    ..inside
                },
                buffer,
            );
        }
        let glyphs = model.theme.glyphs();
        let x = place.right().saturating_sub(1);
        let style = model.theme.style("border.focused");
        if top > 0 && inside.height > 0 {
            buffer.set_string(x, inside.y, glyphs.up, style);
        }
        if top < last && inside.height > 0 {
            buffer.set_string(x, inside.bottom() - 1, glyphs.down, style);
        }
        None
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("esc", "close"),
            ("j", "down"),
            ("k", "up"),
            ("g", "newest"),
            ("G", "oldest"),
        ]
    }
}
