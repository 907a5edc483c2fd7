//! What the owner may want to know of the workspace.

use std::time::Instant;

use super::super::layout::PaneId;
use super::super::session::{Machine, MachineState, State};
use super::{Mode, Pane, Typing, Workspace};

impl Workspace {
    /// Whether there is no pane.
    pub(crate) fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// How many panes there are.
    pub(crate) fn count(&self) -> usize {
        self.panes.len()
    }

    /// Whether a bell has rung that nobody saw.
    pub(crate) fn has_alert(&self) -> bool {
        self.panes.values().any(|pane| pane.bell)
    }

    /// Names of the machines with shells that would end with the console, once for each shell.
    pub(crate) fn live_panes(&self) -> Vec<String> {
        let live = |pane: &&Pane| pane.state() == State::Live;
        let live = self.panes.values().filter(live);
        live.map(|pane| pane.machine.name.clone()).collect()
    }

    /// A pane in this machine, the focused one before others.
    pub(crate) fn pane_in(&self, machine: &str) -> Option<PaneId> {
        let is_in = |id: &PaneId| {
            self.panes
                .get(id)
                .is_some_and(|pane| pane.machine.id == machine)
        };
        let focused = self.layout.focus().filter(is_in);
        focused.or_else(|| self.layout.panes().into_iter().find(is_in))
    }

    /// The machine of the pane that has the keys.
    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.focused().map(|pane| &pane.machine)
    }

    /// How keys are taken now.
    pub(crate) fn typing(&self) -> Typing {
        match &self.mode {
            Mode::Typing => match self.layout.tab() {
                Some(tab) if tab.broadcast => Typing::Broadcast,
                _ if self.focused().is_some_and(Pane::takes_keys) => Typing::Guest,
                _ if self.machine().is_some_and(Machine::is_gone) => Typing::Gone,
                _ => Typing::Nobody,
            },
            Mode::Prefix(_) => Typing::Prefix,
            Mode::Copy(_) => Typing::Copy,
            Mode::Resize => Typing::Resize,
            Mode::Rename(_) => Typing::Line,
            Mode::Confirm(_) => Typing::Asked,
        }
    }

    /// Since when the key behind the prefix is waited for. After [`PATIENCE`] the owner shows what it may be.
    pub(crate) fn pending_prefix(&self) -> Option<Instant> {
        match self.mode {
            Mode::Prefix(since) => Some(since),
            _ => None,
        }
    }

    /// Whether something that is seen waits, so that the spinner turns.
    pub(crate) fn spins(&self) -> bool {
        let placed = self.layout.placed(self.body());
        let waits = |pane: &Pane| match pane.state() {
            State::Connecting => true,
            State::Waiting => matches!(
                pane.machine.state,
                MachineState::Starting | MachineState::Running
            ),
            _ => false,
        };
        let mut seen = placed.panes.iter().filter_map(|(id, _)| self.panes.get(id));
        self.shown && seen.any(waits)
    }
}
