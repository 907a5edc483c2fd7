//! Watching over machines: the duty of one process at a time, the daemon when it is up.
//!
//! ```text
//!   a hypervisor ends ── its pidfd ──▶ what became of it is written, its network goes ──▶ restart, if that is its policy
//!   the store changes ── inotify ────▶ who is to be watched is looked up anew
//!   every interval ───── a clock ────▶ everything is walked: what killed commands left, the network's rules
//! ```
//!
//! Nothing depends on it: whatever it does, the next command does too. It only makes it happen by itself, and at once:
//! what takes time (a walk, a clean-up, a start) goes on beside the watching. A machine that is to come up again has that
//! written in its row, so that the next supervisor starts it if this one is ended before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::duty::Duty;
use super::lock::Lock;
use super::watched::{Happened, Watched};
use super::{Error, Machines};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::MachineRow;
use crate::value::{MachineId, Name};

/// The name of the duty.
const DUTY: &str = "supervisor";
/// What history calls the supervisor.
const NAME: &str = "sistemo";
/// How many machines are started at the same time, so that each has the processor that a booting guest wants.
pub(super) const STARTS: usize = 4;
/// A walk that takes longer is stuck: it may have to finish what somebody else began, but not more than that.
const LONGEST_WALK: Duration = Duration::from_secs(15 * 60);
/// What is being done when the supervisor is to end gets this long to come to an end.
const FAREWELL: Duration = Duration::from_secs(20);

/// The duty of watching; given back when dropped.
#[derive(Debug)]
pub struct Supervisor {
    pub(super) machines: Machines,
    pub(super) watched: Watched,
    pub(super) starts: Arc<Semaphore>,
    /// Whether it is not the daemon, whose coming and going is history.
    pub(super) stands_in: bool,
    pub(super) _duty: Duty,
}

/// What a supervisor goes by.
#[derive(Debug)]
pub struct Orders {
    /// Hears what is found and done by the way.
    pub progress: Progress,
    /// Ends it; machines go on running.
    pub stop: CancellationToken,
    /// The machines under settings that were read anew.
    pub renewed: mpsc::Receiver<Machines>,
    /// How often it is to say that it is alive.
    pub heartbeat: Option<Duration>,
}

/// What a supervisor says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Everything has been looked at, and so many machines are watched: for the first time, and after every walk.
    Watching(usize),
    /// It is not stuck.
    Alive,
}

impl Machines {
    /// Takes the duty of watching.
    ///
    /// # Errors
    ///
    /// [`Error::Supervised`] while another process has it.
    pub fn supervise(&self) -> Result<Supervisor> {
        match Duty::try_take(&self.0.paths, DUTY)? {
            Some(duty) => Ok(Supervisor {
                machines: self.clone(),
                watched: Watched::default(),
                starts: Arc::new(Semaphore::new(STARTS)),
                stands_in: false,
                _duty: duty,
            }),
            None => Err(Error::Supervised(self.supervisor().unwrap_or_default()).into()),
        }
    }

    /// The process that watches, if one does.
    pub fn supervisor(&self) -> Option<u32> {
        Duty::holder(&self.0.paths, DUTY)
    }

    /// Looks at everything: what killed commands left, who has ended unseen, and what the network lacks.
    async fn walk(&self, progress: &Progress) -> Result<()> {
        for left in self.tend(progress).await? {
            tracing::warn!("could not be put right yet: {left}");
        }
        let rooms = &*self.0;
        let lacking = match rooms.without_rules().await {
            Ok(lacking) => lacking,
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                tracing::warn!("machines' rules could not be looked at: {error}; {hint}");
                return Ok(());
            }
        };
        let mut networks = HashMap::new();
        for found in lacking {
            let Some(_lock) = Lock::try_take(rooms, &found.id, "supervisor")? else {
                continue;
            };
            // It may have been stopped since.
            let Some(row) = rooms.store.machine(&found.id)? else {
                continue;
            };
            match rooms.restore_place(&row, &mut networks).await {
                Ok(()) => tracing::info!(machine = %row.name, "has its network again"),
                Err(error) => tracing::warn!(machine = %row.name, "lacks its network: {error}"),
            }
        }
        Ok(())
    }
}

impl Supervisor {
    /// Watches until it is told to stop; machines go on running. `tell` hears its signs.
    pub async fn run(mut self, mut orders: Orders, mut tell: impl FnMut(Sign)) -> Result<()> {
        let begun = Instant::now();
        let opened = tokio::select! {
            opened = self.begin(&orders) => opened,
            () = orders.stop.cancelled() => return Ok(()),
        };
        let (changes, name) = match (opened, NAME.parse::<Name>()) {
            (Ok(changes), Ok(name)) => (changes, name),
            (Err(error), Ok(name)) => {
                let failed = Err(error);
                self.note("up", &name, begun, &failed);
                return failed;
            }
            (_, Err(error)) => return Err(error.into()),
        };
        self.note("up", &name, begun, &Ok(()));
        tell(Sign::Watching(self.watched.count()));
        let watched = self.watch(&mut orders, &changes, &mut tell).await;
        let begun = Instant::now();
        // What cannot be ended in time is left as if it had been killed: the next command puts it right.
        orders.stop.cancel();
        let _ = tokio::time::timeout(FAREWELL, self.watched.finish()).await;
        self.note("down", &name, begun, &watched);
        watched
    }

