//! One operation: what it does, how far it is, and how it ended.
//!
//! Everything that happens gets the next number, so that whoever listens can say how much of it they have. Steps and notes
//! are kept in order; of a transfer only how far it is now.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use sistemo::event::Event;
use sistemo::store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Order;
use crate::web::api::problem::{Answer, Problem};

/// How many steps and notes of one operation are kept.
const MOST_SAID: usize = 1000;
/// How many transfers.
const MOST_TRANSFERS: usize = 256;

/// How an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OperationState)]
pub(crate) enum State {
    Running,
    Done,
    Failed,
    Cancelled,
}

impl State {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

/// Bytes on their way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Transfer {
    /// What is transferred, in words.
    #[schema(example = "layer 1 of 3")]
    pub(super) what: String,
    pub(super) done_bytes: u64,
    /// `null` when it is not known beforehand.
    pub(super) total_bytes: Option<u64>,
}

/// Something that takes long.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Operation {
    /// A UUID.
    pub(crate) id: String,
    /// What is done, such as `machine.deploy`.
    #[schema(example = "machine.deploy")]
    pub(crate) kind: &'static str,
    /// What it is done to, as it was named.
    #[schema(example = "web")]
    pub(crate) target: String,
    pub(crate) state: State,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    /// `null` while it runs.
    #[schema(format = DateTime)]
    pub(crate) ended_at: Option<String>,
    /// Whether it was asked to be taken back; it may end otherwise all the same.
    pub(crate) cancelling: bool,
    /// What is being done now, or was last.
    pub(crate) step: Option<String>,
    pub(crate) transfers: Vec<Transfer>,
    /// What was said on the way.
    pub(crate) notes: Vec<String>,
    /// What came of it: what the command prints with `-o json`. `null` unless it is done.
    pub(crate) result: Option<Value>,
    /// Why it failed, or was taken back.
    pub(crate) problem: Option<Problem>,
}

/// Something that happened in an operation.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Step(String),
    Note(String),
    Transfer(Transfer),
    Done,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) order: Order,
    pub(super) cancel: CancellationToken,
    started_at: String,
    progress: Mutex<Progress>,
    /// The number of what happened last.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Progress {
    number: u64,
    /// Steps and notes.
    said: VecDeque<(u64, Happening)>,
    /// The number of the last one that made room.
    dropped: u64,
    step: Option<String>,
    /// With the number of its last change and the engine's name for it.
    transfers: Vec<(u64, String, Transfer)>,
    end: Option<End>,
}

#[derive(Debug)]
struct End {
    at: String,
    moment: Instant,
    number: u64,
    outcome: Answer<Value>,
}

impl Entry {
    pub(super) fn new(order: Order, cancel: CancellationToken) -> Entry {
        Entry {
            id: uuid::Uuid::new_v4().to_string(),
            order,
            cancel,
            started_at: store::now(),
            progress: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what the engine says.
    pub(super) fn heed(&self, event: Event) {
        let mut progress = self.progress();
        let number = progress.number + 1;
        match event {
            Event::Step { step } => {
                progress.step = Some(step.clone());
                progress.say(number, Happening::Step(step));
            }
            Event::Note { text } => progress.say(number, Happening::Note(text)),
            Event::Transfer {
                id,
                label,
                done,
                total,
            } => {
                let transfer = Transfer {
                    what: label,
                    done_bytes: done,
                    total_bytes: total,
                };
                let mut known = progress.transfers.iter();
                match known.position(|(_, known, _)| *known == id) {
                    Some(at) => progress.transfers[at] = (number, id, transfer),
                    None if progress.transfers.len() < MOST_TRANSFERS => {
                        progress.transfers.push((number, id, transfer));
                    }
                    None => {}
                }
            }
        }
        progress.number = number;
        drop(progress);
        self.changed.send_replace(number);
    }

    /// Writes down how it ended, and says so.
    pub(super) fn end(&self, outcome: Answer<Value>) -> State {
        let mut progress = self.progress();
        progress.number += 1;
        let number = progress.number;
        progress.end = Some(End {
            at: store::now(),
            moment: Instant::now(),
            number,
            outcome,
        });
        let state = progress.state();
        drop(progress);
        self.changed.send_replace(number);
        state
    }

    pub(super) fn has_ended(&self) -> bool {
        self.progress().end.is_some()
    }

    /// How long ago it ended.
    pub(super) fn ended_since(&self) -> Option<Duration> {
        self.progress().end.as_ref().map(|end| end.moment.elapsed())
    }

    /// Waits until it has ended, at most so long.
    pub(super) async fn wait(&self, most: Duration) {
        let mut changed = self.changed.subscribe();
        let ended = async {
            while !self.has_ended() {
                // It cannot be closed: this has the sender.
                let _ = changed.changed().await;
            }
        };
        let _ = tokio::time::timeout(most, ended).await;
    }

    /// Told of with everything that happens.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What has happened since the number `after`, in order; and whether some of that is no longer known.
    pub(super) fn since(&self, after: u64) -> (Vec<(u64, Happening)>, bool) {
        let progress = self.progress();
        let said = progress.said.iter().cloned();
        let transfers = progress.transfers.iter();
        let transfers =
            transfers.map(|(number, _, transfer)| (*number, Happening::Transfer(transfer.clone())));
        let end = progress.end.iter().map(|end| (end.number, Happening::Done));
        let mut news: Vec<_> = said.chain(transfers).chain(end).collect();
        news.retain(|(number, _)| *number > after);
        news.sort_by_key(|(number, _)| *number);
        (news, after < progress.dropped)
    }

    /// How it stands, for whoever asks.
    pub(super) fn view(&self) -> Operation {
        let progress = self.progress();
        let notes = progress.said.iter().filter_map(|(_, said)| match said {
            Happening::Note(text) => Some(text.clone()),
            _ => None,
        });
        let transfers = progress.transfers.iter();
        let outcome = progress.end.as_ref().map(|end| &end.outcome);
        Operation {
            id: self.id.clone(),
            kind: self.order.kind,
            target: self.order.target.clone(),
            state: progress.state(),
            started_at: self.started_at.clone(),
            ended_at: progress.end.as_ref().map(|end| end.at.clone()),
            cancelling: self.cancel.is_cancelled(),
            step: progress.step.clone(),
            transfers: transfers.map(|(_, _, transfer)| transfer.clone()).collect(),
            notes: notes.collect(),
            result: outcome.and_then(|outcome| outcome.as_ref().ok().cloned()),
            problem: outcome.and_then(|outcome| outcome.as_ref().err().cloned()),
        }
    }
}

impl Progress {
    fn say(&mut self, number: u64, said: Happening) {
        if self.said.len() >= MOST_SAID
            && let Some((oldest, _)) = self.said.pop_front()
        {
            self.dropped = oldest;
        }
        self.said.push_back((number, said));
    }

    fn state(&self) -> State {
        match self.end.as_ref().map(|end| &end.outcome) {
            None => State::Running,
            Some(Ok(_)) => State::Done,
            Some(Err(problem)) if problem.is_cancelled() => State::Cancelled,
            Some(Err(_)) => State::Failed,
        }
    }
}
