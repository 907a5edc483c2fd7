//! The consoles of all machines that are up: it is noted when they grow, and none grows too large.
//!
//! ```text
//!   asleep ── inotify: it was written to ──▶ looked at ──▶ resting ── a quarter of a second ──▶ looked at
//!     ▲                                                       ▲                                     │
//!     └───────────── nothing new: watched again ──────────────┴──────────── it has grown ───────────┘
//! ```
//!
//! So a guest that writes without pause is looked at four times a second, and one that is silent never. What an emulated
//! serial port takes in a quarter of a second, some hundred KiB, is how far a log may be over its bound, and the quarter
//! of a second is how exactly it is known when a line was written.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InotifyEvent, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::watch::{self, Watch};
use super::{Error, Paths};
use crate::event::Progress;
use crate::value::MachineId;
use crate::vmm::console::{self, Bound, Ending, Keeper};

/// How long a log that was looked at is left alone.
const REST: Duration = Duration::from_millis(250);
/// The same for one that could not be looked after.
const LONG_REST: Duration = Duration::from_secs(10);

/// The logs that are looked after.
#[derive(Debug)]
pub(super) struct Consoles {
    paths: Paths,
    bound: Bound,
    watch: AsyncFd<Watch>,
    watched: HashMap<WatchDescriptor, MachineId>,
    kept: HashMap<MachineId, Kept>,
    cuts: JoinSet<(MachineId, Keeper, io::Result<()>)>,
    /// Machines whose kernels have said that they are halted, and that nobody has been told of yet.
    halted: Vec<MachineId>,
}

/// One of them.
#[derive(Debug)]
struct Kept {
    /// The run of the machine that it is of: when its hypervisor was started.
    run: Option<u64>,
    /// Not here while it is being cut, and while there is no log.
    keeper: Option<Keeper>,
    is_cut: bool,
    rests_until: Option<Instant>,
    /// What was said to be wrong with it.
    said: String,
}

impl Consoles {
    pub(super) fn new(paths: &Paths, bound: Bound) -> Result<Consoles, Error> {
        let watch = watch::nothing().map_err(|source| Error::File {
            what: "watch",
            path: paths.data_dir().into(),
            source,
        })?;
        Ok(Consoles {
            paths: paths.clone(),
            bound,
            watch,
            watched: HashMap::new(),
            kept: HashMap::new(),
            cuts: JoinSet::new(),
            halted: Vec::new(),
        })
    }

