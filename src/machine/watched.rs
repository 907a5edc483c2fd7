//! What the supervisor and the attendant wait for: hypervisors that end, and machines that rest before they are started
//! again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Machines, Rooms};
use crate::error::Result;
use crate::value::MachineId;
use crate::vmm;

/// The pause before a restart doubles from the first to the second, and is back at the first once a machine has run for
/// longer than the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A machine whose end was seen while somebody was at it is looked at again so long after.
const BUSY: Duration = Duration::from_millis(50);

/// What is waited for.
pub(super) enum Happened {
    /// The hypervisor of a machine has ended.
    Ended(MachineId),
    /// A machine has rested and is to be started again.
    Rested(MachineId),
    /// The start of a machine is over.
    Started,
    StoreChanged,
    /// The settings have.
    Renewed(Machines),
    TimeToWalk,
    Walked(Result<()>),
    Heartbeat,
}

/// Who is watched, who rests before a restart, and what is being done.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// By machine, the process that is waited for: pid and start.
    processes: HashMap<MachineId, (u32, u64)>,
    /// What may never come to an end.
    waits: JoinSet<Option<Event>>,
    /// What comes to an end by itself.
    work: JoinSet<Option<Event>>,
    backs_off: HashMap<MachineId, (Duration, Instant)>,
    /// Who rests or is being started.
    pending: HashSet<MachineId>,
}

/// What a task of [`Watched`] comes back with.
#[derive(Debug)]
enum Event {
    Ended(MachineId, (u32, u64)),
    Rested(MachineId),
    Started(MachineId),
    Walked(Result<()>),
}

impl Watched {
    /// Waits for those that run by now, and forgets those that do not.
    pub(super) fn refresh(&mut self, rooms: &Rooms) -> Result<()> {
        let found: HashMap<MachineId, vmm::Process> = (rooms.store.running_processes()?)
            .into_iter()
            .map(|(id, row)| (id, vmm::Process::from(&row)))
            .collect();
        self.processes.retain(|id, known| {
            let now = found.get(id);
            now.is_some_and(|now| (now.pid, now.started) == *known)
        });
        for (id, process) in found {
            let identity = (process.pid, process.started);
            if self.processes.insert(id, identity).is_none() {
                self.waits.spawn(async move {
                    // One that cannot be watched is left to the walk.
                    process.wait_exit().await.ok()?;
                    Some(Event::Ended(id, identity))
                });
            }
        }
        Ok(())
    }

    /// How many machines are watched.
    pub(super) fn count(&self) -> usize {
        self.processes.len()
    }

    /// What happens next among those that are watched. Never comes back with nothing while there is something to wait
    /// for.
    pub(super) async fn next(&mut self) -> Option<Happened> {
        loop {
            let event = tokio::select! {
                Some(event) = self.waits.join_next() => event,
                Some(event) = self.work.join_next() => event,
                else => return None,
            };
            match event {
                Ok(Some(Event::Ended(id, identity))) => {
                    // Of a machine that has been started anew since, the end of the process before is no news.
                    if self.processes.get(&id) == Some(&identity) {
                        return Some(Happened::Ended(id));
                    }
                }
                Ok(Some(Event::Rested(id))) => return Some(Happened::Rested(id)),
                Ok(Some(Event::Started(id))) => {
                    self.pending.remove(&id);
                    return Some(Happened::Started);
                }
                Ok(Some(Event::Walked(outcome))) => return Some(Happened::Walked(outcome)),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Has the end of a machine happen again a little later.
    pub(super) fn look_again(&mut self, id: MachineId) {
        if let Some(identity) = self.processes.get(&id).copied() {
            self.waits.spawn(async move {
                tokio::time::sleep(BUSY).await;
                Some(Event::Ended(id, identity))
            });
        }
    }

    /// Does something beside the watching.
    pub(super) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.work.spawn(async move {
            work.await;
            None
        });
    }

    /// The same with a walk.
    pub(super) fn walk(&mut self, walk: impl Future<Output = Result<()>> + Send + 'static) {
        self.work
            .spawn(async move { Some(Event::Walked(walk.await)) });
    }

    /// The same with the start of a machine.
    pub(super) fn start(
        &mut self,
        id: MachineId,
        start: impl Future<Output = ()> + Send + 'static,
    ) {
        self.started(id);
        self.pending.insert(id);
        self.work.spawn(async move {
            start.await;
            Some(Event::Started(id))
        });
    }

    /// Waits for nothing any more, but for what is being done to come to an end.
    pub(super) async fn finish(&mut self) {
        self.waits.abort_all();
        while self.work.join_next().await.is_some() {}
    }

    /// Lets a machine rest before it is started again, longer each time. Comes back with how long.
    pub(super) fn rest(&mut self, id: MachineId) -> Duration {
        let pause = match self.backs_off.get(&id) {
            Some((pause, started)) if started.elapsed() < BACK_OFF.1 => {
                (*pause * 2).min(BACK_OFF.1)
            }
            _ => BACK_OFF.0,
        };
        self.backs_off.insert(id, (pause, Instant::now() + pause));
        self.pending.insert(id);
        self.waits.spawn(async move {
            tokio::time::sleep(pause).await;
            Some(Event::Rested(id))
        });
        pause
    }

    /// Whether a machine rests or is being started.
    pub(super) fn is_pending(&self, id: MachineId) -> bool {
        self.pending.contains(&id)
    }

    fn started(&mut self, id: MachineId) {
        if let Some((_, started)) = self.backs_off.get_mut(&id) {
            *started = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pause_before_a_restart_grows_until_one_holds() {
        let mut watched = Watched::default();
        let id = MachineId::new();
        let mut rest = || {
            let pause = watched.rest(id).as_secs();
            watched.started(id);
            pause
        };
        let pauses: Vec<_> = (0..8).map(|_| rest()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        if let Some((_, started)) = watched.backs_off.get_mut(&id) {
            *started -= BACK_OFF.1;
        }
        assert_eq!(watched.rest(id), BACK_OFF.0);
    }
}
