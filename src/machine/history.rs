//! Writing down what was done; every front end comes through here.

use std::time::Instant;

use super::{Machines, Rooms};
use crate::error::Result;
use crate::store::history::HistoryRow;
use crate::value::Name;

impl Machines {
    /// The latest `limit` things that were done, newest first; with `machine` those that were done to one of that name,
    /// also if it is gone.
    pub fn history(&self, machine: Option<&str>, limit: u32) -> Result<Vec<HistoryRow>> {
        // An identifier stands for the name of a machine that is there.
        let name = machine.map(|text| match self.0.find(text) {
            Ok(row) => row.name.to_string(),
            Err(_) => text.into(),
        });
        Ok(self.0.store.history(name.as_deref(), limit)?)
    }

    /// Writes down what was done to something that is not the engine's own, such as a `service`.
    pub fn note(
        &self,
        target: &str,
        action: &str,
        name: &str,
        begun: Instant,
        failure: Option<&crate::error::Error>,
    ) {
        let error = failure.map(ToString::to_string);
        self.0
            .store
            .note_history(target, action, name, begun, error);
    }
}

impl Rooms {
    /// Writes down what was done to a `machine`, a `volume` or a `network`, or by a `daemon`.
    pub(super) fn note_history(
        &self,
        target: &str,
        action: &str,
        name: &Name,
        begun: Instant,
        outcome: &Result<()>,
    ) {
        let error = outcome.as_ref().err().map(ToString::to_string);
        self.store
            .note_history(target, action, name.as_str(), begun, error);
    }
}
