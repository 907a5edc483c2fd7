//! Writing down what was done to images.

use std::time::Instant;

use super::{Error, Images};

impl Images {
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
