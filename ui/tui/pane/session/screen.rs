//! What a pane's task and the screen share: the terminal, the state, and what the guest has said to its user.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify as Woken;

use super::{Size, State};
use crate::tui::pane::emulator::{Emulator, News};

/// Says that there is something new to draw or to ask for. It is called from other threads, and must not wait.
pub(crate) type Notify = Arc<dyn Fn() + Send + Sync>;

/// What a guest has said to its user, since that was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub bell: bool,
    /// What it put into the clipboard: the last of it.
    pub copied: Option<String>,
}

pub(super) struct Screen {
    emulator: Fair<Emulator>,
    state: Mutex<State>,
    said: Mutex<Said>,
    /// Whether somebody sees it.
    seen: AtomicBool,
    /// Whether it has changed since it was drawn, and that was told.
    told: AtomicBool,
    /// Told when the terminal begins to hold its output back (DEC mode 2026).
    pub holding: Woken,
    /// Told when the terminal has taken something in.
    pub grown: Woken,
    notify: Notify,
}

impl Screen {
    pub(super) fn new(
        (columns, lines): Size,
        scrollback: usize,
        state: State,
        notify: Notify,
    ) -> Screen {
        Screen {
            emulator: Fair::new(Emulator::new(columns, lines, scrollback)),
            state: Mutex::new(state),
            said: Mutex::default(),
            seen: AtomicBool::new(false),
            told: AtomicBool::new(false),
            holding: Woken::new(),
            grown: Woken::new(),
            notify,
        }
    }

    /// The terminal, for drawing: what changes from now on is told again.
    pub(super) fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.told.store(false, Ordering::Release);
        self.emulator.lock()
    }

    pub(super) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(super) fn set_state(&self, state: State) {
        *lock(&self.state) = state;
        (self.notify)();
    }

    pub(super) fn set_seen(&self, seen: bool) {
        self.seen.store(seen, Ordering::Release);
    }

    pub(super) fn take_said(&self) -> Said {
        std::mem::take(&mut *lock(&self.said))
    }

    /// Has the terminal take bytes in, as much as it can within `until`, and gives how many, with what it answers.
    pub(super) fn take_in(&self, bytes: &[u8], step: usize, until: Instant) -> (usize, Vec<u8>) {
        let mut emulator = self.emulator.lock();
        let mut taken = 0;
        for piece in bytes.chunks(step) {
            emulator.advance(piece);
            taken += piece.len();
            if Instant::now() >= until {
                break;
            }
        }
        let answers = self.after_change(emulator);
        self.grown.notify_one();
        (taken, answers)
    }

    /// Packs some old lines away; whether there are more.
    pub(super) fn pack_some(&self) -> bool {
        self.emulator.lock().tidy()
    }

    /// When the terminal must not hold its output back any longer.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.emulator.lock().sync_deadline()
    }

    /// Shows what the terminal has held back for too long, and gives what it answers.
    pub(super) fn show_overdue(&self) -> Vec<u8> {
        let mut emulator = self.emulator.lock();
        if emulator
            .sync_deadline()
            .is_some_and(|until| until <= Instant::now())
        {
            emulator.end_sync();
        }
        self.after_change(emulator)
    }

    /// Has the terminal take in what makes it ready for a new shell, which begins below all that is there.
    pub(super) fn renew(&self, fresh: &[u8]) {
        let mut emulator = self.emulator.lock();
        emulator.end_sync();
        emulator.advance(fresh);
        emulator.go_below_text();
        // What it answers, it answers nobody.
        self.after_change(emulator);
    }

    fn after_change(&self, mut emulator: MutexGuard<'_, Emulator>) -> Vec<u8> {
        let (answers, news) = (emulator.take_replies(), emulator.take_news());
        let holding = emulator.sync_deadline().is_some();
        drop(emulator);
        if holding {
            self.holding.notify_one();
        }
        let anyway = self.hear(news);
        self.tell(anyway);
        answers
    }

    /// Keeps what is for the user. Whether any of that is to be told although nobody sees the terminal.
    fn hear(&self, news: Vec<News>) -> bool {
        if news.is_empty() {
            return false;
        }
        let mut said = lock(&self.said);
        let before = said.clone();
        let mut titled = false;
        for news in news {
            match news {
                News::Bell => said.bell = true,
                News::Clipboard(text) => said.copied = Some(text),
                News::Title(_) => titled = true,
            }
        }
        titled || *said != before
    }

    fn tell(&self, anyway: bool) {
        let fresh = self.seen.load(Ordering::Acquire) && !self.told.swap(true, Ordering::AcqRel);
        if fresh || anyway {
            (self.notify)();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutex that is given to whoever waits before it is given to its last holder again: a guest that floods its pane
/// locks it all the time, and the screen must not wait for the flood to end.
struct Fair<T> {
    next: Mutex<()>,
    value: Mutex<T>,
}

impl<T> Fair<T> {
    fn new(value: T) -> Self {
        Fair {
            next: Mutex::new(()),
            value: Mutex::new(value),
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        let _next = lock(&self.next);
        lock(&self.value)
    }
}
