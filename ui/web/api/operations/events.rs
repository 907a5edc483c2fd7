//! What happens in an operation, as it happens: server-sent events (HTML Living Standard, §9.2).
//!
//! | event | data |
//! |---|---|
//! | `step` | `{"step": text}` |
//! | `note` | `{"note": text}` |
//! | `transfer` | a transfer, at most ten times a second |
//! | `done` | the operation; the stream ends |
//! | `resync` | the operation: some of what happened before is no longer known one by one |
//!
//! Each has a number; whoever comes back with it in `Last-Event-ID` gets what came after.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::Stream;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::entry::{Entry, Happening};
use crate::web::api::stream::event;

/// The shortest time between two lots of transfers.
const PAUSE: Duration = Duration::from_millis(100);

struct Listener {
    entry: Arc<Entry>,
    changed: watch::Receiver<u64>,
    stop: CancellationToken,
    /// The number of what was told last.
    told: u64,
    queue: VecDeque<Event>,
    /// Whether the last lot held transfers.
    moved: bool,
    ended: bool,
}

/// What happens after the number `after`, until the operation ends.
pub(super) fn of(
    entry: Arc<Entry>,
    after: u64,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let listener = Listener {
        changed: entry.subscribe(),
        entry,
        stop,
        told: after,
        queue: VecDeque::new(),
        moved: false,
        ended: false,
    };
    futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            if std::mem::take(&mut self.moved) {
                tokio::time::sleep(PAUSE).await;
            }
            self.changed.borrow_and_update();
            self.gather();
            if self.queue.is_empty() {
                tokio::select! {
                    changed = self.changed.changed() => changed.ok()?,
                    // It is cancelled by that, too, and its end is worth waiting for only as long as there is a server.
                    () = self.stop.cancelled() => return None,
                }
            }
        }
    }

    /// Takes what is new into the queue.
    fn gather(&mut self) {
        let (news, missed) = self.entry.since(self.told);
        if missed {
            let number = news.first().map_or(self.told, |(number, _)| number - 1);
            self.queue
                .push_back(event("resync", number, &self.entry.view()));
        }
        for (number, happening) in news {
            let event = match happening {
                Happening::Step(step) => event("step", number, &json!({ "step": step })),
                Happening::Note(note) => event("note", number, &json!({ "note": note })),
                Happening::Transfer(transfer) => {
                    self.moved = true;
                    event("transfer", number, &transfer)
                }
                Happening::Done => {
                    self.ended = true;
                    event("done", number, &self.entry.view())
                }
            };
            self.queue.push_back(event);
            self.told = number;
        }
    }
}
