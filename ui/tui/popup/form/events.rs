//! What keys and the mouse do to a form.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::backend::crossterm::EventHandler;

use super::field::{Field, Kind};
use super::parts::Hit;
use super::{Focus, Form};
use crate::tui::model::Model;
use crate::tui::popup::{Popup, Step};

/// Forms of so few fields are done with by Enter in the last.
const SHORT: usize = 3;

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
                Some(Hit::Button(0)) if self.is_leaving => return vec![Step::Close],
                Some(Hit::Button(_)) if self.is_leaving => {
                    self.is_leaving = false;
                    Vec::new()
                }
                Some(Hit::Button(0)) => self.submit(),
                Some(Hit::Button(_)) => self.leave(),
                Some(Hit::Field(number, column)) => {
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
