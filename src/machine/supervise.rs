//! Watching over machines: the duty of one process at a time, the daemon when it is up.
//!
//! ```text
//!   a hypervisor ends ── its pidfd ──▶ what became of it is written, its network goes ──▶ restart, if that is its policy
//!   the store changes ── inotify ────▶ who is to be watched is looked up anew
//!   every interval ───── a clock ────▶ everything is walked: what killed commands left, the network's rules
//! ```
//!
//! Nothing depends on it: whatever it does, the next command does too. It only makes it happen by itself, and at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::duty::Duty;
use super::lock::Lock;
use super::recover::Sighting;
use super::watched::{Happened, StoreChanges, Watched};
use super::{Error, Machines};
use crate::error::Result;
use crate::event::Progress;
use crate::guest::words::Restart;
use crate::value::MachineId;

/// The name of the duty.
const DUTY: &str = "supervisor";

/// The duty of watching; given back when dropped.
#[derive(Debug)]
pub struct Supervisor {
    machines: Machines,
    _duty: Duty,
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
                _duty: duty,
            }),
            None => Err(Error::Supervised(self.supervisor().unwrap_or_default()).into()),
        }
    }

    /// The process that watches, if one does.
    pub fn supervisor(&self) -> Option<u32> {
        Duty::holder(&self.0.paths, DUTY)
    }
}

impl Supervisor {
    /// Watches until `stop`; machines go on running. `ready` is called once everything has been looked at, and again
    /// after every walk.
    pub async fn run(
        self,
        interval: Duration,
        progress: &Progress,
        stop: &CancellationToken,
        mut ready: impl FnMut(),
    ) -> Result<()> {
        let rooms = &*self.machines.0;
        let changes = StoreChanges::watch(rooms.paths.data_dir())?;
        let mut watched = Watched::default();
        self.walk(progress).await?;
        self.resume(progress, &mut watched)?;
        watched.refresh(rooms)?;
        ready();
        let mut clock = tokio::time::interval(interval);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        clock.tick().await;
        loop {
            let happened = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(happened) = watched.next() => happened,
                changed = changes.next() => { changed?; Happened::StoreChanged }
                _ = clock.tick() => Happened::TimeToWalk,
            };
            match happened {
                Happened::Ended(id) => {
                    // What could not be done now is done by the next walk.
                    if let Err(error) = self.ended(&id, &mut watched, progress).await {
                        progress.note(format!("{error}"));
                    }
                }
                Happened::Rested(id) => self.start_again(id, &mut watched, progress),
                Happened::StoreChanged => {}
                Happened::TimeToWalk => {
                    self.walk(progress).await?;
                    ready();
                }
            }
            watched.refresh(rooms)?;
        }
    }

    /// Looks at everything: what killed commands left, who has ended unseen, and what the network lacks.
    async fn walk(&self, progress: &Progress) -> Result<()> {
        for left in self.machines.tend(progress).await? {
            progress.note(format!("could not be put right yet: {left}"));
        }
        let rooms = &*self.machines.0;
        for found in rooms.without_rules().await? {
            let Some(_lock) = Lock::try_take(rooms, &found.id, "supervisor")? else {
                continue;
            };
            // It may have been stopped since.
            let Some(row) = rooms.store.machine(&found.id)? else {
                continue;
            };
            match rooms.restore_network(&row).await {
                Ok(()) => progress.note(format!("machine {} has its network again", row.name)),
                Err(error) => progress.note(format!("machine {}: {error}", row.name)),
            }
        }
        Ok(())
    }

    /// Starts what ran when the host went down.
    fn resume(&self, progress: &Progress, watched: &mut Watched) -> Result<()> {
        for row in self.machines.0.store.machines_to_resume()? {
            progress.note(format!(
                "machine {} ran before the host restarted",
                row.name
            ));
            self.start_again(row.id, watched, progress);
        }
        Ok(())
    }

    async fn ended(
        &self,
        id: &MachineId,
        watched: &mut Watched,
        progress: &Progress,
    ) -> Result<()> {
        let rooms = &*self.machines.0;
        // An operation that is at it knows what it does; what it leaves is seen when the store changes.
        let Some(lock) = Lock::try_take(rooms, id, "supervisor")? else {
            return Ok(());
        };
        let Some(sighting) = rooms.bury_locked(id, &lock, progress).await? else {
            return Ok(());
        };
        let Some(row) = rooms.store.machine(id)? else {
            return Ok(());
        };
        if again(row.spec.restart, sighting) {
            let pause = watched.rest(*id);
            progress.note(format!(
                "machine {} is started again in {} s",
                row.name,
                pause.as_secs()
            ));
        }
        Ok(())
    }

    /// Starts a machine beside everything else; that it fails is for its row to say, and for its policy.
    fn start_again(&self, id: MachineId, watched: &mut Watched, progress: &Progress) {
        let (machines, progress) = (self.machines.clone(), progress.clone());
        watched.started(id);
        watched.spawn(async move {
            let cancel = CancellationToken::new();
            let silent = Progress::silent();
            let started = async {
                machines.0.store.set_resume(&id, false)?;
                machines
                    .start(&id.to_string(), false, &silent, &cancel)
                    .await
            };
            match started.await {
                Ok(machine) => progress.note(format!("machine {} runs again", machine.name)),
                Err(error) => progress.note(error.to_string()),
            }
        });
    }
}

/// Whether a machine that ended so is to be started again.
fn again(policy: Restart, sighting: Sighting) -> bool {
    match (policy, sighting) {
        (Restart::Always, Sighting::PoweredOff | Sighting::Crashed) => true,
        (Restart::OnFailure, Sighting::Crashed) => true,
        // After a restart of the host it comes up whatever its policy.
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_says_when_to_start_again() {
        let ways = [
            Sighting::PoweredOff,
            Sighting::Crashed,
            Sighting::HostRestarted,
        ];
        let of = |policy| ways.map(|sighting| again(policy, sighting));
        assert_eq!(of(Restart::No), [false, false, false]);
        assert_eq!(of(Restart::OnFailure), [false, true, false]);
        assert_eq!(of(Restart::Always), [true, true, false]);
    }
}
