//! The choice of a theme: each is shown while one moves over it.

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::dialog::{frame, inside};
use super::rows::{self, Row};
use super::{Popup, Step};
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::theme;

/// The word for the theme that goes by the terminal's background.
pub(crate) const AUTO: &str = "auto";

/// The names of all themes, `auto` first.
pub(crate) fn names() -> Vec<String> {
    let dirs = theme::dirs(&|key| std::env::var(key).ok());
    [AUTO.to_string()]
        .into_iter()
        .chain(theme::names(&dirs))
        .collect()
}

/// The choice.
#[derive(Debug)]
pub(crate) struct Themes {
    names: Vec<String>,
    at: usize,
    /// What it was before, to come back to.
    before: String,
}

impl Themes {
    pub(crate) fn new(model: &Model) -> Themes {
        Themes::of(names(), &model.settings.theme)
    }

    fn of(names: Vec<String>, before: &str) -> Themes {
        Themes {
            at: names.iter().position(|name| name == before).unwrap_or(0),
            names,
            before: before.into(),
        }
    }

    fn go(&mut self, at: usize) -> Vec<Step> {
        if at == self.at {
            return Vec::new();
        }
        self.at = at;
        self.names
            .get(at)
            .map(|name| Step::Preview(name.clone()))
            .into_iter()
            .collect()
    }

    fn take(&self) -> Vec<Step> {
        let chosen = self
            .names
            .get(self.at)
            .map(|name| Step::Effect(Effect::SetTheme(name.clone())));
        [Step::Close].into_iter().chain(chosen).collect()
    }

    /// At the right, so that most of the screen shows the theme.
    fn place(&self, area: Rect) -> Rect {
        let width = 32.min(area.width);
        let wanted = u16::try_from(self.names.len() + 2).unwrap_or(u16::MAX);
        let height = wanted
            .min(area.height.saturating_sub(2).max(3))
            .min(area.height);
        Rect {
            x: area.right() - width,
            y: area.y + (area.height - height) / 2,
            width,
            height,
        }
    }
}

impl Popup for Themes {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let page = usize::from(inside(self.place(area)).height);
        if let Some(at) = rows::moved_by_letter(key, self.at, self.names.len(), page) {
            return self.go(at);
        }
        match key.code {
            KeyCode::Enter => self.take(),
            KeyCode::Esc | KeyCode::Char('q') => {
                vec![Step::Close, Step::Preview(self.before.clone())]
            }
            _ => Vec::new(),
        }
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let inner = inside(self.place(area));
        let last = self.names.len().saturating_sub(1);
        match event.kind {
            MouseEventKind::ScrollDown => self.go((self.at + 1).min(last)),
            MouseEventKind::ScrollUp => self.go(self.at.saturating_sub(1)),
            MouseEventKind::Down(_) if inner.contains(Position::new(event.column, event.row)) => {
                let top = rows::top(self.at, self.names.len(), usize::from(inner.height));
                let row = top + usize::from(event.row - inner.y);
                // The second click takes what the first has shown.
                match row {
                    _ if row == self.at => self.take(),
                    _ if row <= last => self.go(row),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let inner = frame(model, self.place(area), "Theme", buffer);
        let row = |name: &String| Row {
            text: name.clone(),
            right: match name == &self.before {
                true => vec!["now".into()],
                false => Vec::new(),
            },
            ..Row::default()
        };
        let rows: Vec<Row> = self.names.iter().map(row).collect();
        let top = rows::top(self.at, rows.len(), usize::from(inner.height));
        rows::draw(model, inner, &rows, Some(self.at), top, buffer);
        None
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("Enter", "take it"),
            ("Esc", "as it was"),
            ("j k", "look at others"),
        ]
    }
}
