//! What guests want of the user: to ring the bell and to fill the clipboard. A guest may be hostile, so it gets one of each
//! a second, and a pane that nobody sees gets no clipboard at all.

use std::time::{Duration, Instant};

use super::settle::content;
use super::{Request, Workspace};
use crate::tui::pane::session::Session;

/// After a bell or a copy a pane waits for so long before the next.
const PAUSE: Duration = Duration::from_secs(1);

/// What a pane has had of the user.
#[derive(Debug, Default)]
pub(super) struct Had {
    rung: Option<Instant>,
    copied: Option<Instant>,
    /// The copy that comes when the pause is over: the last, since that is what a clipboard holds in the end.
    waiting: Option<String>,
    /// Whether the user was told that the pane wanted to fill the clipboard unseen.
    told: bool,
}

/// Until when a pane that had something then has to wait.
fn pause(last: Option<Instant>, now: Instant) -> Option<Instant> {
    last.map(|last| last + PAUSE).filter(|until| *until > now)
}

impl Workspace {
    /// Takes up what guests have said, and what has become of shells; to be called when notified.
    pub(crate) fn news(&mut self, now: Instant) -> Vec<Request> {
        let placed = self.layout.placed(self.body());
        for (id, pane) in &mut self.panes {
            let Some(said) = pane.session.as_ref().map(Session::take_said) else {
                continue;
            };
            let place = placed.of(*id).map(content);
            let seen = self.shown && place.is_some_and(|place| !place.is_empty());
            if said.bell {
                pane.bell = !seen;
                if pause(pane.had.rung, now).is_none() {
                    pane.had.rung = Some(now);
                    self.requests.push(Request::Bell);
                }
            }
            let name = &pane.machine.name;
            match said.copied {
                Some(text) if seen => {
                    let is_first = pane.had.waiting.replace(text).is_none();
                    if let Some(until) = pause(pane.had.copied, now).filter(|_| is_first) {
                        let notify = self.notify.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep_until(until.into()).await;
                            notify();
                        });
                    }
                }
                Some(_) if !std::mem::replace(&mut pane.had.told, true) => {
                    let said = format!("{name} may not fill the clipboard while nobody sees it");
                    self.requests.push(Request::Say(said));
                }
                _ => {}
            }
            if pause(pane.had.copied, now).is_none()
                && let Some(text) = pane.had.waiting.take()
            {
                pane.had.copied = Some(now);
                let count = text.chars().count();
                let said = format!("{name} has put {count} characters into the clipboard");
                self.requests.push(Request::Copy(text));
                self.requests.push(Request::Say(said));
            }
        }
        self.requests.dedup();
        self.settle()
    }
}
