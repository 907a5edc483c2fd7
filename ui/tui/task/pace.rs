//! How often the way of a transfer is told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sistemo::event::Event;

/// The least time between two tidings of one transfer. A download tells of every piece that comes.
const OFTEN: Duration = Duration::from_millis(50);

/// Keeps transfers from telling of every piece.
#[derive(Default)]
pub(super) struct Pace(Mutex<HashMap<String, Instant>>);

impl Pace {
    /// Whether the console is told of it. A transfer's first and last word always are.
    pub(super) fn lets_pass(&self, event: &Event) -> bool {
        let Event::Transfer {
            id, done, total, ..
        } = event
        else {
            return true;
        };
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, ended) = (Instant::now(), Some(*done) == *total);
        if !ended && told.get(id).is_some_and(|at| now - *at < OFTEN) {
            return false;
        }
        told.insert(id.clone(), now);
        true
    }
}
