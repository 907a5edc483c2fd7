//! Typing what is searched for, or what lines are kept.

use crossterm::event::KeyEvent;
use ratatui::layout::Size;

use super::action::LogRequest;
use super::prompt::{Purpose, Typed};
use super::view::LogView;

impl LogView {
    /// Whether something is being typed, so that keys are for [`LogView::input_key`].
    pub(crate) fn has_input(&self) -> bool {
        self.prompt.is_some()
    }

    /// Takes a key while something is being typed.
    pub(crate) fn input_key(&mut self, key: KeyEvent, size: Size) -> Vec<LogRequest> {
        let Some(prompt) = &mut self.prompt else {
            return Vec::new();
        };
        let purpose = prompt.purpose;
        match prompt.key(key, &self.typed) {
            Typed::More => {}
            Typed::Nothing => self.prompt = None,
            Typed::Text(text) => {
                self.prompt = None;
                match purpose {
                    Purpose::Search => self.search(&text),
                    Purpose::Filter => self.filter(&text),
                }
            }
        }
        self.refresh(size)
    }

    /// Takes text that was pasted while something is being typed.
    pub(crate) fn paste(&mut self, text: &str, size: Size) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
            let _ = self.refresh(size);
        }
    }
}
