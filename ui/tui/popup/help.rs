//! The keys for here and now, out of the table of actions: what is done in this place, then what is done anywhere.

mod sections;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::dialog::{centred, frame, inside, wrapped};
use super::{Popup, Step, rows};
use crate::tui::model::Model;
use sections::{Entry, joined, sections};

/// How wide the box is where there is room, and its column of keys.
const WIDTH: u16 = 76;
const KEYS_WIDTH: usize = 17;

/// Help, as far as it is scrolled, and what is looked for in it.
#[derive(Debug, Default)]
pub(crate) struct Help {
    top: usize,
    filter: Input,
    is_typing: bool,
}

/// A line as it is drawn.
enum Drawn {
    Title(String),
    Entry(String, String),
    Blank,
}

impl Help {
    fn shows(&self, entry: &Entry) -> bool {
        let wanted = self.filter.value().to_lowercase();
        let text = format!("{} {} {}", entry.text, entry.id, entry.keys.join(" ")).to_lowercase();
        wanted.split_whitespace().all(|word| text.contains(word))
    }

    fn lines(&self, model: &Model, width: usize) -> Vec<Drawn> {
        let keys_width = KEYS_WIDTH.min(width / 3);
        let mut lines = Vec::new();
        for section in sections(model) {
            let shown: Vec<&Entry> = section
                .entries
                .iter()
                .filter(|entry| self.shows(entry))
                .collect();
            if shown.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push(Drawn::Blank);
            }
            lines.push(Drawn::Title(section.title));
            for entry in shown {
                let mut keys = joined(&entry.keys, keys_width);
                for text in wrapped(&entry.text, width.saturating_sub(keys_width + 2)) {
                    lines.push(Drawn::Entry(std::mem::take(&mut keys), text));
                }
            }
        }
        lines
    }

    fn place(area: Rect) -> Rect {
        centred(
            area,
            WIDTH.min(area.width),
            area.height.saturating_sub(2).max(area.height.min(10)),
        )
    }

    /// The line of the filter, and the lines of help.
    fn parts(&self, area: Rect) -> (Rect, Rect) {
        let inner = inside(Help::place(area));
        let filter = u16::from(self.is_typing || !self.filter.value().is_empty());
        let filter = filter.min(inner.height);
        let line = Rect {
            height: filter,
            ..inner
        };
        let rest = Rect {
            y: inner.y + filter,
            height: inner.height - filter,
            ..inner
        };
        (line, rest)
    }

    fn scroll(&mut self, model: &Model, to: usize) {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let (_, rest) = self.parts(area);
        let count = self.lines(model, text_width(rest)).len();
        self.top = to.min(count.saturating_sub(usize::from(rest.height)));
    }

    fn typed(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter | KeyCode::Down => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.reset();
            }
            KeyCode::Backspace if self.filter.value().is_empty() => self.is_typing = false,
            _ => drop(self.filter.handle_event(&Event::Key(key))),
        }
        self.top = 0;
    }
}

/// What is left of a line beside what shows how much more there is.
fn text_width(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(2))
}

impl Popup for Help {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        if self.is_typing {
            self.typed(key);
            return Vec::new();
        }
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let page = usize::from(self.parts(area).1.height).max(2);
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let top = self.top;
        let to = match key.code {
            KeyCode::Char('d') if is_control => top + page / 2,
            KeyCode::Char('u') if is_control => top.saturating_sub(page / 2),
            KeyCode::Char('f') if is_control => top + page - 1,
            KeyCode::Char('b') if is_control => top.saturating_sub(page - 1),
            KeyCode::Char('c') if is_control => return vec![Step::Close],
            KeyCode::Char('j') | KeyCode::Down => top + 1,
            KeyCode::Char('k') | KeyCode::Up => top.saturating_sub(1),
            KeyCode::Char(' ') | KeyCode::PageDown => top + page - 1,
            KeyCode::PageUp => top.saturating_sub(page - 1),
            KeyCode::Char('g') | KeyCode::Home => 0,
            KeyCode::Char('G') | KeyCode::End => usize::MAX,
            KeyCode::Char('/') => {
                self.is_typing = true;
                return Vec::new();
            }
            KeyCode::Esc if !self.filter.value().is_empty() => {
                self.filter.reset();
                0
            }
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?') | KeyCode::F(1) => {
                return vec![Step::Close];
            }
            _ => return Vec::new(),
        };
        self.scroll(model, to);
        Vec::new()
    }

    fn paste(&mut self, text: &str, _: &Model) -> Vec<Step> {
        if self.is_typing {
            for letter in text.chars().filter(|letter| !letter.is_control()) {
                self.filter
                    .handle(tui_input::InputRequest::InsertChar(letter));
            }
            self.top = 0;
        }
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        match event.kind {
            MouseEventKind::ScrollDown => self.scroll(model, self.top + 3),
            MouseEventKind::ScrollUp => self.scroll(model, self.top.saturating_sub(3)),
            MouseEventKind::Down(_)
                if !Help::place(area).contains(Position::new(event.column, event.row)) =>
            {
                return vec![Step::Close];
            }
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        frame(model, Help::place(area), "Keys", buffer);
        let (line, rest) = self.parts(area);
        let theme = &model.theme;
        let mut cursor = None;
        if line.height > 0 {
            let room = usize::from(line.width.saturating_sub(2));
            let scroll = self.filter.visual_scroll(room);
            let text: String = self.filter.value().chars().skip(scroll).collect();
            let spans = [
                Span::styled("/", theme.style("key")),
                Span::styled(text, theme.style("input")),
            ];
            Line::from(spans.to_vec()).render(line, buffer);
            let behind = self.filter.visual_cursor().max(scroll) - scroll;
            let behind = u16::try_from(behind).unwrap_or(0);
            cursor = self
                .is_typing
                .then(|| Position::new(line.x + 1 + behind, line.y));
        }
        let width = text_width(rest);
        let lines = self.lines(model, width);
        let height = usize::from(rest.height);
        // The screen may have become larger since.
        let top = self.top.min(lines.len().saturating_sub(height));
        let keys_width = KEYS_WIDTH.min(width / 3);
        for (drawn, y) in lines.iter().skip(top).take(height).zip(rest.y..) {
            let place = Rect {
                y,
                height: 1,
                ..rest
            };
            match drawn {
                Drawn::Title(title) => {
                    Line::from(Span::styled(title.as_str(), theme.style("title")))
                        .render(place, buffer);
                }
                Drawn::Entry(keys, text) => {
                    let keys = format!("{keys:keys_width$}  ");
                    let spans = [
                        Span::styled(keys, theme.style("key")),
                        Span::raw(text.as_str()),
                    ];
                    Line::from(spans.to_vec()).render(place, buffer);
                }
                Drawn::Blank => {}
            }
        }
        if lines.is_empty() {
            let none = Span::styled("nothing like that", theme.style("text.dim"));
            Line::from(none).render(rest, buffer);
        }
        rows::thumb(model, rest, lines.len(), top, buffer);
        cursor
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match self.is_typing {
            true => vec![("Enter", "look at them"), ("Esc", "all again")],
            false => vec![
                ("Esc", "close"),
                ("/", "filter"),
                ("j k", "scroll"),
                ("g G", "ends"),
            ],
        }
    }
}
