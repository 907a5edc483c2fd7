//! Moving in the palette: among what is offered, through lines of before, and on in a word.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Below, Palette, complete, view};
use crate::tui::model::Model;
use crate::tui::popup::{Step, rows};

impl Palette {
    /// Completes the last word as far as that is clear, and takes the next word that is offered when it is not.
    pub(super) fn complete(&mut self, model: &Model) -> Vec<Step> {
        let line = self.input.value().to_string();
        let completion = complete::complete(&line, &self.commands, model);
        let word = &line[completion.from..];
        let common = complete::in_common(&completion.words);
        let grown = match completion.words.as_slice() {
            [(only, _)] => format!("{only} "),
            _ if common.len() > word.len() => common.to_string(),
            _ => {
                if let Below::Words(completion, at) = &mut self.below {
                    let count = completion.words.len();
                    *at = (count > 0).then(|| at.map_or(0, |at| (at + 1) % count));
                }
                return Vec::new();
            }
        };
        self.set(format!("{}{grown}", &line[..completion.from]), model)
    }

    /// Puts an older or a newer line into this one.
    fn recall(&mut self, older: bool, model: &Model) -> Vec<Step> {
        let last = self.lines.len().checked_sub(1);
        let to = match (self.recalled, older) {
            (None, true) => last,
            (None, false) => return Vec::new(),
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < self.lines.len()),
        };
        let line = to
            .and_then(|at| self.lines.get(at))
            .cloned()
            .unwrap_or_default();
        let steps = self.set(line, model);
        self.recalled = to;
        steps
    }

    /// Moves among what is below the line. Up and Down go through the lines of before where none is begun.
    pub(super) fn moved(&mut self, key: KeyEvent, model: &Model) -> Option<Vec<Step>> {
        let is_begun = !self.input.value().is_empty() && self.recalled.is_none();
        match key.code {
            KeyCode::Up if !is_begun => return Some(self.recall(true, model)),
            KeyCode::Down if self.recalled.is_some() => return Some(self.recall(false, model)),
            // They move in the line.
            KeyCode::Home | KeyCode::End => return None,
            KeyCode::Char('d' | 'u' | 'k') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return None;
            }
            _ => {}
        }
        let page = view::page(model);
        match &mut self.below {
            Below::Offers(offers, at) => *at = rows::moved(key, *at, offers.len(), page)?,
            Below::Words(completion, at) => {
                let count = completion.words.len();
                let to = match (*at, key.code) {
                    (None, KeyCode::Down) => 0,
                    (Some(0), KeyCode::Up) => {
                        *at = None;
                        return Some(Vec::new());
                    }
                    (now, _) => rows::moved(key, now.unwrap_or(0), count, page)?,
                };
                *at = (count > 0).then_some(to);
            }
        }
        Some(self.preview())
    }
}
