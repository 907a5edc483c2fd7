//! Writing down what was done to images by themselves. One that is fetched for a machine is part of its deploy.

use std::time::Instant;

use super::{Error, Images};

impl Images {
    /// Writes down what was done to the image `name`. History that cannot be written stops nothing.
    pub(super) fn note<T>(
        &self,
        action: &str,
        name: &str,
        begun: Instant,
        outcome: &Result<T, Error>,
    ) {
        let error = outcome.as_ref().err().map(Error::noted);
        self.store.note_history("image", action, name, begun, error);
    }
}
