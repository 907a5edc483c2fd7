//! The workspace: shells in machines, in tabs and splits. Its parts: what is typed (`keys`), copy mode (`copy`), the mouse
//! (`mouse`), what can be done (`act`), what guests want (`said`); it is drawn by `view`.
//!
//! It asks its owner for what it cannot do itself by [`Request`]s. Panes go on while nobody looks at them.

mod act;
mod ask;
mod copy;
mod keys;
mod mouse;
mod said;
mod settle;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::layout::Rect;
use tui_input::Input;

use super::action::{Keys, PaneAction, Place};
use super::layout::{Layout, PaneId};
use super::session::{Machine, Notify, Session, Transport};

pub(super) use copy::Copy;
use mouse::Hand;
pub(super) use settle::{Pane, content};

/// After so long a wait for the key behind the prefix, what it may be is shown.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// What the owner is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Show the lists again. Shells go on.
    Leave,
    /// Ring the user's bell.
    Bell,
    /// Put text into the clipboard.
    Copy(String),
    /// Tell the user.
    Say(String),
    /// Ask the user for a machine, and call [`Workspace::open`] with it and the place.
    Choose(Place),
    /// Start a machine, by its id.
    Start(String),
    Palette,
    Help,
    /// Write down [`Workspace::to_saved`](super::saved).
    Remember,
}

/// What keys mean now.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// They go to the guest.
    #[default]
    Typing,
    /// The prefix was pressed, at this time.
    Prefix(Instant),
    Copy(Copy),
    Resize,
    /// The tab's new name is being typed.
    Rename(Input),
    /// What is asked about before it is done.
    Confirm(PaneAction),
}

/// What a bar says of how keys are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    /// They go to a guest.
    Guest,
    /// They go to all guests of the tab.
    Broadcast,
    /// There is no shell to take them.
    Nobody,
    Prefix,
    Copy,
    Resize,
    /// A line is being typed.
    Line,
    /// A question waits.
    Asked,
}

/// Shells in machines.
pub(crate) struct Workspace {
    transport: Arc<dyn Transport>,
    notify: Notify,
    /// Lines that panes keep of what has scrolled away.
    scrollback: usize,
    pub(super) layout: Layout,
    pub(super) panes: BTreeMap<PaneId, Pane>,
    next: u32,
    pub(super) mode: Mode,
    keys: Keys,
    /// What was copied last.
    copied: Option<String>,
    hand: Hand,
    area: Rect,
    /// Whether the workspace is what the user sees, and whether the terminal has the user's attention.
    shown: bool,
    attended: bool,
    requests: Vec<Request>,
    /// The layout that was to be remembered last.
    remembered: Layout,
}

impl Workspace {
    pub(crate) fn new(transport: Arc<dyn Transport>, notify: Notify, scrollback: usize) -> Self {
        Workspace {
            transport,
            notify,
            scrollback,
            layout: Layout::default(),
            panes: BTreeMap::new(),
            next: 0,
            mode: Mode::Typing,
            keys: Keys::default(),
            copied: None,
            hand: Hand::default(),
            area: Rect::ZERO,
            shown: false,
            attended: true,
            requests: Vec::new(),
            remembered: Layout::default(),
        }
    }

    /// Gives the prefix and its keys other meanings.
    pub(crate) fn bind(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Opens a shell in a machine. Its pane gets the keys.
    pub(crate) fn open(&mut self, machine: Machine, place: Place) -> Vec<Request> {
        self.add(machine, place);
        self.settle()
    }

    pub(super) fn add(&mut self, machine: Machine, place: Place) {
        let id = self.fresh_id();
        let body = self.body();
        let put = match place {
            Place::Tab => {
                self.layout.open_tab(id);
                Ok(())
            }
            Place::Split(axis) => self.layout.split(id, axis, body),
        };
        match put {
            Ok(()) => {
                self.panes.insert(id, Pane::new(machine));
                self.set_mode(Mode::Typing);
            }
            Err(no_room) => self.say(no_room.to_string()),
        }
    }

    pub(super) fn fresh_id(&mut self) -> PaneId {
        self.next += 1;
        PaneId(self.next)
    }

    /// Gives a pane the keys.
    pub(crate) fn go_to(&mut self, pane: PaneId) -> Vec<Request> {
        self.focus_on(pane);
        self.settle()
    }

    /// Says whether the workspace is what the user sees.
    pub(crate) fn show(&mut self, shown: bool) -> Vec<Request> {
        self.shown = shown;
        if !shown {
            self.set_mode(Mode::Typing);
        }
        self.settle()
    }

    /// Says whether the user's terminal has the keys of the desktop.
    pub(crate) fn attend(&mut self, attended: bool) -> Vec<Request> {
        self.attended = attended;
        self.settle()
    }

    /// Gives the workspace its place on the screen.
    pub(crate) fn resize(&mut self, area: Rect) -> Vec<Request> {
        self.area = area;
        self.settle()
    }

    /// Tells what machines there are: all of them.
    pub(crate) fn machines(&mut self, machines: &[Machine]) -> Vec<Request> {
        for pane in self.panes.values_mut() {
            let known = machines.iter().find(|known| known.id == pane.machine.id);
            let now = known
                .cloned()
                .unwrap_or_else(|| pane.machine.clone().gone());
            pane.machine = now;
            if let Some(session) = &pane.session {
                session.machine_is(&pane.machine);
            }
        }
        self.settle()
    }

    /// The pane that has the keys.
    pub(super) fn focused(&self) -> Option<&Pane> {
        self.panes.get(&self.layout.focus()?)
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.focused()?.session.as_ref()
    }

    /// Where panes are: below the line of tabs, if there is one.
    pub(super) fn body(&self) -> Rect {
        let [_, body] = self.parts(self.area);
        body
    }

    /// The line of tabs, and the rest. One tab without a name needs no line.
    pub(super) fn parts(&self, area: Rect) -> [Rect; 2] {
        let named = |tab: &super::layout::Tab| tab.title.is_some();
        let tabs = self.layout.tabs();
        let line = u16::from(tabs.len() > 1 || tabs.iter().any(named)).min(area.height);
        let top = Rect {
            height: line,
            ..area
        };
        let rest = Rect {
            y: area.y + line,
            height: area.height - line,
            ..area
        };
        [top, rest]
    }

    fn say(&mut self, text: impl Into<String>) {
        self.requests.push(Request::Say(text.into()));
    }

    fn focus_on(&mut self, pane: PaneId) {
        if self.layout.focus() != Some(pane) {
            self.set_mode(Mode::Typing);
        }
        self.layout.focus_on(pane);
    }

    /// Changes what keys mean. Copy mode is left properly.
    fn set_mode(&mut self, mode: Mode) {
        if let Mode::Copy(copy) = std::mem::replace(&mut self.mode, mode)
            && let Some(session) = self
                .panes
                .get(&copy.pane)
                .and_then(|pane| pane.session.as_ref())
        {
            session.emulator().leave_copy_mode();
        }
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace")
            .field("panes", &self.panes.len())
            .finish_non_exhaustive()
    }
}
