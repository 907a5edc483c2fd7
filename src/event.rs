//! Live progress: what an operation says while it runs, to whichever front end listens.
//!
//! A [`Progress`] is handed down through the engine; each front end shows its events in its own way (bars, lines, a
//! socket). Losing an event never changes what the engine does.

use std::sync::Arc;

/// One thing that happened inside a running operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step begins; `step` is what is being done, for a person (`copying the image to the root disk`).
    Step { step: String },
    /// A fact worth a line that begins nothing (`using QEMU 7.2 under software emulation`).
    Note { text: String },
    /// Bytes moved. The first event of an `id` begins a bar, and `done == total` ends it; `total` is in bytes and
    /// `None` when it is not known beforehand.
    Transfer {
        id: String,
        label: String,
        done: u64,
        total: Option<u64>,
    },
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event) + Send + Sync>);

impl Progress {
    /// Sends every event to `listener`, which is called on whatever thread the work runs on and must not block.
    pub fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Progress(Arc::new(listener))
    }

    /// Nobody listens.
    pub fn silent() -> Self {
        Progress::new(|_| {})
    }

    /// Says that a step begins.
    pub fn step(&self, step: impl Into<String>) {
        (self.0)(Event::Step { step: step.into() });
    }

    /// Says a fact.
    pub fn note(&self, text: impl Into<String>) {
        (self.0)(Event::Note { text: text.into() });
    }

    /// Says how far a transfer is, in bytes.
    pub fn transfer(&self, id: &str, label: &str, done: u64, total: Option<u64>) {
        (self.0)(Event::Transfer {
            id: id.into(),
            label: label.into(),
            done,
            total,
        });
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}
