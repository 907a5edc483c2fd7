//! The line in which a pattern is typed.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use super::pattern::Pattern;

/// The longest pattern, in characters.
const LONGEST: usize = 1000;

/// What a pattern is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    Filter,
}

/// What comes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// It goes on.
    More,
    /// It was given up.
    Nothing,
    /// This is wanted; what is empty ends what there was.
    Text(String),
}

/// A pattern that is being typed.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub purpose: Purpose,
    input: Input,
    pattern: Option<Pattern>,
    /// How far back in what was typed before.
    back: usize,
}

impl Prompt {
    pub fn new(purpose: Purpose) -> Prompt {
        Prompt {
            purpose,
            input: Input::default(),
            pattern: None,
            back: 0,
        }
    }

    /// The pattern as far as it has been typed, if that is one.
    pub fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    pub fn sign(&self) -> char {
        match self.purpose {
            Purpose::Search => '/',
            Purpose::Filter => '&',
        }
    }

    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// In which column of the text the cursor is, and how many are out of sight in a line of that width.
    pub fn column(&self, width: usize) -> (usize, usize) {
        (self.input.visual_cursor(), self.input.visual_scroll(width))
    }

    /// Takes a key. `before` is what was typed earlier, the last thing last.
    pub fn key(&mut self, key: KeyEvent, before: &[String]) -> Typed {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Typed::Text(self.input.value().to_owned()),
            KeyCode::Esc => return Typed::Nothing,
            KeyCode::Char('c' | 'g') if is_control => return Typed::Nothing,
            KeyCode::Backspace if self.input.value().is_empty() => return Typed::Nothing,
            KeyCode::Up => self.recall(self.back + 1, before),
            KeyCode::Down => self.recall(self.back.saturating_sub(1), before),
            _ => {
                self.input.handle_event(&Event::Key(key));
            }
        }
        self.typed();
        Typed::More
    }

    /// Takes text that was pasted: a line of it.
    pub fn paste(&mut self, text: &str) {
        let line = text.lines().next().unwrap_or_default();
        for letter in line.chars().filter(|letter| !letter.is_control()) {
            self.input.handle(InputRequest::InsertChar(letter));
        }
        self.typed();
    }

    fn recall(&mut self, back: usize, before: &[String]) {
        let back = back.min(before.len());
        let text = match back {
            0 => String::new(),
            back => before[before.len() - back].clone(),
        };
        self.back = back;
        self.input = Input::new(text);
    }

    fn typed(&mut self) {
        if let Some((end, _)) = self.input.value().char_indices().nth(LONGEST) {
            self.input = Input::new(self.input.value()[..end].to_owned());
        }
        let text = self.input.value();
        self.pattern = match (text.is_empty(), self.purpose) {
            (true, _) => None,
            (false, Purpose::Search) => Pattern::new(text),
            (false, Purpose::Filter) => Pattern::filter(text),
        };
    }
}
