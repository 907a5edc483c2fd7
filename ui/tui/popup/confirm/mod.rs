//! The question before something ends or is lost. Enter alone never does harm: the button that it presses at first is
//! the one that does nothing, and where much would be lost its name has to be typed.

mod draw;
mod many;
mod words;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use super::dialog;
use super::{Popup, Step};
use crate::tui::model::Model;
use crate::tui::task::Task;
use words::{Asking, asking};

const KEEP: &str = "keep the disk";

/// The question before tasks that are done together, if there is one to ask.
pub(crate) fn for_tasks(tasks: Vec<Task>, model: &Model) -> Option<Box<dyn Popup>> {
    let asking = asking(&tasks, model)?;
    let focus = match asking.typed {
        Some(_) => Focus::Input,
        None => Focus::Cancel,
    };
    Some(Box::new(Question {
        tasks,
        asking,
        input: Input::default(),
        focus,
        is_refused: false,
    }))
}

/// The question.
#[derive(Debug)]
struct Question {
    tasks: Vec<Task>,
    asking: Asking,
    input: Input,
    focus: Focus,
    /// Whether what was typed was not what has to be typed.
    is_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Input,
    Keep,
    Cancel,
    Go,
}

impl Question {
    fn keeps(&self) -> bool {
        let keeps = |task: &Task| {
            matches!(
                task,
                Task::Delete {
                    keep_storage: true,
                    ..
                }
            )
        };
        self.tasks.iter().all(keeps)
    }

    fn toggle_keep(&mut self, model: &Model) {
        let keep = !self.keeps();
        for task in &mut self.tasks {
            if let Task::Delete { keep_storage, .. } = task {
                *keep_storage = keep;
            }
        }
        self.refresh(model);
    }

    fn stops(&self) -> Vec<Focus> {
        let mut stops = Vec::new();
        stops.extend(self.asking.typed.is_some().then_some(Focus::Input));
        stops.extend(self.asking.can_keep.then_some(Focus::Keep));
        stops.extend([Focus::Cancel, Focus::Go]);
        stops
    }

    fn step(&mut self, by: isize) {
        let stops = self.stops();
        let at = stops
            .iter()
            .position(|stop| *stop == self.focus)
            .unwrap_or(0) as isize;
        self.focus = stops[(at + by).rem_euclid(stops.len() as isize) as usize];
    }

    /// Does it, if it may be done.
    fn go(&mut self) -> Vec<Step> {
        if let Some(typed) = &self.asking.typed
            && self.input.value().trim() != typed
        {
            self.is_refused = true;
            self.focus = Focus::Input;
            return Vec::new();
        }
        let tasks = std::mem::take(&mut self.tasks);
        [Step::Close]
            .into_iter()
            .chain(tasks.into_iter().map(Step::Do))
            .collect()
    }

    fn press(&mut self, focus: Focus, model: &Model) -> Vec<Step> {
        match focus {
            Focus::Input | Focus::Go => self.go(),
            Focus::Keep => {
                self.toggle_keep(model);
                Vec::new()
            }
            Focus::Cancel => vec![Step::Close],
        }
    }

    /// Whether letters go into the field. Where a number is to be typed, only digits do.
    fn takes(&self, letter: char) -> bool {
        let digits = self
            .asking
            .typed
            .as_ref()
            .is_some_and(|typed| typed.bytes().all(|b| b.is_ascii_digit()));
        self.focus == Focus::Input && (!digits || letter.is_ascii_digit())
    }
}

impl Popup for Question {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let plain = !key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => return vec![Step::Close],
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return vec![Step::Close];
            }
            KeyCode::Enter => return self.press(self.focus, model),
            KeyCode::Tab | KeyCode::Down => self.step(1),
            KeyCode::BackTab | KeyCode::Up => self.step(-1),
            KeyCode::Char(letter) if plain && self.takes(letter) => {
                self.is_refused = false;
                self.input.handle(InputRequest::InsertChar(letter));
            }
            KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l')
                if self.focus != Focus::Input =>
            {
                self.focus = match self.focus {
                    Focus::Cancel => Focus::Go,
                    _ => Focus::Cancel,
                };
            }
            KeyCode::Char(' ') if plain => return self.press(self.focus, model),
            KeyCode::Char('k') if plain && self.asking.can_keep => self.toggle_keep(model),
            KeyCode::Char('y' | 'Y') if plain => return self.go(),
            KeyCode::Char('n' | 'N' | 'q') if plain => return vec![Step::Close],
            _ if self.focus == Focus::Input => {
                self.is_refused = false;
                self.input.handle_event(&Event::Key(key));
            }
            _ => {}
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str, _model: &Model) -> Vec<Step> {
        if self.focus == Focus::Input {
            for letter in text.trim().chars().filter(|letter| !letter.is_control()) {
                self.input.handle(InputRequest::InsertChar(letter));
            }
        }
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        if event.kind != MouseEventKind::Down(MouseButton::Left) {
            return Vec::new();
        }
        let at = Position::new(event.column, event.row);
        let parts = self.parts(Rect::new(0, 0, model.size.0, model.size.1));
        match dialog::button_at(parts.buttons, &self.buttons(), at) {
            Some(0) => return vec![Step::Close],
            Some(_) => return self.go(),
            None if parts.keep.contains(at) => self.toggle_keep(model),
            None if parts.input.contains(at) => self.focus = Focus::Input,
            None => {}
        }
        Vec::new()
    }

    /// What is lost may have changed meanwhile.
    fn refresh(&mut self, model: &Model) {
        if let Some(asking) = asking(&self.tasks, model) {
            self.asking = asking;
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        self.draw_in(model, area, buffer)
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        let mut keys = match self.asking.typed {
            Some(_) => vec![("enter", "do it"), ("esc", "cancel")],
            None => vec![("y", "do it"), ("n", "cancel")],
        };
        if self.asking.can_keep {
            keys.push(("k", KEEP));
        }
        keys.push(("tab", "next"));
        keys
    }
}
