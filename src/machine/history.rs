//! Writing down what was done: who asked does not matter, every front end comes through here.

use std::time::Instant;

use super::{Machines, Rooms};
use crate::error::Result;
use crate::store;
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
        self.0.write_history(target, action, name, begun, failure);
    }
}

impl Rooms {
    /// Writes down what was done to a `machine`, a `volume` or a `network`, or by a `daemon`. History that cannot be written stops
    /// nothing.
    pub(super) fn note_history(
        &self,
        target: &str,
        action: &str,
        name: &Name,
        begun: Instant,
        outcome: &Result<()>,
    ) {
        let failure = outcome.as_ref().err();
        self.write_history(target, action, name.as_str(), begun, failure);
    }

    fn write_history(
        &self,
        target: &str,
        action: &str,
        name: &str,
        begun: Instant,
        failure: Option<&crate::error::Error>,
    ) {
        let took = begun.elapsed();
        let row = HistoryRow {
            id: 0,
            at: store::ago(took),
            action: action.into(),
            target: target.into(),
            name: name.to_string(),
            duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            ok: failure.is_none(),
            error: failure.map(ToString::to_string),
        };
        if let Err(error) = self.store.add_history(&row) {
            tracing::warn!(%error, "history was not written");
        }
    }
}
