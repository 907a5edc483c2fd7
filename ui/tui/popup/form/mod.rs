//! Forms: fields that are checked as one types, with what they would do as a command under them.
//!
//! ```text
//! content (what is asked for, what is made of it) ─► Form (focus, keys, mouse, completion) ─► Step::Do(task)
//!                                                     └─ draw
//! ```

mod attach;
mod content;
mod deploy;
mod draw;
mod field;
mod image;
mod network;
mod ports;
mod rename;
mod volume;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::backend::crossterm::EventHandler;

use super::dialog::Button;
use super::{Popup, Step};
use crate::tui::model::Model;
use content::{Content, Fields, Reading, Wrong};
use field::{Field, Kind, Values};

pub(crate) use attach::{attach, attach_to_some, detach};
pub(crate) use deploy::deploy;
pub(crate) use image::{build, prune, pull};
pub(crate) use network::create_network;
pub(crate) use ports::{expose, unexpose};
pub(crate) use rename::{rename_machine, rename_volume};
pub(crate) use volume::{create_volume, resize_volume};

/// Forms of so few fields are done with by Enter in the last.
const SHORT: usize = 3;

/// A form.
#[derive(Debug)]
pub(crate) struct Form {
    content: Box<dyn Content>,
    fields: Fields,
    focus: Focus,
    /// What its fields say by now.
    reading: Reading,
    /// What could be in the field with the focus, and which of that Tab takes.
    offers: Vec<String>,
    offer: usize,
    /// Whether what is typed is one of them already, so that Tab only goes on.
    is_whole: bool,
    /// Whether an offer was picked for a field in which nothing is typed.
    is_picked: bool,
    /// Whether it was tried to be done with: what is missing is told from then on.
    is_tried: bool,
    /// Whether it asks if what was typed may be thrown away.
    is_leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Field(usize),
    Go,
    Cancel,
}

impl Form {
    fn new(content: impl Content + 'static, fields: Fields, model: &Model) -> Box<dyn Popup> {
        let mut form = Form::made(content, fields);
        form.refresh(model);
        Box::new(form)
    }

    fn made(content: impl Content + 'static, fields: Fields) -> Form {
        Form {
            content: Box::new(content),
            fields,
            focus: Focus::Field(0),
            reading: Reading::default(),
            offers: Vec::new(),
            offer: 0,
            is_whole: false,
            is_picked: false,
            is_tried: false,
            is_leaving: false,
        }
    }

    /// The same with the focus in another than the first field.
    fn at(
        key: &str,
        content: impl Content + 'static,
        fields: Fields,
        model: &Model,
    ) -> Box<dyn Popup> {
        let at = fields
            .iter()
            .position(|field| field.key == key)
            .unwrap_or(0);
        let mut form = Form::made(content, fields);
        form.focus = Focus::Field(at);
        form.refresh(model);
        Box::new(form)
    }

