//! What is typed: to guests, behind the prefix, and where there is no shell.

use std::time::Instant;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;

use super::super::action::PaneAction;
use super::super::layout::{PaneId, Side};
use super::super::session::{MachineState, State};
use super::{Mode, Request, Workspace};

/// The longest name of a tab, in characters.
const LONGEST_TITLE: usize = 40;

impl Workspace {
    /// A key was pressed, held or let go.
    pub(crate) fn key(&mut self, key: KeyEvent, now: Instant) -> Vec<Request> {
        if key.kind == KeyEventKind::Release {
            // Some guests want to know; nobody else does.
            if matches!(self.mode, Mode::Typing) && !self.keys.is_prefix(&key) {
                self.type_key(&key);
            }
            return self.settle();
        }
        match std::mem::take(&mut self.mode) {
            Mode::Typing if self.keys.is_prefix(&key) => self.prefix(now),
            Mode::Typing => self.typed(&key),
            Mode::Prefix(_) if self.keys.is_prefix(&key) => self.carry_out(PaneAction::SendPrefix),
            Mode::Prefix(since) if is_modifier(&key) => self.mode = Mode::Prefix(since),
            Mode::Prefix(_) => match self.keys.action(&key) {
                Some(action) => self.carry_out(action),
                // The prefix is taken back.
                None if key.code == KeyCode::Esc => {}
                None => self.say("no such key behind the prefix; ? there shows those that are"),
            },
            Mode::Copy(copy) => self.copy_key(copy, &key, now),
            Mode::Resize => self.resize_key(&key),
            Mode::Rename(input) => self.rename_key(input, &key),
            Mode::Confirm(action) => match key.code {
                KeyCode::Char('y' | 'Y') => self.confirmed(action),
                _ if is_modifier(&key) => self.mode = Mode::Confirm(action),
                _ => {}
            },
        }
        self.settle()
    }

    /// Text was pasted into the user's terminal.
    pub(crate) fn paste(&mut self, text: &str) -> Vec<Request> {
        match &mut self.mode {
            Mode::Rename(input) => insert(input, text),
            Mode::Copy(copy) if copy.prompt.is_some() => {
                if let Some(prompt) = &mut copy.prompt {
                    insert(&mut prompt.input, text);
                }
            }
            Mode::Confirm(_) => {}
            _ => {
                self.set_mode(Mode::Typing);
                self.paste_text(text);
            }
        }
        self.settle()
    }

    pub(super) fn paste_text(&mut self, text: &str) {
        let mut refused = None;
        for session in self.receivers() {
            let bytes = session.emulator().paste(text);
            refused = session.paste(bytes).err().or(refused);
        }
        if let Some(too_much) = refused {
            self.say(too_much.to_string());
        }
    }

    /// Who gets what is typed.
    fn receivers(&self) -> Vec<&super::Session> {
        let Some(tab) = self.layout.tab() else {
            return Vec::new();
        };
        let panes: Vec<PaneId> = match tab.broadcast {
            true => tab.panes(),
            false => vec![tab.focus()],
        };
        let panes = panes.iter().filter_map(|pane| self.panes.get(pane));
        panes.filter_map(|pane| pane.session.as_ref()).collect()
    }

    /// Sends a key to whoever is to get it.
    pub(super) fn type_key(&self, key: &KeyEvent) {
        let interrupts = key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL;
        for session in self.receivers() {
            if session.takes_keys() {
                if interrupts {
                    // Whoever interrupts does not want to wait for the rest of a long paste.
                    session.cut_pastes();
                }
                let bytes = session.emulator().key(key);
                session.send(&bytes);
            }
        }
    }

    fn typed(&mut self, key: &KeyEvent) {
        if let Some(session) = self.session()
            && !is_modifier(key)
        {
            session.emulator().clear_selection();
        }
        match self.focused().map(super::Pane::state) {
            Some(State::Live) => self.type_key(key),
            // What is typed ahead waits for the shell.
            Some(State::Connecting) if key.code != KeyCode::Esc => self.type_key(key),
            _ => self.key_of_dead(key),
        }
    }

    /// A key for a pane that has no shell.
    fn key_of_dead(&mut self, key: &KeyEvent) {
        if !key.modifiers.difference(KeyModifiers::SHIFT).is_empty() {
            return;
        }
        match (key.code, self.layout.focus(), self.session()) {
            (KeyCode::Esc | KeyCode::Char('q'), ..) => self.requests.push(Request::Leave),
            (KeyCode::Char('x'), Some(pane), _) => self.close(pane),
            (KeyCode::Char('s'), ..) => {
                let stopped = |machine: &super::Machine| {
                    matches!(
                        machine.state,
                        MachineState::Stopped | MachineState::Failed(_)
                    )
                };
                if self.machine().is_some_and(stopped) {
                    self.start();
                }
            }
            (KeyCode::Enter, _, Some(session)) => session.reconnect(),
            (KeyCode::PageUp, _, Some(session)) => session.emulator().scroll_page_up(),
            (KeyCode::PageDown, _, Some(session)) => session.emulator().scroll_page_down(),
            (KeyCode::Up, _, Some(session)) => session.emulator().scroll(1),
            (KeyCode::Down, _, Some(session)) => session.emulator().scroll(-1),
            _ => {}
        }
    }

    fn resize_key(&mut self, key: &KeyEvent) {
        match key.code {
            KeyCode::Char('h' | 'H') | KeyCode::Left => self.move_border(Side::Left),
            KeyCode::Char('j' | 'J') | KeyCode::Down => self.move_border(Side::Down),
            KeyCode::Char('k' | 'K') | KeyCode::Up => self.move_border(Side::Up),
            KeyCode::Char('l' | 'L') | KeyCode::Right => self.move_border(Side::Right),
            KeyCode::Char('=') => self.layout.equalise(),
            KeyCode::Enter | KeyCode::Esc | KeyCode::Char('q') => return,
            _ if self.keys.is_prefix(key) => return,
            _ => {}
        }
        self.mode = Mode::Resize;
    }

    fn rename_key(&mut self, mut input: tui_input::Input, key: &KeyEvent) {
        match key.code {
            KeyCode::Esc => {}
            KeyCode::Enter => {
                let title = input.value().trim();
                let title: String = title.chars().take(LONGEST_TITLE).collect();
                if let Some(tab) = self.layout.tab_mut() {
                    tab.title = (!title.is_empty()).then_some(title);
                }
            }
            _ => {
                edit(&mut input, key);
                self.mode = Mode::Rename(input);
            }
        }
    }
}

/// Lets a key edit a line.
pub(super) fn edit(input: &mut tui_input::Input, key: &KeyEvent) {
    if let Some(request) = to_input_request(&Event::Key(*key)) {
        input.handle(request);
    }
}

/// Puts text where the cursor of a line is, without what is no text.
fn insert(input: &mut tui_input::Input, text: &str) {
    for char in text.chars().filter(|char| !char.is_control()) {
        input.handle(tui_input::InputRequest::InsertChar(char));
    }
}

/// Whether it is Shift or the like alone, of which some terminals tell.
pub(super) fn is_modifier(key: &KeyEvent) -> bool {
    matches!(
        key.code,
        KeyCode::Modifier(_) | KeyCode::CapsLock | KeyCode::NumLock
    )
}
