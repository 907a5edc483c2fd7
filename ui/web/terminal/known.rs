//! What becomes of the machines that have terminals: read anew when the store changes, once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sistemo::engine::Engine;
use sistemo::error::Result;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::shell::Machine;

/// The least time between two readings.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after a reading that failed there is another, and where nothing tells of changes after any.
const AGAIN: Duration = Duration::from_secs(2);

/// Finds machines, and tells what becomes of them.
#[async_trait]
pub(super) trait Known: Send + Sync + 'static {
    /// The machine of this name or identifier, now and in future.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be known.
    async fn machine(&self, name: &str) -> Result<watch::Receiver<Machine>>;
}

/// The engine's machines.
pub(super) struct Watcher(Arc<Shared>);

struct Shared {
    engine: watch::Receiver<Engine>,
    watched: Mutex<Watched>,
    /// Told when there is something to watch again.
    wanted: Notify,
    stop: CancellationToken,
}

#[derive(Default)]
struct Watched {
    /// By their identifiers.
    machines: HashMap<String, watch::Sender<Machine>>,
    /// Whether there is a task that watches.
    runs: bool,
}

impl Watcher {
    /// One that watches while somebody wants to know, until `stop`.
    pub(super) fn new(engine: watch::Receiver<Engine>, stop: CancellationToken) -> Watcher {
        Watcher(Arc::new(Shared {
            engine,
            watched: Mutex::default(),
            wanted: Notify::new(),
            stop,
        }))
    }
}

#[async_trait]
impl Known for Watcher {
    async fn machine(&self, name: &str) -> Result<watch::Receiver<Machine>> {
        let engine = self.0.engine();
        let name = name.to_owned();
        let shown = spawn_blocking(move || engine.machines().show(&name)).await;
        let shown = shown.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let machine = Machine::from(&shown);
        let mut watched = self.0.watched();
        let told = watched
            .machines
            .entry(machine.id.clone())
            .or_insert_with(|| watch::Sender::new(machine.clone()));
        tell(told, machine);
        let machine = told.subscribe();
        if !std::mem::replace(&mut watched.runs, true) {
            tokio::spawn(self.0.clone().run());
        }
        self.0.wanted.notify_one();
        Ok(machine)
    }
}

impl Shared {
    fn engine(&self) -> Engine {
        self.engine.borrow().clone()
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches until it is stopped.
    async fn run(self: Arc<Self>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            never = self.watch() => match never {},
        }
    }

    async fn watch(&self) -> std::convert::Infallible {
        loop {
            while self.is_idle() {
                self.wanted.notified().await;
            }
            // Before the reading, so that what changes meanwhile is not missed.
            let changes = self.engine().machines().changes();
            while !self.is_idle() {
                let is_read = self.read().await;
                tokio::time::sleep(PAUSE).await;
                let changed = async {
                    match &changes {
                        Ok(changes) => changes.next().await.is_ok(),
                        Err(_) => false,
                    }
                };
                tokio::select! {
                    is_told = changed => if !is_told {
                        tokio::time::sleep(AGAIN).await;
                    },
                    () = tokio::time::sleep(AGAIN), if !is_read => {}
                }
            }
        }
    }

    /// Forgets machines that nobody asks for any more. Whether none is left.
    fn is_idle(&self) -> bool {
        let mut watched = self.watched();
        let machines = &mut watched.machines;
        machines.retain(|_, told| told.receiver_count() > 0);
        machines.is_empty()
    }

    /// Reads what has become of all, and tells it. Whether it could be read.
    async fn read(&self) -> bool {
        let engine = self.engine();
        // What is asked for from here on was looked at later than this reading.
        let ids: Vec<String> = self.watched().machines.keys().cloned().collect();
        let read = spawn_blocking(move || engine.machines().list()).await;
        let Ok(Ok(listed)) = read else {
            return false;
        };
        let mut now: HashMap<String, Machine> = listed
            .iter()
            .map(|machine| (machine.id.clone(), Machine::from(machine)))
            .collect();
        let watched = self.watched();
        for id in ids {
            let Some(told) = watched.machines.get(&id) else {
                continue;
            };
            let machine = now.remove(&id);
            tell(
                told,
                machine.unwrap_or_else(|| told.borrow().clone().gone()),
            );
        }
        true
    }
}

