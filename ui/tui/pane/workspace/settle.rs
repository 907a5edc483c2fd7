//! One pane, and how everything is made to agree with the layout.

use ratatui::layout::Rect;

use super::super::session::{Machine, Session, State};
use super::said::Had;
use super::{Request, Workspace};

/// One pane.
pub(in super::super) struct Pane {
    pub machine: Machine,
    /// From when it is first seen on.
    pub session: Option<Session>,
    /// Whether a bell has rung that nobody saw.
    pub bell: bool,
    /// What the guest has had of the user.
    pub(super) had: Had,
    /// Whether the guest was told that it has the keys.
    pub focused: bool,
}

impl Workspace {
    /// Makes everything agree with the layout: sizes, who is seen, who has the keys. Gives what is to be asked for.
    pub(super) fn settle(&mut self) -> Vec<Request> {
        let placed = self.layout.placed(self.body());
        let focus = self.layout.focus();
        for (id, pane) in &mut self.panes {
            let place = placed
                .of(*id)
                .map(content)
                .filter(|place| !place.is_empty());
            let seen = self.shown && place.is_some();
            if let Some(place) = place.filter(|_| self.shown) {
                let size = (place.width, place.height);
                match &pane.session {
                    Some(session) => session.resize(size),
                    None => {
                        let (transport, notify) = (self.transport.clone(), self.notify.clone());
                        let machine = pane.machine.clone();
                        let session =
                            Session::open(machine, size, self.scrollback, transport, notify);
                        pane.session = Some(session);
                    }
                }
            }
            if let Some(session) = &pane.session {
                session.set_seen(seen);
                let focused = seen && self.attended && focus == Some(*id);
                if focused != std::mem::replace(&mut pane.focused, focused) {
                    let told = session.emulator().focus(focused);
                    session.send(&told);
                }
            }
            pane.bell &= !seen;
        }
        if !self.hand.drags() && self.layout != self.remembered {
            self.remembered = self.layout.clone();
            self.requests.push(Request::Remember);
        }
        std::mem::take(&mut self.requests)
    }
}

impl Pane {
    pub(in super::super) fn new(machine: Machine) -> Pane {
        Pane {
            machine,
            session: None,
            bell: false,
            had: Had::default(),
            focused: false,
        }
    }

    pub(in super::super) fn state(&self) -> State {
        let state = self.session.as_ref().map(Session::state);
        state.unwrap_or(State::Waiting)
    }

    pub(super) fn takes_keys(&self) -> bool {
        self.session.as_ref().is_some_and(Session::takes_keys)
    }
}

/// What a pane's place leaves for its terminal: all but the title line.
pub(in super::super) fn content(place: Rect) -> Rect {
    let title = place.height.min(1);
    Rect {
        y: place.y + title,
        height: place.height - title,
        ..place
    }
}