    fn values(&self) -> Values<'_> {
        Values(&self.fields)
    }

    /// The fields that are shown, by their places.
    fn shown(&self) -> Vec<usize> {
        let shows = |at: &usize| self.content.shows(self.fields[*at].key, self.values());
        (0..self.fields.len()).filter(shows).collect()
    }

    fn focused(&self) -> Option<&Field> {
        match self.focus {
            Focus::Field(at) => self.fields.get(at),
            Focus::Go | Focus::Cancel => None,
        }
    }

    fn focused_mut(&mut self) -> Option<&mut Field> {
        match self.focus {
            Focus::Field(at) => self.fields.get_mut(at),
            Focus::Go | Focus::Cancel => None,
        }
    }

    fn step(&mut self, by: isize) {
        let fields = self.shown().into_iter().map(Focus::Field);
        let stops: Vec<Focus> = fields.chain([Focus::Go, Focus::Cancel]).collect();
        let at = stops
            .iter()
            .position(|stop| *stop == self.focus)
            .unwrap_or(0) as isize;
        self.focus = stops[(at + by).rem_euclid(stops.len() as isize) as usize];
        self.is_picked = false;
    }

    /// What Tab would put into the field with the focus.
    fn completion(&self) -> Option<&str> {
        let piece = self.focused()?.piece()?;
        let offer = self.offers.get(self.offer)?;
        // A folder may be what was meant, and not a file in it.
        let is_begun = !self.is_whole && !piece.is_empty() && !piece.ends_with('/');
        (self.is_picked || is_begun).then_some(offer.as_str())
    }

    fn complete(&mut self) -> bool {
        let Some(whole) = self.completion().map(str::to_owned) else {
            return false;
        };
        if let Some(field) = self.focused_mut() {
            field.complete(&whole);
        }
        self.is_picked = false;
        true
    }

    /// Takes the next offer, or the one before.
    fn pick(&mut self, by: isize) {
        if self.offers.is_empty() {
            return;
        }
        let is_new = self.completion().is_none();
        let by = if is_new && by > 0 { 0 } else { by };
        self.offer = (self.offer as isize + by).rem_euclid(self.offers.len() as isize) as usize;
        self.is_picked = true;
    }

    /// What is told of a field.
    fn wrong(&self, field: &Field) -> Option<&Wrong> {
        let told = |wrong: &&Wrong| {
            wrong.key == field.key && (self.is_tried || (field.is_touched && !wrong.is_missing))
        };
        self.reading.wrong.iter().find(told)
    }

    /// Does it, if nothing is wrong.
    fn submit(&mut self) -> Vec<Step> {
        let shown = self.shown();
        let wrong = shown.iter().copied().find(|at| {
            let key = self.fields[*at].key;
            self.reading.wrong.iter().any(|wrong| wrong.key == key)
        });
        self.is_tried = true;
        match (wrong, self.reading.task.clone()) {
            (None, Some(task)) => vec![Step::Close, Step::Do(task)],
            (wrong, _) => {
                self.focus = Focus::Field(wrong.or(shown.first().copied()).unwrap_or(0));
                Vec::new()
            }
        }
    }

    fn leave(&mut self) -> Vec<Step> {
        if self.fields.iter().any(|field| field.is_touched) {
            self.is_leaving = true;
            return Vec::new();
        }
        vec![Step::Close]
    }

    fn buttons(&self) -> [Button; 2] {
        match self.is_leaving {
            true => [Button::danger("Yes (y)"), Button::new("No (n)")],
            false => [Button::new(self.content.go()), Button::new("Cancel")],
        }
    }

    /// A key for the field with the focus, or none of the form's.
    fn key_in_field(&mut self, key: KeyEvent) {
        let plain = !key
            .modifiers
            .intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let Some(field) = self.focused_mut() else {
            match key.code {
                KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l') => {
                    self.focus = match self.focus {
                        Focus::Go => Focus::Cancel,
                        _ => Focus::Go,
                    };
                }
                _ => {}
            }
            return;
        };
        match (&mut field.kind, key.code) {
            (Kind::Text { input, .. }, _) => {
                let before = input.value().to_owned();
                input.handle_event(&Event::Key(key));
                if input.value() != before {
                    field.is_touched = true;
                    self.offer = 0;
                    self.is_picked = false;
                }
            }
            (_, KeyCode::Left) => field.turn(-1),
            (_, KeyCode::Right | KeyCode::Char(' ')) => field.turn(1),
            (_, KeyCode::Char(letter)) if plain => field.turn_to(letter),
            _ => {}
        }
    }
}

impl Popup for Form {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        if self.is_leaving {
            self.is_leaving = false;
            return match key.code {
                KeyCode::Char('y' | 'Y') => vec![Step::Close],
                _ => Vec::new(),
            };
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let at_end = self.focused().is_some_and(|field| field.piece().is_some());
        let steps = match key.code {
            KeyCode::Esc => self.leave(),
            KeyCode::Char('c') if control => self.leave(),
            KeyCode::Char('s') if control => self.submit(),
            KeyCode::Char('n') if control => {
                self.pick(1);
                return Vec::new();
            }
            KeyCode::Char('p') if control => {
                self.pick(-1);
                return Vec::new();
            }
            KeyCode::Right if at_end && self.completion().is_some() => {
                self.complete();
                Vec::new()
            }
            KeyCode::Tab => {
                let is_completed = self.complete();
                let in_folder = |field: &Field| field.value().ends_with('/');
                // Into a folder one goes on typing.
                if !(is_completed && self.focused().is_some_and(in_folder)) {
                    self.step(1);
                }
                Vec::new()
            }
            KeyCode::BackTab | KeyCode::Up => {
                self.step(-1);
                Vec::new()
            }
            KeyCode::Down => {
                self.step(1);
                Vec::new()
            }
            KeyCode::Enter => match self.focus {
                Focus::Go => self.submit(),
                Focus::Cancel => self.leave(),
                Focus::Field(at) => {
                    let shown = self.shown();
                    if self.is_picked {
                        self.complete();
                        Vec::new()
                    } else if shown.len() <= SHORT && shown.last() == Some(&at) {
                        self.submit()
                    } else {
                        self.step(1);
                        Vec::new()
                    }
                }
            },
            KeyCode::Char(' ') if self.focus == Focus::Go => self.submit(),
            KeyCode::Char(' ') if self.focus == Focus::Cancel => self.leave(),
            _ => {
                self.key_in_field(key);
                Vec::new()
            }
        };
        self.refresh(model);
        steps
    }

