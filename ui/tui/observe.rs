//! Keeping up with the engine: everything is read anew when the store changes, whoever changed it, and what machines take
//! of the host is measured every few seconds. What nobody would see is not read.

use std::path::Path;
use std::time::Duration;

use sistemo::engine::Engine;
use sistemo::error::Result;
use sistemo::event::Progress;
use sistemo::host::setup::{self, Facts, Hypervisors};
use sistemo::value::ByteSize;
use sistemo::vmm;
use tokio::sync::{mpsc, watch};

use crate::tui::message::Message;
use crate::tui::model::host::Host;
use crate::tui::model::world::World;
use crate::tui::task::Failure;

/// So much of the history is kept at hand.
const HISTORY: u32 = 1000;
/// The least time between two readings, so that a storm of changes leaves the processor to those who make it.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after a reading that failed there is another: nothing may tell that the store can be read again.
const AGAIN: Duration = Duration::from_secs(1);
/// How much slower the host is measured while nobody looks.
const UNSEEN: u32 = 5;

/// What watching goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    /// The time between two measurements.
    pub(crate) refresh: Duration,
    /// Whether the terminal's window has the user's attention.
    pub(crate) seen: bool,
    /// Counts requests to look now.
    pub(crate) asked: u64,
}

/// Watches until nobody listens any more.
pub(crate) fn start(
    engine: Engine,
    attention: watch::Receiver<Attention>,
    send: mpsc::UnboundedSender<Message>,
) {
    tokio::spawn(look(engine.clone(), attention.clone(), send.clone()));
    tokio::spawn(measure(engine.clone(), attention, send.clone()));
    // It works on disks and processes in between, which would hold up what else a thread of the runtime has to do.
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(tend(engine, send)));
}

/// Reads everything, and again whenever something has changed.
async fn look(
    engine: Engine,
    mut attention: watch::Receiver<Attention>,
    send: mpsc::UnboundedSender<Message>,
) {
    let changes = engine.machines().changes();
    loop {
        // What is asked for from here on is not in this reading.
        let asked = attention.borrow_and_update().asked;
        let reader = engine.clone();
        let read = tokio::task::spawn_blocking(move || read(&reader)).await;
        let Ok(read) = read else { return };
        let is_owed = read.is_err();
        if send
            .send(Message::World(read.map_err(|error| Failure::from(&error))))
            .is_err()
        {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        let asks = async {
            if attention.wait_for(|now| now.asked != asked).await.is_err() {
                // Nobody will ever ask again: the console has ended.
                std::future::pending::<()>().await;
            }
        };
        let changed = async {
            match &changes {
                Ok(changes) => changes.next().await.is_ok(),
                Err(_) => false,
            }
        };
        tokio::select! {
            is_watched = changed => if !is_watched {
                // Where nothing tells of changes, looking now and then is all that is left.
                tokio::time::sleep(Duration::from_secs(2)).await;
            },
            () = asks => {}
            () = tokio::time::sleep(AGAIN), if is_owed => {}
            () = send.closed() => return,
        }
    }
}

/// One reading of everything.
pub(crate) fn read(engine: &Engine) -> Result<Box<World>> {
    let machines = engine.machines();
    Ok(Box::new(World {
        reading: 0,
        is_known: true,
        trouble: None,
        machines: machines.list()?,
        volumes: machines.volumes()?,
        images: engine.images().list()?,
        networks: machines.networks()?,
        snapshots: machines.snapshots(None)?,
        history: machines.history(None, HISTORY)?,
    }))
}

/// Measures what machines and this computer do, as often as the settings say.
async fn measure(
    engine: Engine,
    mut attention: watch::Receiver<Attention>,
    send: mpsc::UnboundedSender<Message>,
) {
    let mut before = None;
    let mut host = Watched::new(&engine).await;
    loop {
        let now = host.read(&engine).await;
        if send.send(Message::Host(now)).is_err() {
            return;
        }
        // Machines that cannot be measured are said to be so by what reads the store.
        if let Ok(reading) = engine.machines().measure(None).await {
            let stats = reading.since(before.as_ref().unwrap_or(&reading));
            before = Some(reading);
            if send.send(Message::Stats(stats)).is_err() {
                return;
            }
        }
        let attended = *attention.borrow_and_update();
        let pause = match attended.seen {
            true => attended.refresh,
            false => attended.refresh * UNSEEN,
        };
        let paced = |now: &Attention| (now.refresh, now.seen) != (attended.refresh, attended.seen);
        let is_over = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            changed = attention.wait_for(paced) => changed.is_err(),
            () = send.closed() => true,
        };
        if is_over {
            return;
        }
    }
}

