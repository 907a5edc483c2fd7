//! The palette: anything by its name, or by the command that does it.
//!
//! A line that begins with a command (`machine stop web`) is read by the command line's own parser; any other is sought in
//! the names of actions, things and themes.

mod command;
mod complete;
mod fitting;
mod moves;
mod offers;
#[cfg(test)]
mod tests;
mod view;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use super::rows;
use super::themes;
use super::{Popup, Step};
use crate::cli;
use crate::tui::model::Model;
use command::Refusal;
use complete::Completion;
use offers::{Offer, What};

/// What is below the line.
#[derive(Debug)]
enum Below {
    /// What fits, and which of it is chosen.
    Offers(Vec<Offer>, usize),
    /// What may follow in a command, and what of it is chosen, if anything is.
    Words(Completion, Option<usize>),
}

/// The palette.
#[derive(Debug)]
pub(crate) struct Palette {
    input: Input,
    commands: clap::Command,
    all: Vec<Offer>,
    below: Below,
    /// Why the line was not done.
    refusal: Option<Refusal>,
    /// Lines of before, the newest last, and which of them is in the line.
    lines: Vec<String>,
    recalled: Option<usize>,
    /// The theme as it was, and whether another is shown.
    theme: String,
    is_previewing: bool,
}

impl Palette {
    pub(crate) fn new(model: &Model) -> Palette {
        Palette::with(model, &themes::names())
    }

    fn with(model: &Model, themes: &[String]) -> Palette {
        let mut palette = Palette {
            input: Input::default(),
            commands: cli::command(),
            all: offers::all(model, themes),
            below: Below::Offers(Vec::new(), 0),
            refusal: None,
            lines: model.remembered.palette.clone(),
            recalled: None,
            theme: model.settings.theme.clone(),
            is_previewing: false,
        };
        palette.seek(model);
        palette
    }

    /// Finds out anew what fits the line.
    fn seek(&mut self, model: &Model) {
        let line = self.input.value();
        self.refusal = None;
        self.below = match complete::is_command(line, &self.commands) {
            true => Below::Words(complete::complete(line, &self.commands, model), None),
            false => Below::Offers(fitting::fitting(line, &self.all, &self.lines, model), 0),
        };
    }

    fn set(&mut self, line: String, model: &Model) -> Vec<Step> {
        self.input = Input::new(line);
        self.seek(model);
        self.preview()
    }

    /// Shows the theme that is chosen, or the one that was there before.
    fn preview(&mut self) -> Vec<Step> {
        let chosen = match &self.below {
            Below::Offers(offers, at) => offers.get(*at),
            Below::Words(..) => None,
        };
        // Whoever looks for a theme sees it; whoever looks for something else is not blinded.
        let line = self.input.value().trim().to_lowercase();
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_sought =
            |name: &str| line.len() > 2 && ("theme".starts_with(first) || name.starts_with(&line));
        match chosen.map(|offer| &offer.what) {
            Some(What::Theme(name)) if is_sought(name) => {
                self.is_previewing = true;
                vec![Step::Preview(name.clone())]
            }
            _ => self.end_preview(),
        }
    }

    fn end_preview(&mut self) -> Vec<Step> {
        match std::mem::take(&mut self.is_previewing) {
            true => vec![Step::Preview(self.theme.clone())],
            false => Vec::new(),
        }
    }

    fn close(&mut self) -> Vec<Step> {
        let mut steps = self.end_preview();
        steps.push(Step::Close);
        steps
    }

    /// Does what is chosen, or else what the line says.
    fn go(&mut self, model: &Model) -> Vec<Step> {
        match &self.below {
            Below::Words(completion, Some(at)) => {
                let Some((word, _)) = completion.words.get(*at) else {
                    return Vec::new();
                };
                let line = format!("{}{word} ", &self.input.value()[..completion.from]);
                self.set(line, model)
            }
            Below::Offers(offers, at) if !offers.is_empty() => {
                let Some(offer) = offers.get(*at).cloned() else {
                    return Vec::new();
                };
                if let Some(why) = offer.why_not(model) {
                    self.refusal = Some(Refusal {
                        message: why,
                        hint: None,
                    });
                    return Vec::new();
                }
                let note = match offer.what {
                    What::Action(_) | What::There(..) => offer.name.clone(),
                    _ => offer.text(),
                };
                let mut steps = vec![Step::Close, Step::Note(note)];
                // The chosen theme is shown already.
                if !matches!(offer.what, What::Theme(_)) {
                    steps.extend(self.end_preview());
                }
                steps.extend(offer.steps());
                steps
            }
            _ if self.input.value().trim().is_empty() => Vec::new(),
            _ => self.command(model),
        }
    }

    fn command(&mut self, model: &Model) -> Vec<Step> {
        let line = self.input.value().trim().to_string();
        match command::steps(&line, model) {
            Ok(wanted) => {
                let mut steps = self.close();
                steps.extend(command::noted(&line).map(Step::Note));
                steps.extend(wanted);
                steps
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                Vec::new()
            }
        }
    }
}

impl Popup for Palette {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return self.close(),
            KeyCode::Char('c' | 'g') if is_control => return self.close(),
            KeyCode::Backspace if self.input.value().is_empty() => return self.close(),
            KeyCode::Enter => return self.go(model),
            KeyCode::Tab => return self.complete(model),
            _ => {}
        }
        if let Some(steps) = self.moved(key, model) {
            return steps;
        }
        let before = self.input.value().to_string();
        self.input.handle_event(&Event::Key(key));
        if self.input.value() == before {
            return Vec::new();
        }
        self.recalled = None;
        self.seek(model);
        self.preview()
    }

    fn paste(&mut self, text: &str, model: &Model) -> Vec<Step> {
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            self.input.handle(InputRequest::InsertChar(letter));
        }
        self.recalled = None;
        self.seek(model);
        self.preview()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let up = KeyEvent::from(KeyCode::Up);
        let down = KeyEvent::from(KeyCode::Down);
        let wheel = |palette: &mut Palette, key| {
            // The wheel never goes through lines of before.
            if let Below::Offers(offers, at) = &mut palette.below {
                *at = rows::moved(key, *at, offers.len(), 2).unwrap_or(*at);
            }
            palette.preview()
        };
        match event.kind {
            MouseEventKind::ScrollUp => wheel(self, up),
            MouseEventKind::ScrollDown => wheel(self, down),
            MouseEventKind::Down(_) => {
                let at = Position::new(event.column, event.row);
                match self.row_at(model, at) {
                    view::Hit::Row(row) => {
                        match &mut self.below {
                            Below::Offers(_, at) => *at = row,
                            Below::Words(_, at) => *at = Some(row),
                        }
                        self.go(model)
                    }
                    view::Hit::Inside => Vec::new(),
                    view::Hit::Outside => self.close(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        Some(self.render(model, area, buffer))
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        match &self.below {
            Below::Words(_, Some(_)) => vec![
                ("Enter", "take the word"),
                ("Tab", "next"),
                ("Esc", "close"),
            ],
            Below::Words(_, None) => {
                vec![("Enter", "do it"), ("Tab", "complete"), ("Esc", "close")]
            }
            Below::Offers(..) => vec![
                ("Enter", "do it"),
                ("Esc", "close"),
                ("Tab", "complete"),
                ("Up", "lines of before"),
            ],
        }
    }
}
