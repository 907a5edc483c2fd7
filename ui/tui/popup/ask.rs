//! A plain question, with what is done when the answer is yes; or something to be read.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::dialog::{self, Button};
use super::{Popup, Step};
use crate::tui::model::Model;

/// Columns that it takes, where there are so many.
const WIDTH: u16 = 60;

/// The question.
#[derive(Debug)]
pub(crate) struct Ask {
    title: String,
    says: String,
    /// What the button says that does it; none where there is nothing to do.
    go: Option<&'static str>,
    /// Done when the answer is yes.
    steps: Vec<Step>,
    /// Whether the focus is on the button that does it.
    is_on_go: bool,
}

impl Ask {
    pub(crate) fn new(
        title: impl Into<String>,
        says: impl Into<String>,
        go: &'static str,
        steps: Vec<Step>,
    ) -> Ask {
        Ask {
            title: title.into(),
            says: says.into(),
            go: Some(go),
            steps,
            is_on_go: false,
        }
    }

    /// Says something, which is closed again.
    pub(crate) fn tell(title: impl Into<String>, says: impl Into<String>) -> Ask {
        Ask {
            title: title.into(),
            says: says.into(),
            go: None,
            steps: Vec::new(),
            is_on_go: false,
        }
    }

    fn buttons(&self) -> Vec<Button> {
        match self.go {
            Some(go) => vec![Button::new("Cancel"), Button::danger(go)],
            None => vec![Button::new("Close")],
        }
    }

    fn go(&mut self) -> Vec<Step> {
        let mut steps = vec![Step::Close];
        steps.append(&mut self.steps);
        steps
    }

    /// The frame, the lines of text, and the line of buttons.
    fn parts(&self, area: Rect) -> (Rect, Vec<String>, Rect) {
        let width = dialog::inside(dialog::centred(area, WIDTH, area.height)).width;
        let lines = dialog::wrapped(&self.says, usize::from(width));
        let height = u16::try_from(lines.len())
            .unwrap_or(u16::MAX)
            .saturating_add(4);
        let frame = dialog::centred(area, WIDTH, height);
        let inside = dialog::inside(frame);
        let buttons = Rect {
            y: inside.bottom().saturating_sub(1),
            height: inside.height.min(1),
            ..inside
        };
        (frame, lines, buttons)
    }
}

impl Popup for Ask {
    fn key(&mut self, key: KeyEvent, _: &Model) -> Vec<Step> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => vec![Step::Close],
            KeyCode::Esc | KeyCode::Char('n' | 'N' | 'q') => vec![Step::Close],
            KeyCode::Char('y' | 'Y') if !control => self.go(),
            KeyCode::Enter | KeyCode::Char(' ') if self.is_on_go => self.go(),
            KeyCode::Enter | KeyCode::Char(' ') => vec![Step::Close],
            KeyCode::Tab
            | KeyCode::BackTab
            | KeyCode::Left
            | KeyCode::Right
            | KeyCode::Char('h' | 'l') => {
                self.is_on_go = !self.is_on_go && self.go.is_some();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        if event.kind != MouseEventKind::Down(MouseButton::Left) {
            return Vec::new();
        }
        let (_, _, buttons) = self.parts(Rect::new(0, 0, model.size.0, model.size.1));
        match dialog::button_at(
            buttons,
            &self.buttons(),
            Position::new(event.column, event.row),
        ) {
            Some(0) => vec![Step::Close],
            Some(_) => self.go(),
            None => Vec::new(),
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let (frame, lines, buttons) = self.parts(area);
        let inside = dialog::frame(model, frame, &self.title, buffer);
        for (line, y) in lines.into_iter().zip(inside.y..buttons.y) {
            let line = Line::styled(line, model.theme.style("popup"));
            line.render(
                Rect {
                    y,
                    height: 1,
                    ..inside
                },
                buffer,
            );
        }
        dialog::draw_buttons(
            model,
            buttons,
            &self.buttons(),
            Some(usize::from(self.is_on_go)),
            buffer,
        );
        None
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match self.go {
            Some(_) => vec![("y", "do it"), ("n", "cancel"), ("tab", "next")],
            None => vec![("esc", "close")],
        }
    }
}