    fn paste(&mut self, text: &str, model: &Model) -> Vec<Step> {
        if let Some(field) = self.focused_mut() {
            field.paste(text);
        }
        self.refresh(model);
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let at = Position::new(event.column, event.row);
        let steps = match event.kind {
            MouseEventKind::ScrollDown if !self.is_leaving => {
                self.step(1);
                Vec::new()
            }
            MouseEventKind::ScrollUp if !self.is_leaving => {
                self.step(-1);
                Vec::new()
            }
            MouseEventKind::Down(MouseButton::Left) => match self.hit(model, area, at) {
                Some(draw::Hit::Button(0)) if self.is_leaving => return vec![Step::Close],
                Some(draw::Hit::Button(_)) if self.is_leaving => {
                    self.is_leaving = false;
                    Vec::new()
                }
                Some(draw::Hit::Button(0)) => self.submit(),
                Some(draw::Hit::Button(_)) => self.leave(),
                Some(draw::Hit::Field(number, column)) => {
                    let is_again = self.focus == Focus::Field(number);
                    self.focus = Focus::Field(number);
                    self.click(number, column, is_again);
                    Vec::new()
                }
                None => Vec::new(),
            },
            _ => return Vec::new(),
        };
        self.refresh(model);
        steps
    }

    /// Reads the fields anew, also when the world has changed.
    fn refresh(&mut self, model: &Model) {
        self.reading = self.content.read(self.values(), model);
        if let Focus::Field(at) = self.focus
            && !self.shown().contains(&at)
        {
            self.focus = Focus::Field(self.shown().first().copied().unwrap_or(0));
        }
        let piece = self
            .focused()
            .and_then(|field| Some((field.key, field.piece()?.to_owned())));
        self.offers.clear();
        self.is_whole = false;
        if let Some((key, piece)) = piece {
            let mut offers = self.content.offers(key, &piece, self.values(), model);
            let all = offers.len();
            offers.retain(|offer| *offer != piece);
            self.is_whole = offers.len() < all;
            self.offers = offers;
        }
        if self.offer >= self.offers.len() {
            self.offer = 0;
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        self.draw_in(model, area, buffer)
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        if self.is_leaving {
            return vec![("y", "throw away"), ("n", "go on")];
        }
        let mut keys = vec![("ctrl-s", "do it"), ("esc", "cancel"), ("tab", "next")];
        match self.focused().map(|field| &field.kind) {
            Some(Kind::Choice { .. } | Kind::Toggle { .. }) => keys.push(("space", "change")),
            Some(Kind::Text { .. }) if !self.offers.is_empty() => keys.push(("ctrl-n", "choose")),
            _ => {}
        }
        keys.push(("shift-tab", "back"));
        keys
    }
}

impl Form {
    /// A click on what is in a field: puts the cursor there, or changes it.
    fn click(&mut self, number: usize, column: usize, is_again: bool) {
        let Some(field) = self.fields.get_mut(number) else {
            return;
        };
        match &mut field.kind {
            Kind::Text { input, .. } => {
                // As far as the letters are one column wide, which names and paths are.
                input.handle(tui_input::InputRequest::SetCursor(column));
            }
            Kind::Toggle { .. } => field.turn(1),
            Kind::Choice { .. } if is_again || column == 0 => {
                field.turn(if column == 0 { -1 } else { 1 });
            }
            Kind::Choice { .. } => {}
        }
    }
}
