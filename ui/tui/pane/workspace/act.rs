//! Doing what the table of actions names.

use std::time::Instant;

use tui_input::Input;

use super::super::action::{PaneAction, Place};
use super::super::emulator::{Emulator, Motion};
use super::super::layout::Side;
use super::super::session::State;
use super::{Copy, Mode, Request, Workspace};

/// How far a border moves at one press of a key, in columns and in lines.
const STEP: (u16, u16) = (2, 1);

impl Workspace {
    /// Does something, whoever asks for it.
    pub(crate) fn act(&mut self, action: PaneAction) -> Vec<Request> {
        self.set_mode(Mode::Typing);
        self.carry_out(action);
        self.settle()
    }

    /// Does it; the mode is that of typing, unless the action changes it.
    pub(super) fn carry_out(&mut self, action: PaneAction) {
        use PaneAction as A;
        let body = self.body();
        match action {
            A::Detach => self.requests.push(Request::Leave),
            A::Palette => self.requests.push(Request::Palette),
            A::Help => self.requests.push(Request::Help),
            A::SplitRight | A::SplitBelow | A::NewTab => self.open_same(action),
            A::OtherRight | A::OtherBelow | A::OtherTab => self.open_other(action),
            A::Focus(side) => {
                self.layout.move_focus(side, body);
            }
            A::FocusNext => self.layout.cycle_focus(true),
            A::FocusPrevious => self.layout.cycle_focus(false),
            A::Zoom => self.layout.toggle_zoom(),
            A::NextTab => self.layout.cycle_tab(true),
            A::PreviousTab => self.layout.cycle_tab(false),
            A::Tab(number) => {
                if !self
                    .layout
                    .select_tab(usize::from(number).saturating_sub(1))
                {
                    self.say(format!("there is no tab {number}"));
                }
            }
            A::RenameTab => {
                let tab = self.layout.tab();
                let title = tab.and_then(|tab| tab.title.clone());
                self.mode = Mode::Rename(Input::new(title.unwrap_or_default()));
            }
            A::Resize => match self.layout.tab().is_some_and(|tab| tab.panes().len() > 1) {
                true => self.mode = Mode::Resize,
                false => self.say("there is no border to move: the tab has one pane"),
            },
            A::Broadcast => self.broadcast(),
            A::Arrange => {
                self.layout.arrange_next();
            }
            A::Equalise => self.layout.equalise(),
            A::SwapNext => self.layout.swap(true),
            A::SwapPrevious => self.layout.swap(false),
            A::BreakOut => {
                if !self.layout.break_out() {
                    self.say("the pane has a tab of its own already");
                }
            }
            A::CopyMode => self.copy_mode(|_| {}),
            A::ScrollUp => self.copy_mode(|emulator| emulator.motion(Motion::PageUp)),
            A::Search => {
                self.copy_mode(|_| {});
                if let Mode::Copy(copy) = &mut self.mode {
                    copy.ask(true);
                }
            }
            A::Paste => match self.copied.clone() {
                Some(text) => self.paste_text(&text),
                None => self.say("nothing was copied yet"),
            },
            A::SendPrefix => self.send_prefix(),
            A::Close | A::Leave | A::Reconnect => self.about_shell(action),
            A::Start => self.start(),
        }
    }

    /// Opens another shell in the machine of the focused pane.
    fn open_same(&mut self, action: PaneAction) {
        let place = action.place().unwrap_or(Place::Tab);
        match self.machine().cloned() {
            Some(machine) => self.add(machine, place),
            None => self.requests.push(Request::Choose(place)),
        }
    }

    fn open_other(&mut self, action: PaneAction) {
        let place = action.place().unwrap_or(Place::Tab);
        // Before a machine is chosen in vain.
        let room = match place {
            Place::Split(axis) => self.layout.room(axis, self.body()),
            Place::Tab => Ok(()),
        };
        match room {
            Ok(()) => self.requests.push(Request::Choose(place)),
            Err(no_room) => self.say(no_room.to_string()),
        }
    }

    fn broadcast(&mut self) {
        if let Some(tab) = self.layout.tab_mut() {
            tab.broadcast = !tab.broadcast;
            let (on, count) = (tab.broadcast, tab.panes().len());
            self.say(match on {
                true => format!("what you type goes to all {count} panes of this tab"),
                false => "what you type goes to one pane again".into(),
            });
        }
    }

    /// What ends a shell: asked about first, unless there is none to end or it was asked for with a capital letter.
    fn about_shell(&mut self, action: PaneAction) {
        let Some(pane) = self.layout.focus() else {
            return;
        };
        let live = self
            .focused()
            .is_some_and(|pane| pane.state() == State::Live);
        match (action, self.session()) {
            (PaneAction::Close, _) if live => self.mode = Mode::Confirm(action),
            (PaneAction::Close, _) => self.close(pane),
            (PaneAction::Reconnect, Some(session)) => session.reconnect(),
            (PaneAction::Leave, Some(session)) if live => session.leave(),
            (PaneAction::Leave, _) => self.say("the pane has no shell to end"),
            _ => {}
        }
    }

    /// Does what was asked about.
    pub(super) fn confirmed(&mut self, action: PaneAction) {
        if let (PaneAction::Close, Some(pane)) = (action, self.layout.focus()) {
            self.close(pane);
        }
    }

    pub(super) fn close(&mut self, pane: super::PaneId) {
        self.set_mode(Mode::Typing);
        // Whoever closes panes without a shell goes on with the next of them, and must not type into a shell instead.
        let dead = |id: &super::PaneId| {
            let session = self.panes.get(id).and_then(|pane| pane.session.as_ref());
            session.is_some_and(|session| !session.takes_keys())
        };
        let had_keys = self.layout.focus() == Some(pane);
        let next = match had_keys && dead(&pane) {
            true => self.layout.heirs(pane).into_iter().find(dead),
            false => None,
        };
        self.layout.close(pane);
        self.panes.remove(&pane);
        if let Some(next) = next {
            self.layout.focus_on(next);
        }
        if self.panes.is_empty() {
            self.requests.push(Request::Leave);
        }
    }

    /// Starts the focused pane's machine, if it can be.
    pub(super) fn start(&mut self) {
        use super::super::session::MachineState::{Failed, Stopped};
        let Some(machine) = self.machine() else {
            return;
        };
        let request = match machine.state {
            Stopped | Failed(_) => Request::Start(machine.id.clone()),
            _ => Request::Say(format!("{} is not stopped", machine.name)),
        };
        self.requests.push(request);
    }

    /// Enters copy mode, and does something to the terminal first.
    fn copy_mode(&mut self, first: impl FnOnce(&mut Emulator)) {
        let (Some(pane), Some(session)) = (self.layout.focus(), self.session()) else {
            return;
        };
        let mut emulator = session.emulator();
        emulator.enter_copy_mode();
        first(&mut emulator);
        drop(emulator);
        self.mode = Mode::Copy(Copy::new(pane));
    }

    fn send_prefix(&mut self) {
        self.type_key(&self.keys.prefix.into());
    }

    /// Moves a border while resizing.
    pub(super) fn move_border(&mut self, side: Side) {
        let cells = match side {
            Side::Left | Side::Right => STEP.0,
            Side::Up | Side::Down => STEP.1,
        };
        let body = self.body();
        self.layout.resize(side, cells, body);
    }

    /// Begins to wait for the key behind the prefix.
    pub(super) fn prefix(&mut self, now: Instant) {
        self.set_mode(Mode::Prefix(now));
    }
}
