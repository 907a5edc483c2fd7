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
mod events;
mod field;
mod files;
mod image;
mod network;
mod parts;
mod ports;
mod rename;
mod snapshot;
mod volume;

use super::dialog::Button;
use super::{Popup, Step};
use crate::tui::model::Model;
use content::{Content, Fields, Reading, Wrong};
use field::{Field, Values};

pub(crate) use attach::{attach, attach_to_some, detach};
pub(crate) use deploy::deploy;
pub(super) use files::expanded;
pub(crate) use image::{build, prune, pull};
pub(crate) use network::create_network;
pub(crate) use ports::{expose, unexpose};
pub(crate) use rename::{rename_machine, rename_volume};
pub(crate) use snapshot::{delete_snapshot, fork, restore, take_snapshot};
pub(crate) use volume::{create_volume, resize_volume};

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
    fn open(content: impl Content + 'static, fields: Fields, model: &Model) -> Box<dyn Popup> {
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
        self.offer = 0;
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

    /// Takes the next offer, or the one before; at first the one that is told of first.
    fn pick(&mut self, by: isize) {
        let Some(last) = self.offers.len().checked_sub(1) else {
            return;
        };
        self.offer = match self.is_picked {
            true => self.offer.saturating_add_signed(by).min(last),
            false => 0,
        };
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
}