    /// Looks after the logs of these machines, each with its run, and of no others.
    pub(super) fn refresh(&mut self, up: &[(MachineId, Option<u64>)], progress: &Progress) {
        let now: HashMap<_, _> = up.iter().copied().collect();
        let over: Vec<_> = self
            .kept
            .iter()
            .filter(|(id, kept)| now.get(id) != Some(&kept.run))
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            let keeper = self.kept.get(&id).and_then(|kept| kept.keeper.as_ref());
            if keeper.is_some_and(|keeper| keeper.is_at(&self.paths.console(&id))) {
                // What it said last.
                self.look(&id, None, progress);
            }
            self.kept.remove(&id);
        }
        let (kept, watch) = (&self.kept, &self.watch);
        self.watched.retain(|descriptor, id| {
            let stays = kept.contains_key(id);
            if !stays {
                // One whose file is gone has gone with it.
                let _ = watch.get_ref().0.rm_watch(*descriptor);
            }
            stays
        });
        for (id, run) in up {
            if !self.kept.contains_key(id) {
                let kept = Kept {
                    run: *run,
                    keeper: None,
                    is_cut: false,
                    rests_until: None,
                    said: String::new(),
                };
                self.kept.insert(*id, kept);
                self.wake(id, progress);
            }
        }
    }

    /// Looks after them for as long as it is waited for, or until guests have halted: comes back with those.
    /// It may be left and taken up again at any time.
    pub(super) async fn tend(&mut self, progress: &Progress) -> Result<Vec<MachineId>, Error> {
        loop {
            if !self.halted.is_empty() {
                return Ok(std::mem::take(&mut self.halted));
            }
            let rests = self.kept.values().filter_map(|kept| kept.rests_until);
            let next = rests.min();
            tokio::select! {
                events = watch::events(&self.watch) => {
                    let events = events.map_err(|source| Error::File {
                        what: "watch",
                        path: self.paths.data_dir().into(),
                        source,
                    })?;
                    self.happened(&events, progress);
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    let now = Instant::now();
                    let rested = |kept: &Kept| kept.rests_until.is_some_and(|until| until <= now);
                    let rested = self.kept.iter().filter(|(_, kept)| rested(kept));
                    for id in rested.map(|(id, _)| *id).collect::<Vec<_>>() {
                        self.wake(&id, progress);
                    }
                }
                Some(Ok((id, keeper, outcome))) = self.cuts.join_next() => {
                    self.was_cut(&id, keeper, outcome, progress);
                }
            }
        }
    }

    /// Waits until everything that was begun is over.
    pub(super) async fn end(mut self, progress: &Progress) {
        self.refresh(&[], progress);
        while self.cuts.join_next().await.is_some() {}
    }

    fn happened(&mut self, events: &[InotifyEvent], progress: &Progress) {
        let mut written: Vec<MachineId> = Vec::new();
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                written.extend(self.kept.keys());
            } else {
                // A watch is for once.
                written.extend(self.watched.remove(&event.wd));
            }
        }
        for id in written {
            if self
                .kept
                .get(&id)
                .is_some_and(|kept| kept.rests_until.is_none())
            {
                self.look(&id, Some(REST), progress);
                self.rest(&id, REST);
            }
        }
    }

    /// What a log has rested for, and how it begins: it is watched again unless it has grown.
    fn wake(&mut self, id: &MachineId, progress: &Progress) {
        if let Some(kept) = self.kept.get_mut(id) {
            kept.rests_until = None;
            if kept.keeper.is_none() && !kept.is_cut {
                match Keeper::open(&self.paths.console(id)) {
                    Ok(keeper) => {
                        kept.keeper = Some(keeper);
                        // It may have grown, and have been looked at, while nobody was there to do something about it.
                        self.notice_halt(id);
                    }
                    // Its hypervisor is about to begin one, and the store changes then.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                    Err(error) => return self.failed(id, &error, progress),
                }
            }
        }
        if self.look(id, None, progress) {
            return self.rest(id, REST);
        }
        let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ONESHOT;
        match (self.watch.get_ref().0).add_watch(&self.paths.console(id), flags) {
            Ok(descriptor) => {
                self.watched.insert(descriptor, *id);
                if self.look(id, None, progress) {
                    self.rest(id, REST);
                }
            }
            Err(errno) => self.failed(id, &errno.into(), progress),
        }
    }

    /// Notes how far a log has grown, after it was `silent` for at least so long if it was, and has it cut when it is too
    /// large. Says whether there was anything to do.
    fn look(&mut self, id: &MachineId, silent: Option<Duration>, progress: &Progress) -> bool {
        let found = self.look_at_size(id, silent, progress);
        if found {
            self.notice_halt(id);
        }
        found
    }

    fn look_at_size(
        &mut self,
        id: &MachineId,
        silent: Option<Duration>,
        progress: &Progress,
    ) -> bool {
        let Some(kept) = self.kept.get_mut(id) else {
            return false;
        };
        let Some(mut keeper) = kept.keeper.take() else {
            return false;
        };
        let looked =
            (keeper.note(silent)).and_then(|grown| Ok((grown, keeper.is_over(self.bound)?)));
        match looked {
            Ok((grown, false)) => {
                kept.keeper = Some(keeper);
                grown
            }
            Ok((_, true)) => {
                kept.is_cut = true;
                let (id, bound) = (*id, self.bound);
                self.cuts.spawn_blocking(move || {
                    let outcome = keeper.cut(bound);
                    (id, keeper, outcome)
                });
                true
            }
            Err(error) => {
                self.failed(id, &error, progress);
                false
            }
        }
    }

    /// Notes a guest whose kernel's last words are that it is off.
    fn notice_halt(&mut self, id: &MachineId) {
        let ending = console::ending(&self.paths.console(id));
        if matches!(ending, Ok(Ending::PoweredOff)) && !self.halted.contains(id) {
            self.halted.push(*id);
        }
    }

    fn was_cut(
        &mut self,
        id: &MachineId,
        keeper: Keeper,
        outcome: io::Result<()>,
        progress: &Progress,
    ) {
        let Some(kept) = self.kept.get_mut(id).filter(|kept| kept.is_cut) else {
            return;
        };
        kept.is_cut = false;
        // The next start may have begun another.
        if keeper.is_at(&self.paths.console(id)) {
            kept.keeper = Some(keeper);
        }
        match outcome {
            Ok(()) => self.rest(id, REST),
            Err(error) => self.failed(id, &error, progress),
        }
    }

    fn rest(&mut self, id: &MachineId, rest: Duration) {
        if let Some(kept) = self.kept.get_mut(id) {
            kept.rests_until = Some(Instant::now() + rest);
        }
    }

    /// Says what is wrong, once, and tries again later.
    fn failed(&mut self, id: &MachineId, error: &io::Error, progress: &Progress) {
        if let Some(kept) = self.kept.get_mut(id) {
            let why = error.to_string();
            if kept.said != why {
                progress.note(format!("the console log of machine {id}: {why}"));
                kept.said = why;
            }
        }
        self.rest(id, LONG_REST);
    }
}

#[cfg(test)]
#[path = "consoles_tests.rs"]
mod tests;
