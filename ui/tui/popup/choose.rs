//! The choice of a machine, by typing a part of its name or by moving to it.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use sistemo::store::machines::Status;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::dialog;
use super::field::draw_input;
use super::rows::{self, Row};
use super::{Popup, Step};
use crate::tui::model::Model;
use crate::tui::pane::Place;
use crate::tui::view::text::harmless;

/// Columns and rows that it takes, where there are so many.
const SIZE: (u16, u16) = (48, 16);

/// The choice of the machine in which a shell is opened.
#[derive(Debug)]
pub(crate) struct Choose {
    place: Place,
    input: Input,
    at: usize,
}

impl Choose {
    /// Nothing to choose from is said instead.
    pub(crate) fn new(model: &Model, place: Place) -> Result<Choose, String> {
        let choose = Choose {
            place,
            input: Input::default(),
            at: 0,
        };
        match choose.found(model).is_empty() {
            true => Err("no machine is running".into()),
            false => Ok(choose),
        }
    }

    /// Identifiers and names of those that run and match.
    fn found<'a>(&self, model: &'a Model) -> Vec<(&'a str, &'a str)> {
        let wanted = self.input.value().trim().to_lowercase();
        let machines = model.world.machines.iter();
        let found = machines
            .filter(|machine| machine.status == Status::Running && machine.name.contains(&wanted));
        found
            .map(|machine| (machine.id.as_str(), machine.name.as_str()))
            .collect()
    }

    fn take(&self, model: &Model) -> Vec<Step> {
        match self.found(model).get(self.at) {
            Some((id, _)) => vec![Step::Close, Step::Shell((*id).into(), self.place)],
            None => Vec::new(),
        }
    }

    fn parts(area: Rect) -> (Rect, Rect, Rect) {
        let frame = dialog::centred(area, SIZE.0, SIZE.1);
        let inside = dialog::inside(frame);
        let input = Rect {
            height: inside.height.min(1),
            ..inside
        };
        let list = Rect {
            y: input.bottom(),
            height: inside.height - input.height,
            ..inside
        };
        (frame, input, list)
    }
}

impl Popup for Choose {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let (_, _, list) = Choose::parts(Rect::new(0, 0, model.size.0, model.size.1));
        let count = self.found(model).len();
        if let Some(at) = rows::moved(key, self.at, count, usize::from(list.height)) {
            self.at = at;
            return Vec::new();
        }
        match key.code {
            KeyCode::Esc => vec![Step::Close],
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                vec![Step::Close]
            }
            KeyCode::Enter => self.take(model),
            _ => {
                self.input.handle_event(&Event::Key(key));
                self.at = 0;
                Vec::new()
            }
        }
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let (_, _, list) = Choose::parts(Rect::new(0, 0, model.size.0, model.size.1));
        let at = Position::new(event.column, event.row);
        if event.kind == MouseEventKind::Down(MouseButton::Left) && list.contains(at) {
            let top = rows::top(self.at, self.found(model).len(), usize::from(list.height));
            self.at = top + usize::from(event.row - list.y);
            return self.take(model);
        }
        Vec::new()
    }

    /// Machines may have gone.
    fn refresh(&mut self, model: &Model) {
        self.at = self.at.min(self.found(model).len().saturating_sub(1));
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let (frame, input, list) = Choose::parts(area);
        dialog::frame(model, frame, "A shell in", buffer);
        let found = self.found(model);
        let lines: Vec<Row> = found
            .iter()
            .map(|(_, name)| Row {
                text: harmless(name).into_owned(),
                ..Row::default()
            })
            .collect();
        let top = rows::top(self.at, lines.len(), usize::from(list.height));
        rows::draw(model, list, &lines, Some(self.at), top, buffer);
        Some(draw_input(model, &self.input, input, buffer))
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("enter", "open"), ("esc", "cancel"), ("up/down", "choose")]
    }
}
