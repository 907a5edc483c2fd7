//! The worker that counts a log's lines in the background, a chunk at a time, and tells the view when there is news.
//!
//! ```text
//!   the engine's Console ── grown ──▶ worker ── counts ──▶ State ◀── reads, asks ── LogView
//!                                        └──────────── notify ──────────────────────▶ (draws)
//! ```
//!
//! The lock on the state is never held while a log is read by the worker or searched. There is a worker for each
//! processor, up to a few.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use sistemo::machine::{Console, LogReader};
use tokio::task::JoinHandle;

use super::chunk::Chunk;
use super::state::{Job, State};

/// Told when there is something new to draw.
pub(crate) type Notify = Arc<dyn Fn() + Send + Sync>;

/// How often there is news while what is counted is what nobody waits for.
const NEWS: Duration = Duration::from_millis(30);
/// How long a log that has just grown may go on growing unseen.
const REST: Duration = Duration::from_millis(10);
/// The most threads that count a log.
const MOST_THREADS: usize = 4;

/// The state, and how threads that wait for something to do are told.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

impl Shared {
    /// The state, also after a thread that had it has panicked: no change of it is left half done.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, which gives the worker something to do.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.work.notify_all();
    }
}

/// A log, and the threads that count it for as long as this lives.
pub(super) struct Source {
    shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// Begins to count a log.
    pub fn new(reader: LogReader, notify: Notify) -> Source {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(reader)),
            work: Condvar::new(),
        });
        let threads = available_parallelism().map_or(1, usize::from);
        for number in 1..=threads.min(MOST_THREADS) {
            let worker = Worker {
                shared: Arc::clone(&shared),
                notify: Arc::clone(&notify),
                reader: None,
                is_last: number == threads && threads > 1,
            };
            let thread = thread::Builder::new().name("boot log".into());
            // Without a thread (there may be too many) what is near is still counted by the view itself.
            let _ = thread.spawn(move || worker.work());
        }
        Source {
            shared,
            watch: None,
        }
    }

    /// Looks at the log again whenever it may have grown. To be called on the runtime.
    pub fn watch(&mut self, mut console: Console) {
        let shared = Arc::clone(&self.shared);
        self.watch = Some(tokio::spawn(async move {
            // When it fails, the log can be read all the same, and is, with every key.
            while let Ok(grows) = console.grown().await {
                shared.tell(|state| {
                    state.has_grown = true;
                    state.is_gone |= !grows;
                });
                if !grows {
                    return;
                }
                tokio::time::sleep(REST).await;
            }
        }));
    }

    /// Has the worker see that there is something to do.
    pub fn look(&self) {
        self.shared.tell(|_| {});
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// As if the log had been seen to grow.
    #[cfg(test)]
    pub fn grown(&self) {
        self.shared.tell(|state| state.has_grown = true);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        self.shared.tell(|state| state.is_closed = true);
    }
}

/// A thread that counts.
struct Worker {
    shared: Arc<Shared>,
    notify: Notify,
    /// Which log it reads.
    reader: Option<(u64, LogReader)>,
    /// Whether it would take the last processor, which is for whoever draws unless they wait.
    is_last: bool,
}

impl Worker {
    /// Counts until there is nothing left to count, and waits for more, until nobody looks any more.
    fn work(mut self) {
        let mut told = Instant::now();
        let mut has_news = false;
        while let Some(job) = self.next(&mut has_news) {
            let count = self.count(&job);
            let is_waited_for = self.shared.state().done(&job, count);
            has_news = true;
            if is_waited_for || told.elapsed() >= NEWS {
                (told, has_news) = (Instant::now(), false);
                (self.notify)();
            }
        }
    }

    /// What to count next, once there is something.
    fn next(&self, has_news: &mut bool) -> Option<Job> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            if std::mem::take(&mut state.has_grown) {
                state.refresh();
                *has_news = true;
                // There is more for the others, too.
                self.shared.work.notify_all();
            }
            if (!self.is_last || state.wanted.is_some())
                && let Some(job) = state.job()
            {
                return Some(job);
            }
            if std::mem::take(has_news) {
                drop(state);
                (self.notify)();
                state = self.shared.state();
            } else {
                let woken = self.shared.work.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// How many lines of the kind there are in the chunk. None where it cannot be read, which the view will say.
    fn count(&mut self, job: &Job) -> usize {
        if self.reader.as_ref().is_none_or(|(log, _)| *log != job.log) {
            let state = self.shared.state();
            // Another log makes the job void.
            let reader = (state.reader().ok()).filter(|_| state.log == job.log);
            self.reader = reader.map(|reader| (job.log, reader));
        }
        let Some((_, reader)) = &mut self.reader else {
            return 0;
        };
        match Chunk::read(reader, job.shape, job.slot) {
            Ok(chunk) => job.patterns.count(job.kind, &chunk),
            Err(_) => 0,
        }
    }
}
