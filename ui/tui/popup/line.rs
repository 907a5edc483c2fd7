//! One line to be typed, such as the name of a file.

use std::fmt;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use super::dialog;
use super::field::draw_input;
use super::{Popup, Step};
use crate::tui::model::Model;

/// Columns that it takes, where there are so many.
const WIDTH: u16 = 60;

/// What is made of the line; what is wrong with it otherwise.
type Done = Box<dyn Fn(&str) -> Result<Vec<Step>, String> + Send>;

/// The line.
pub(crate) struct Prompt {
    title: &'static str,
    input: Input,
    wrong: Option<String>,
    done: Done,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl Prompt {
    pub(crate) fn new(
        title: &'static str,
        text: &str,
        done: impl Fn(&str) -> Result<Vec<Step>, String> + Send + 'static,
    ) -> Prompt {
        Prompt {
            title,
            input: Input::new(text.into()),
            wrong: None,
            done: Box::new(done),
        }
    }
}

impl Popup for Prompt {
    fn key(&mut self, key: KeyEvent, _: &Model) -> Vec<Step> {
        match key.code {
            KeyCode::Esc => return vec![Step::Close],
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return vec![Step::Close];
            }
            KeyCode::Enter => match (self.done)(self.input.value().trim()) {
                Ok(steps) => return [Step::Close].into_iter().chain(steps).collect(),
                Err(wrong) => self.wrong = Some(wrong),
            },
            _ => {
                self.wrong = None;
                self.input.handle_event(&Event::Key(key));
            }
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str, _: &Model) -> Vec<Step> {
        for letter in text.trim().chars().filter(|letter| !letter.is_control()) {
            self.input.handle(InputRequest::InsertChar(letter));
        }
        Vec::new()
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let frame = dialog::centred(area, WIDTH, 4);
        let inside = dialog::frame(model, frame, self.title, buffer);
        let line = |y: u16| {
            Rect {
                y,
                height: 1,
                ..inside
            }
            .intersection(inside)
        };
        let (says, scope) = match &self.wrong {
            Some(wrong) => (wrong.as_str(), "input.error"),
            None => ("Enter does it, Esc leaves it", "input.hint"),
        };
        Line::styled(says, model.theme.style(scope)).render(line(inside.y + 1), buffer);
        Some(draw_input(model, &self.input, line(inside.y), buffer))
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("enter", "do it"), ("esc", "cancel")]
    }
}
