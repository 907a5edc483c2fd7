//! Operations: what takes long and goes on while nobody looks.
//!
//! ```text
//!  request ─► Order ─► begin ─► running ─┬─► done
//!              │ (known key: the same)    ├─► failed
//!              └─► 4xx, nothing begun     └─► cancelled   (by DELETE, or by the daemon's end; the engine undoes)
//! ```
//!
//! They live in the daemon's memory: the last [`KEPT`] that have ended are known for an hour. What they did is in the
//! engine's history.

mod begin;
mod entry;
mod events;
mod routes;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) use begin::{Job, Order, begin, value};
pub(super) use entry::{Operation, State};
pub(super) use routes::routes;

use super::problem::{Answer, Problem};
use entry::Entry;

/// How many operations that have ended are known.
const KEPT: usize = 200;
/// How long.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// The most that run at once.
const MOST_RUNNING: usize = 256;

/// All operations of this daemon.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    book: Mutex<Book>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Book {
    /// In the order in which they were begun.
    entries: VecDeque<Arc<Entry>>,
    /// How many have ended, by kind and by how.
    ended: HashMap<(&'static str, State), u64>,
}

impl Operations {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every operation that is known, the latest first.
    fn list(&self) -> Vec<Operation> {
        let mut book = self.book();
        book.forget();
        book.entries
            .iter()
            .rev()
            .map(|entry| entry.view())
            .collect()
    }

    fn find(&self, id: &str) -> Answer<Arc<Entry>> {
        let mut book = self.book();
        book.forget();
        let found = book.entries.iter().find(|entry| entry.id == id);
        found.cloned().ok_or_else(|| {
            let detail = format!("there is no operation {id:?}");
            Problem::new(StatusCode::NOT_FOUND, "not_found", detail).hint(
                "operations are forgotten an hour after their end, and with the daemon; what was done is in the history",
            )
        })
    }

    /// The operation that was begun under this key.
    fn known(&self, order: &Order) -> Answer<Option<Arc<Entry>>> {
        let mut book = self.book();
        book.forget();
        book.known(order)
    }

    /// Writes an operation down; the one that is there already under the same key is given instead, with `false`.
    fn enter(&self, order: Order, stop: &CancellationToken) -> Answer<(Arc<Entry>, bool)> {
        let mut book = self.book();
        book.forget();
        if let Some(known) = book.known(&order)? {
            return Ok((known, false));
        }
        if stop.is_cancelled() {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, "ending", "the daemon is about to end"));
        }
        let running = book.entries.iter().filter(|entry| !entry.has_ended());
        if running.count() >= MOST_RUNNING {
            let detail = format!("{MOST_RUNNING} operations are running already");
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
            return Err(problem.hint("try again once one has ended"));
        }
        let entry = Arc::new(Entry::new(order, stop.child_token()));
        book.entries.push_back(entry.clone());
        Ok((entry, true))
    }

    /// Counts how an operation ended.
    fn count(&self, kind: &'static str, state: State) {
        *self.book().ended.entry((kind, state)).or_default() += 1;
    }

    /// How many have ended, by kind and by how.
    pub(super) fn counts(&self) -> Vec<(&'static str, State, u64)> {
        let book = self.book();
        let counts = book.ended.iter();
        counts
            .map(|((kind, state), count)| (*kind, *state, *count))
            .collect()
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        let book = self.book();
        book.entries
            .iter()
            .filter(|entry| !entry.has_ended())
            .count()
    }

    /// Waits until all that run have ended. Whoever calls has cancelled them by the daemon's token, after which none is
    /// begun.
    pub(crate) async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Book {
    fn known(&self, order: &Order) -> Answer<Option<Arc<Entry>>> {
        let Some(key) = &order.key else {
            return Ok(None);
        };
        let same = |entry: &&Arc<Entry>| entry.order.key.as_ref() == Some(key);
        match self.entries.iter().find(same) {
            Some(entry) if entry.order.print == order.print => Ok(Some(entry.clone())),
            Some(entry) => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                format!(
                    "the Idempotency-Key was used for another request, {}",
                    entry.order.kind
                ),
            )
            .hint("every request that is meant anew has a key of its own")),
            None => Ok(None),
        }
    }

    /// Forgets operations that have ended long ago, and the oldest of too many.
    fn forget(&mut self) {
        self.entries
            .retain(|entry| entry.ended_since().is_none_or(|past| past < KEPT_FOR));
        let ended = self
            .entries
            .iter()
            .filter(|entry| entry.has_ended())
            .count();
        let mut surplus = ended.saturating_sub(KEPT);
        self.entries.retain(|entry| {
            let goes = surplus > 0 && entry.has_ended();
            surplus -= usize::from(goes);
            !goes
        });
    }
}