    /// The first look at everything.
    async fn begin(&mut self, orders: &Orders) -> Result<Changes> {
        let changes = self.machines.changes()?;
        self.machines.walk(&orders.progress).await?;
        for row in self.machines.0.store.machines_to_resume()? {
            tracing::info!(machine = %row.name, "is to come up again");
            self.start_again(row.id, orders);
        }
        self.watched.refresh(&self.machines.0)?;
        Ok(changes)
    }

    async fn watch(
        &mut self,
        orders: &mut Orders,
        changes: &Changes,
        tell: &mut impl FnMut(Sign),
    ) -> Result<()> {
        let pause = |machines: &Machines| machines.0.config.reconcile_interval;
        let next_walk = tokio::time::sleep(pause(&self.machines));
        tokio::pin!(next_walk);
        let mut walking: Option<Instant> = None;
        let mut heart = orders.heartbeat.map(tokio::time::interval);
        loop {
            let happened = tokio::select! {
                () = orders.stop.cancelled() => return Ok(()),
                Some(happened) = self.watched.next() => happened,
                Some(machines) = orders.renewed.recv() => Happened::Renewed(machines),
                changed = changes.next() => { changed?; Happened::StoreChanged }
                () = &mut next_walk, if walking.is_none() => Happened::TimeToWalk,
                () = beat(&mut heart) => Happened::Heartbeat,
            };
            match happened {
                Happened::Ended(id) => {
                    // What could not be done now is done by the next walk.
                    if let Err(error) = self.ended(id, orders) {
                        tracing::warn!("{error}");
                    }
                }
                Happened::Rested(id) => self.start_again(id, orders),
                Happened::Started | Happened::StoreChanged => {}
                Happened::Renewed(machines) => {
                    self.machines = machines;
                    let next = tokio::time::Instant::now() + pause(&self.machines);
                    next_walk.as_mut().reset(next);
                }
                Happened::TimeToWalk => {
                    walking = Some(Instant::now());
                    let (machines, progress) = (self.machines.clone(), orders.progress.clone());
                    let walk = async move { machines.walk(&progress).await };
                    self.watched.walk(walk);
                }
                Happened::Walked(outcome) => {
                    if let Err(error) = outcome {
                        tracing::warn!("not everything could be looked at: {error}");
                    }
                    let took = walking
                        .take()
                        .map_or(Duration::ZERO, |begun| begun.elapsed());
                    let (machines, took) = (self.watched.count(), took.as_secs_f64() * 1e3);
                    tracing::debug!(machines, took_ms = took, "walked");
                    tell(Sign::Watching(machines));
                    let next = tokio::time::Instant::now() + pause(&self.machines);
                    next_walk.as_mut().reset(next);
                }
                Happened::Heartbeat => {
                    if walking.is_none_or(|begun| begun.elapsed() < LONGEST_WALK) {
                        tell(Sign::Alive);
                    }
                }
            }
            self.watched.refresh(&self.machines.0)?;
            self.take_up()?;
        }
    }

    /// Says at once what became of a machine; the rest of it goes by the way.
    fn ended(&mut self, id: MachineId, orders: &Orders) -> Result<()> {
        let rooms = &*self.machines.0;
        // An operation that is at it knows what it does; what it leaves is seen afterwards.
        let Some(lock) = Lock::try_take(rooms, &id, "supervisor")? else {
            self.watched.look_again(id);
            return Ok(());
        };
        // Any command may have been quicker.
        let Some(row) = rooms.say_end(&id, &lock, &orders.progress)? else {
            return Ok(());
        };
        let (machines, progress) = (self.machines.clone(), orders.progress.clone());
        self.watched.spawn(async move {
            if let Err(error) = machines.0.bury_locked(&id, &lock, &progress).await {
                tracing::warn!(machine = %row.name, "not all of it is cleaned up yet: {error}");
            }
        });
        Ok(())
    }

    fn rest(&mut self, row: &MachineRow) {
        let pause = self.watched.rest(row.id);
        tracing::info!(machine = %row.name, "is started again in {} s", pause.as_secs());
    }

    /// Lets those rest that are to come up again and that nobody has taken up.
    fn take_up(&mut self) -> Result<()> {
        for row in self.machines.0.store.machines_to_resume()? {
            if !self.watched.is_pending(row.id) {
                self.rest(&row);
            }
        }
        Ok(())
    }

    /// Starts a machine beside everything else, unless somebody has started or stopped it meanwhile.
    fn start_again(&mut self, id: MachineId, orders: &Orders) {
        let (machines, stop) = (self.machines.clone(), orders.stop.clone());
        let (starts, progress) = (Arc::clone(&self.starts), orders.progress.clone());
        self.watched.start(id, async move {
            let Ok(_turn) = starts.acquire().await else {
                return;
            };
            if stop.is_cancelled() {
                return;
            }
            match machines.come_up_again(&id, false, &progress, &stop).await {
                Ok(Some(name)) => tracing::info!(machine = %name, "runs again"),
                Ok(None) => tracing::debug!(machine = %id, "is not to come up any more"),
                Err(error) => tracing::warn!("{error}"),
            }
        });
    }

    fn note(&self, action: &str, name: &Name, begun: Instant, outcome: &Result<()>) {
        if !self.stands_in {
            let rooms = &self.machines.0;
            rooms.note_history("daemon", action, name, begun, outcome);
        }
    }
}

/// Waits for the next beat; for ever without a heart.
async fn beat(heart: &mut Option<tokio::time::Interval>) {
    match heart {
        Some(heart) => drop(heart.tick().await),
        None => std::future::pending().await,
    }
}
