//! What the supervisor waits for: hypervisors that end, machines that rest before they are started again, and changes
//! of the store.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::inotify::InotifyEvent;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use super::stop::process;
use super::watch::{self, Watch};
use super::{Error, Rooms};
use crate::error::Result;
use crate::store::machines::{MachineRow, Status};
use crate::value::MachineId;
use crate::vmm;

/// The pause before a restart doubles from the first to the second, and is back at the first once a machine has run for
/// longer than the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Changes of the store come in bursts; so long after the first they are looked at together.
const BURST: Duration = Duration::from_millis(10);

/// What the supervisor waits for.
pub(super) enum Happened {
    /// The hypervisor of a machine has ended.
    Ended(MachineId),
    /// A machine has rested and is to be started again.
    Rested(MachineId),
    StoreChanged,
    TimeToWalk,
}

/// Who is watched, and who rests before a restart.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// By machine, the process that is waited for: pid and start.
    processes: HashMap<MachineId, (u32, u64)>,
    tasks: JoinSet<Option<Event>>,
    backs_off: HashMap<MachineId, (Duration, Instant)>,
}

/// What a task of [`Watched`] comes back with.
#[derive(Debug)]
enum Event {
    Ended(MachineId, (u32, u64)),
    Rested(MachineId),
}

impl Watched {
    /// Waits for those that run by now, and forgets those that do not.
    pub(super) fn refresh(&mut self, rooms: &Rooms) -> Result<()> {
        let rows = rooms.store.machines_to_watch()?;
        let runs = |row: &&MachineRow| row.status == Status::Running;
        let found: HashMap<MachineId, vmm::Process> = rows
            .iter()
            .filter(runs)
            .filter_map(|row| Some((row.id, process(row)?)))
            .collect();
        self.processes.retain(|id, known| {
            let now = found.get(id);
            now.is_some_and(|now| (now.pid, now.started) == *known)
        });
        for (id, process) in found {
            let identity = (process.pid, process.started);
            if self.processes.insert(id, identity).is_none() {
                self.tasks.spawn(async move {
                    // One that cannot be watched is left to the walk.
                    process.wait_exit().await.ok()?;
                    Some(Event::Ended(id, identity))
                });
            }
        }
        Ok(())
    }

    /// What happens next among those that are watched. Never comes back while there is nothing to wait for.
    pub(super) async fn next(&mut self) -> Option<Happened> {
        loop {
            match self.tasks.join_next().await? {
                Ok(Some(Event::Ended(id, identity))) => {
                    // Of a machine that has been started anew since, the end of the process before is no news.
                    if self.processes.get(&id) == Some(&identity) {
                        self.processes.remove(&id);
                        return Some(Happened::Ended(id));
                    }
                }
                Ok(Some(Event::Rested(id))) => return Some(Happened::Rested(id)),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Does something beside the watching.
    pub(super) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            work.await;
            None
        });
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
        self.tasks.spawn(async move {
            tokio::time::sleep(pause).await;
            Some(Event::Rested(id))
        });
        pause
    }

    pub(super) fn started(&mut self, id: MachineId) {
        if let Some((_, started)) = self.backs_off.get_mut(&id) {
            *started = Instant::now();
        }
    }
}

/// Tells when anybody has written to the database: its log file, beside it, changes with every transaction
/// (<https://sqlite.org/wal.html>).
pub(super) struct StoreChanges(AsyncFd<Watch>);

impl StoreChanges {
    pub(super) fn watch(data_dir: &Path) -> Result<StoreChanges> {
        let path = data_dir.to_path_buf();
        Ok(StoreChanges(watch::folder(data_dir).map_err(|source| {
            Error::File {
                what: "watch",
                path,
                source,
            }
        })?))
    }

    /// Waits for a change, and a little longer for those that come with it.
    pub(super) async fn next(&self) -> Result<()> {
        let fail = |source| Error::File {
            what: "watch",
            path: "the data directory".into(),
            source,
        };
        loop {
            let events = watch::events(&self.0).await.map_err(fail)?;
            if events.iter().any(watch::is_gone) {
                return Err(fail(std::io::ErrorKind::NotFound.into()).into());
            }
            let is_log = |event: &InotifyEvent| {
                let name = event.name.as_deref().unwrap_or_default();
                name.to_string_lossy().ends_with(".db-wal")
            };
            if events.iter().any(is_log) {
                tokio::time::sleep(BURST).await;
                return Ok(());
            }
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
