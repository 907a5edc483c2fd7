//! Copy mode: vi's motions over what a pane shows and has shown, search, selection.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;

use super::super::emulator::{Emulator, Kind, Motion};
use super::super::layout::PaneId;
use super::keys::{edit, is_modifier};
use super::{Mode, Workspace};

/// The most that a number before a motion repeats it.
const MOST: u32 = 100_000;

/// Where copy mode is at.
#[derive(Debug)]
pub(in super::super) struct Copy {
    pub pane: PaneId,
    /// What is searched for is being typed.
    pub prompt: Option<Prompt>,
    /// The number before a motion, as far as it was typed.
    count: Option<u32>,
    /// Whether the first `g` of `g g` was typed.
    g: bool,
    /// Whether the last search went back.
    back: bool,
}

/// A line on which something to search for is typed.
#[derive(Debug)]
pub(in super::super) struct Prompt {
    pub input: Input,
    pub back: bool,
}

/// What a key leads to.
enum Then {
    Stay,
    Leave,
    Yank,
}

impl Copy {
    pub(super) fn new(pane: PaneId) -> Copy {
        Copy {
            pane,
            prompt: None,
            count: None,
            g: false,
            back: false,
        }
    }

    /// Begins to ask for what to search for.
    pub(super) fn ask(&mut self, back: bool) {
        self.prompt = Some(Prompt {
            input: Input::default(),
            back,
        });
    }

    fn key(&mut self, key: &KeyEvent, emulator: &mut Emulator) -> Then {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let digit = match key.code {
            KeyCode::Char(c) if !control => c.to_digit(10),
            _ => None,
        };
        if let Some(digit) = digit.filter(|digit| *digit > 0 || self.count.is_some()) {
            let count = self.count.unwrap_or(0) * 10 + digit;
            self.count = Some(count.min(MOST));
            return Then::Stay;
        }
        let g = std::mem::take(&mut self.g);
        let count = self.count.take();
        let times = count.unwrap_or(1);
        if let Some(motion) = motion(key, g) {
            emulator.motions(motion, times);
            return Then::Stay;
        }
        match key.code {
            KeyCode::Char('g') if !control => {
                self.g = true;
                self.count = count;
            }
            KeyCode::Char('v') if control => emulator.toggle_selection(Kind::Block),
            KeyCode::Char('v') => emulator.toggle_selection(Kind::Simple),
            KeyCode::Char('V') => emulator.toggle_selection(Kind::Line),
            KeyCode::Char('/') => self.ask(false),
            KeyCode::Char('?') => self.ask(true),
            KeyCode::Char('n') if !control => {
                emulator.search_on(self.back, times);
            }
            KeyCode::Char('N') => {
                emulator.search_on(!self.back, times);
            }
            KeyCode::Char('y') if !control => return Then::Yank,
            KeyCode::Enter => return Then::Yank,
            KeyCode::Char('q') => return Then::Leave,
            KeyCode::Char('c') if control => return Then::Leave,
            // As in vi, it first gives up what is selected.
            KeyCode::Esc if emulator.is_selecting() => emulator.clear_selection(),
            KeyCode::Esc => return Then::Leave,
            _ => {}
        }
        Then::Stay
    }
}

impl Workspace {
    pub(super) fn copy_key(&mut self, mut copy: Copy, key: &KeyEvent, now: Instant) {
        let Some(session) = self
            .panes
            .get(&copy.pane)
            .and_then(|pane| pane.session.as_ref())
        else {
            return;
        };
        if is_modifier(key) {
            self.mode = Mode::Copy(copy);
            return;
        }
        if self.keys.is_prefix(key) {
            self.mode = Mode::Copy(copy);
            self.prefix(now);
            return;
        }
        let mut emulator = session.emulator();
        if let Some(prompt) = copy.prompt.take() {
            let said = prompt_key(&mut copy, prompt, key, &mut emulator);
            drop(emulator);
            self.mode = Mode::Copy(copy);
            if let Some(said) = said {
                self.say(said);
            }
            return;
        }
        let then = copy.key(key, &mut emulator);
        let text = match then {
            Then::Yank => emulator.selected_text(),
            _ => None,
        };
        drop(emulator);
        self.mode = Mode::Copy(copy);
        match then {
            Then::Stay => {}
            Then::Leave => self.set_mode(Mode::Typing),
            Then::Yank => {
                self.set_mode(Mode::Typing);
                match text {
                    Some(text) => self.keep_copied(text),
                    None => self.say("nothing was selected: v begins a selection"),
                }
            }
        }
    }

    /// Puts text into the clipboard, and keeps it to be pasted into panes.
    pub(super) fn keep_copied(&mut self, text: String) {
        self.say(format!("{} characters copied", text.chars().count()));
        self.copied = Some(text.clone());
        self.requests.push(super::Request::Copy(text));
    }
}

/// A key for the line on which something to search for is typed; what is to be said.
fn prompt_key(
    copy: &mut Copy,
    mut prompt: Prompt,
    key: &KeyEvent,
    emulator: &mut Emulator,
) -> Option<String> {
    match key.code {
        KeyCode::Esc => emulator.clear_search(),
        KeyCode::Enter => {
            copy.back = prompt.back;
            let text = prompt.input.value();
            if text.is_empty() {
                emulator.search_on(copy.back, 1);
                return None;
            }
            match emulator.set_search(text) {
                Err(error) => return Some(format!("this is no pattern: {}", error.0)),
                Ok(false) => return Some(format!("nothing matches {text}")),
                // It is at the match before the cursor.
                Ok(true) if !copy.back => {
                    emulator.search_next();
                }
                Ok(true) => {}
            }
        }
        _ => {
            edit(&mut prompt.input, key);
            copy.prompt = Some(prompt);
        }
    }
    None
}

/// vi's motions, and the usual keys for them.
fn motion(key: &KeyEvent, g: bool) -> Option<Motion> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return Some(match key.code {
            KeyCode::Char('d') => Motion::HalfPageDown,
            KeyCode::Char('u') => Motion::HalfPageUp,
            KeyCode::Char('f') => Motion::PageDown,
            KeyCode::Char('b') => Motion::PageUp,
            _ => return None,
        });
    }
    Some(match key.code {
        KeyCode::Char('h') | KeyCode::Left | KeyCode::Backspace => Motion::Left,
        KeyCode::Char('j') | KeyCode::Down => Motion::Down,
        KeyCode::Char('k') | KeyCode::Up => Motion::Up,
        KeyCode::Char('l' | ' ') | KeyCode::Right => Motion::Right,
        KeyCode::Char('w') => Motion::Word,
        KeyCode::Char('b') => Motion::WordBack,
        KeyCode::Char('e') => Motion::WordEnd,
        KeyCode::Char('0') | KeyCode::Home => Motion::LineStart,
        KeyCode::Char('^') => Motion::LineText,
        KeyCode::Char('$') | KeyCode::End => Motion::LineEnd,
        KeyCode::Char('g') if g => Motion::Top,
        KeyCode::Char('G') => Motion::Bottom,
        KeyCode::Char('H') => Motion::ScreenTop,
        KeyCode::Char('M') => Motion::ScreenMiddle,
        KeyCode::Char('L') => Motion::ScreenBottom,
        KeyCode::Char('{') => Motion::ParagraphUp,
        KeyCode::Char('}') => Motion::ParagraphDown,
        KeyCode::Char('%') => Motion::Bracket,
        KeyCode::PageUp => Motion::PageUp,
        KeyCode::PageDown => Motion::PageDown,
        _ => return None,
    })
}
