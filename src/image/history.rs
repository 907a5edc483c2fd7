//! Writing down what was done to images by themselves. One that is fetched for a machine is part of its deploy.

use std::time::Instant;

use super::{Error, Images};
use crate::host::user;
use crate::store::history::HistoryRow;

impl Images {
    /// Writes down what was done to the image `name`. History that cannot be written stops nothing.
    pub(super) fn note<T>(
        &self,
        action: &str,
        name: &str,
        begun: Instant,
        outcome: &Result<T, Error>,
    ) {
        let row = HistoryRow::ended(user::name(), ("image", action, name), begun, outcome);
        if let Err(error) = self.store.add_history(&row) {
            tracing::warn!(%error, "history was not written");
        }
    }
}
