//! How far a copy has come, and whether it goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use crate::event::Progress;

/// Large files that are copied at once.
const LARGE: usize = 4;

/// What a copy did. The field names are the keys of `-o json`; they are only ever added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Copied {
    pub files: u64,
    pub folders: u64,
    pub links: u64,
    /// Sizes of the files.
    pub bytes: u64,
    /// Of these, what an earlier copy had brought already.
    pub resumed_bytes: u64,
    /// Pipes, sockets and devices.
    pub skipped: u64,
}

/// Counts, and what all parts of a copy share.
pub(super) struct Tally {
    pub files: AtomicU64,
    pub folders: AtomicU64,
    pub links: AtomicU64,
    pub skipped: AtomicU64,
    pub resumed: AtomicU64,
    pub entries: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    label: String,
    pub progress: Progress,
    pub cancel: CancellationToken,
    pub large: Semaphore,
    /// Whether unfinished files are of use when the copy is run again.
    keep: AtomicBool,
}

impl Tally {
    pub fn new(label: String, progress: Progress, cancel: &CancellationToken) -> Tally {
        let zero = AtomicU64::default;
        Tally {
            files: zero(),
            folders: zero(),
            links: zero(),
            skipped: zero(),
            resumed: zero(),
            entries: zero(),
            done: zero(),
            total: zero(),
            label,
            progress,
            // It may end by itself too.
            cancel: cancel.child_token(),
            large: Semaphore::new(LARGE),
            keep: AtomicBool::new(true),
        }
    }

    /// More is to be copied: entries and bytes.
    pub fn found(&self, (entries, bytes): (u64, u64)) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes have reached their place.
    pub fn moved(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // It has ended when it is said to have.
        let total = self.total.load(Ordering::Relaxed).max(done + 1);
        self.progress.transfer("cp", &self.label, done, Some(total));
    }

    /// Nothing more is begun after this error, and large files are left where they are.
    pub fn give_up(&self, error: &Error) {
        if !error.keeps_part() {
            self.keep.store(false, Ordering::Relaxed);
        }
        self.cancel.cancel();
    }

    /// Whether what there is of a file is kept, after this error, for a copy that goes on with it.
    pub fn keeps_part(&self, error: &Error) -> bool {
        error.keeps_part() && self.keep.load(Ordering::Relaxed)
    }

    pub fn end(&self) -> Copied {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let bytes = count(&self.done);
        self.progress
            .transfer("cp", &self.label, bytes, Some(bytes));
        Copied {
            files: count(&self.files),
            folders: count(&self.folders),
            links: count(&self.links),
            bytes,
            resumed_bytes: count(&self.resumed),
            skipped: count(&self.skipped),
        }
    }
}