/// Tells what has become of a machine, if it is something else than before.
fn tell(told: &watch::Sender<Machine>, machine: Machine) {
    told.send_if_modified(|known| {
        let changed = *known != machine;
        *known = machine;
        changed
    });
}

#[cfg(test)]
mod tests {
    use sistemo::config::Config;
    use sistemo::engine::Programs;
    use sistemo::guest::words::Restart;
    use sistemo::store::machines::{Limits, MachineRow, Spec, Status};
    use sistemo::store::operations::{OperationKind, OperationRow};
    use sistemo::value::{ByteSize, MachineId};
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;
    use crate::shell::MachineState;
    use crate::shell::fake::LONG;

    /// An engine, and the folder that it is in.
    fn engine() -> (Engine, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::load(Some(folder.path().join("data")), &|_| None).unwrap();
        let programs = Programs {
            guest: "sistemo-guest".into(),
            own: "sistemo".into(),
        };
        (Engine::open(config, programs).unwrap(), folder)
    }

    /// Writes down a machine that is stopped.
    fn add(engine: &Engine, name: &str) -> MachineId {
        let store = engine.store();
        let id = MachineId::new();
        let row = MachineRow {
            id,
            name: name.parse().unwrap(),
            status: Status::Creating,
            spec: Spec {
                vcpus: 1,
                memory: ByteSize::bytes(128 << 20),
                command: None,
                exposed: Vec::new(),
                restart: Restart::No,
                limits: Limits::default(),
                vmm: None,
            },
            image: None,
            image_digest: None,
            network: None,
            ip: None,
            mac: None,
            host_key: None,
            vmm: None,
            accelerator: None,
            process: None,
            failure: None,
            created_at: "2026-11-30T10:00:00Z".into(),
            started_at: None,
        };
        let begins = OperationRow {
            machine: id,
            kind: OperationKind::Deploy,
            detail: "{}".into(),
            step: 0,
            undoing: false,
        };
        assert!(store.add_machine(&row, &begins).unwrap());
        store.end_operation(&id, Status::Stopped, None).unwrap();
        id
    }

    async fn becomes(machine: &mut watch::Receiver<Machine>, is_so: impl FnMut(&Machine) -> bool) {
        timeout(LONG, machine.wait_for(is_so))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn machines_are_found_and_what_becomes_of_them_is_told() {
        let (engine, _folder) = engine();
        let (web, db) = (add(&engine, "web"), add(&engine, "db"));
        let engines = watch::Sender::new(engine.clone());
        let watcher = Watcher::new(engines.subscribe(), CancellationToken::new());
        let unknown = watcher.machine("mail").await.unwrap_err();
        assert_eq!(unknown.kind(), sistemo::error::Kind::NotFound);
        let mut by_name = watcher.machine("web").await.unwrap();
        let mut by_id = watcher.machine(&db.to_string()).await.unwrap();
        assert_eq!(by_name.borrow().state, MachineState::Stopped);
        let store = engine.store();
        store.set_status(&web, Status::Running, None).unwrap();
        becomes(&mut by_name, Machine::runs).await;
        // Whoever asks later knows it at once.
        assert!(watcher.machine("web").await.unwrap().borrow().runs());
        assert_eq!(by_id.borrow().state, MachineState::Stopped);
        let (name, root) = ("www".parse().unwrap(), "www-root".parse().unwrap());
        store.rename_machine(&web, &name, &root).unwrap();
        becomes(&mut by_name, |machine| machine.name == "www").await;
        store.remove_machine(&db).unwrap();
        becomes(&mut by_id, Machine::is_gone).await;
        assert_eq!(by_id.borrow().name, "db");
        // When nobody has asked for a while it begins anew.
        drop((by_name, by_id));
        store.set_status(&web, Status::Stopped, None).unwrap();
        let mut again = watcher.machine("www").await.unwrap();
        assert_eq!(again.borrow().state, MachineState::Stopped);
        store.set_status(&web, Status::Failed, Some("why")).unwrap();
        let failed = MachineState::Failed(Some("why".into()));
        becomes(&mut again, |machine| machine.state == failed).await;
    }
}