/// Puts right what killed commands left, once.
async fn tend(engine: Engine, send: mpsc::UnboundedSender<Message>) {
    let left = engine.machines().tend(&Progress::silent()).await;
    let says = match left {
        Ok(left) if left.is_empty() => return,
        Ok(left) => left
            .into_iter()
            .map(|left| format!("could not be put right yet: {left}"))
            .collect(),
        Err(error) => vec![error.report()],
    };
    let _ = send.send(Message::Remarks(says));
}

/// What the host was found to be, and its last counters.
struct Watched {
    host: Host,
    /// Time that all processors spent, and spent idle, in ticks.
    ticks: Option<(u64, u64)>,
    /// What was lacking is looked for again only while something was.
    facts_wanted: bool,
}

impl Watched {
    async fn new(engine: &Engine) -> Watched {
        let name = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        let host = Host {
            name: name.unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            ..Host::default()
        };
        let mut watched = Watched {
            host,
            ticks: ticks(),
            facts_wanted: true,
        };
        watched.look_for_lacks(engine).await;
        watched
    }

    async fn read(&mut self, engine: &Engine) -> Host {
        let now = ticks();
        self.host.busy_percent = self
            .ticks
            .zip(now)
            .and_then(|(before, now)| busy(before, now));
        self.ticks = now;
        self.host.memory = sistemo::host::memory()
            .ok()
            .map(|memory| (memory.total, memory.available));
        self.host.disk = disk(engine.paths().data_dir());
        self.host.supervisor = engine.machines().supervisor();
        if self.facts_wanted {
            self.look_for_lacks(engine).await;
        }
        self.host.clone()
    }

    async fn look_for_lacks(&mut self, engine: &Engine) {
        let engine = engine.clone();
        let found = tokio::task::spawn_blocking(move || {
            let config = engine.config();
            let key_file = engine.paths().keys().join("id_ed25519");
            let facts = Facts::gather(
                &config.data_dir,
                config.kernel.as_deref(),
                &key_file,
                &Hypervisors::from(config),
            );
            let lacks: Vec<String> = setup::plan(&facts)
                .into_iter()
                .map(|action| action.says)
                .collect();
            // A probe takes a moment, once per boot; before setup there is nothing that it could be for.
            let probe = lacks
                .is_empty()
                .then(|| vmm::choose(config.accelerator, &config.data_dir));
            (lacks, probe.map(|probe| probe.accelerator.to_string()))
        });
        if let Ok((lacks, accelerator)) = found.await {
            self.facts_wanted = !lacks.is_empty();
            self.host.lacks = lacks;
            self.host.accelerator = accelerator.or(self.host.accelerator.take());
        }
    }
}

/// All ticks of all processors, and the idle ones (proc_stat(5)).
fn ticks() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let counts: Vec<u64> = line
        .split_whitespace()
        .filter_map(|count| count.parse().ok())
        .collect();
    // The time of guests is in that of users already.
    let all = counts.iter().take(8).sum();
    let idle = counts.get(3)? + counts.get(4)?;
    Some((all, idle))
}

fn busy(before: (u64, u64), now: (u64, u64)) -> Option<f64> {
    let all = now.0.checked_sub(before.0).filter(|all| *all > 0)?;
    let idle = now.1.saturating_sub(before.1);
    Some((all.saturating_sub(idle)) as f64 * 100.0 / all as f64)
}

/// The size of the disk that a folder is on, and what is free of it.
fn disk(path: &Path) -> Option<(ByteSize, ByteSize)> {
    let stat = nix::sys::statvfs::statvfs(path).ok()?;
    let bytes = |blocks: u64| ByteSize::bytes(blocks * stat.fragment_size());
    // What is kept for root is neither in use nor free, as df(1) has it.
    let used = stat.blocks().saturating_sub(stat.blocks_free());
    let free = stat.blocks_available();
    Some((bytes(used + free), bytes(free)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_busy_with_what_is_not_idle() {
        assert_eq!(busy((100, 50), (200, 125)), Some(25.0));
        assert_eq!(busy((100, 50), (100, 50)), None);
        let (all, idle) = ticks().unwrap();
        assert!(all > idle && idle > 0);
    }

    #[test]
    fn a_disk_has_less_free_than_it_has() {
        let (all, free) = disk(Path::new("/")).unwrap();
        assert!(all > free);
    }
}
