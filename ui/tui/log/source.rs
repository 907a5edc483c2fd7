//! The worker that counts a log's lines in the background, a chunk at a time, and tells the view when there is news.
//!
//! ```text
//!   the engine's Console ── grown ──▶ worker ── counts ──▶ State ◀── reads, asks ── LogView
//!                                        └──────────── notify ──────────────────────▶ (draws)
//! ```
//!
//! The lock on the state is held while a chunk is read, not while it is searched.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sistemo::machine::{Console, LogReader};
use tokio::task::JoinHandle;

use super::state::State;

/// Told when there is something new to draw.
pub(crate) type Notify = Arc<dyn Fn() + Send + Sync>;

/// How often there is news while the worker counts what nobody waits for.
const NEWS: Duration = Duration::from_millis(30);
/// How long a log that has just grown may go on growing unseen.
const REST: Duration = Duration::from_millis(10);

/// What the worker is told.
enum Word {
    Grown,
    Gone,
    /// There is something else to do.
    Look,
}

/// A log, and the worker that counts it for as long as this lives.
pub(super) struct Source {
    state: Arc<Mutex<State>>,
    words: Sender<Word>,
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
        let state = Arc::new(Mutex::new(State::new(reader)));
        let (words, inbox) = channel();
        let shared = Arc::clone(&state);
        // Without a thread (too many of them) what is near is still counted by the view itself.
        let _ = std::thread::Builder::new()
            .name("boot log".into())
            .spawn(move || work(&shared, &inbox, &notify));
        Source {
            state,
            words,
            watch: None,
        }
    }

    /// Looks at the log again whenever it may have grown. To be called on the runtime.
    pub fn watch(&mut self, mut console: Console) {
        let words = self.words.clone();
        self.watch = Some(tokio::spawn(async move {
            loop {
                let word = match console.grown().await {
                    Ok(true) => Word::Grown,
                    Ok(false) => Word::Gone,
                    // It can be read all the same, and is, with every key.
                    Err(_) => return,
                };
                let is_last = matches!(word, Word::Gone);
                if words.send(word).is_err() || is_last {
                    return;
                }
                tokio::time::sleep(REST).await;
            }
        }));
    }

    /// Has the worker see that there is something to do.
    pub fn look(&self) {
        let _ = self.words.send(Word::Look);
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// For whoever goes on with the log in a thread of its own.
    pub fn share(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }

    /// As if the log had been seen to grow.
    #[cfg(test)]
    pub fn grown(&self) {
        let _ = self.words.send(Word::Grown);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

/// The state, also after a thread that had it has panicked: no change of it is left half done.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts until there is nothing left to count, and waits for more.
fn work(state: &Mutex<State>, inbox: &Receiver<Word>, notify: &Notify) {
    let mut told = Instant::now();
    let mut has_news = false;
    loop {
        let job = lock(state).job();
        let word = match job {
            Some(_) => match inbox.try_recv() {
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
                Ok(word) => Some(word),
            },
            None => {
                if std::mem::take(&mut has_news) {
                    notify();
                }
                match inbox.recv() {
                    Ok(word) => Some(word),
                    Err(_) => return,
                }
            }
        };
        match word {
            Some(Word::Grown) => {
                lock(state).refresh();
                has_news = true;
            }
            Some(Word::Gone) => {
                lock(state).is_gone = true;
                has_news = true;
            }
            Some(Word::Look) | None => {}
        }
        let Some(job) = job else {
            continue;
        };
        let count = job.count();
        let is_waited_for = lock(state).done(&job, count);
        has_news = true;
        if is_waited_for || told.elapsed() >= NEWS {
            (told, has_news) = (Instant::now(), false);
            notify();
        }
    }
}
