//! The attendant: one process per data directory that does what running machines need all the time, and that nobody
//! notices. It serves their names, keeps their console logs from growing too large, and sees off those that end while no
//! daemon watches: what became of them is said at once, and a guest that restarts comes up again, after a pause that grows
//! for one that does nothing else. It comes with the first machine that starts, whoever starts it, and goes with the last;
//! the daemon and every command see to it that it is there.
//!
//! It is not the daemon, since machines need names whether or not anybody wants a daemon, and keep them when the daemon
//! is restarted.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::consoles::Consoles;
use super::duty::Duty;
use super::watched::{Happened, Watched};
use super::{Error, Machines, Rooms, stop};
use crate::error::Result;
use crate::event::Progress;
use crate::host::background::{background, log_at};
use crate::network::NameServer;
use crate::value::MachineId;
use crate::vmm::console::Bound;
use crate::vmm::{Hypervisor, firecracker};

/// The name of the duty, and the word that has the program be the attendant.
pub const ATTEND: &str = "attend";
/// How often it tries again to answer where another program has the port.
const AGAIN: Duration = Duration::from_secs(10);
/// Machines that are being started when it is to end get this long to be taken back.
const FAREWELL: Duration = Duration::from_secs(20);

impl Machines {
    /// Attends to machines as long as any is up, or until `stop`. Comes back at once when another process does.
    ///
    /// # Errors
    ///
    /// When the network home cannot be entered, or the store not be read.
    pub async fn attend(&self, progress: &Progress, stop: &CancellationToken) -> Result<()> {
        let rooms = &*self.0;
        while let Some(duty) = Duty::try_take(&rooms.paths, ATTEND)? {
            let attending = {
                let (machines, progress, stop) = (self.clone(), progress.clone(), stop.clone());
                async move || machines.attend_at_home(&progress, &stop).await
            };
            rooms.home.inside(attending).await??;
            drop(duty);
            // One that was about to start may have seen that the duty was taken just before it was given back.
            if stop.is_cancelled() || !rooms.want_attendant()? {
                break;
            }
        }
        Ok(())
    }

    /// The same on a thread in the home.
    async fn attend_at_home(&self, progress: &Progress, stop: &CancellationToken) -> Result<()> {
        let rooms = &*self.0;
        let changes = self.changes()?;
        let mut names = NameServer::new(&rooms.home, rooms.store.clone());
        let bound = Bound::new(rooms.config.console_log_max.as_u64());
        let mut consoles = Consoles::new(&rooms.paths, bound)?;
        let mut watched = Watched::default();
        let mut metrics = tokio::time::interval(firecracker::EMPTIED);
        let mut said = Vec::new();
        while rooms.want_attendant()? {
            let up = rooms.store.machines_up()?;
            consoles.refresh(&up, progress);
            watched.refresh(rooms)?;
            if self.supervisor().is_none() {
                for row in rooms.restarting()? {
                    if !watched.is_pending(row.id) {
                        watched.rest(row.id);
                    }
                }
            }
            let refused: Vec<String> = names
                .serve(&rooms.store.networks()?)
                .into_iter()
                .map(|(network, error)| {
                    let gateway = network.gateway();
                    format!(
                        "cannot answer for the names of network {} at {gateway}: {error}",
                        network.name
                    )
                })
                .collect();
            for why in refused.iter().filter(|why| !said.contains(*why)) {
                progress.note(why.clone());
            }
            said = refused;
            tokio::select! {
                changed = changes.next() => changed?,
                halted = consoles.tend(progress) => {
                    for id in halted? {
                        rooms.switch_off(&id, progress).await;
                    }
                }
                Some(happened) = watched.next() => match happened {
                    Happened::Ended(id) => self.ended(id, &mut watched, progress).await,
                    Happened::Rested(id) => self.start_again(id, &mut watched, progress, stop),
                    _ => {}
                },
                _ = metrics.tick() => rooms.empty_metrics(&up, progress),
                () = tokio::time::sleep(AGAIN), if !said.is_empty() => {}
                () = stop.cancelled() => break,
            }
        }
        let _ = tokio::time::timeout(FAREWELL, watched.finish()).await;
        consoles.end(progress).await;
        Ok(())
    }

    /// Sees a machine off that has ended, unless a supervisor watches: that one knows what is to be done.
    async fn ended(&self, id: MachineId, watched: &mut Watched, progress: &Progress) {
        let seen = match self.supervisor() {
            Some(_) => Ok(false),
            None => self.0.see_off(&id, Duration::ZERO, progress).await,
        };
        match seen {
            Ok(true) => {}
            // Whoever is at it, or watches, may be ended before it is done.
            Ok(false) => watched.look_again(id),
            // The next command tries again.
            Err(error) => progress.note(error.to_string()),
        }
    }

    /// Starts a machine beside everything else whose guest restarts.
    fn start_again(
        &self,
        id: MachineId,
        watched: &mut Watched,
        progress: &Progress,
        stop: &CancellationToken,
    ) {
        let (machines, progress, stop) = (self.clone(), progress.clone(), stop.clone());
        watched.start(id, async move {
            if let Err(error) = machines.come_up_again(&id, true, &progress, &stop).await {
                progress.note(error.to_string());
            }
        });
    }

    /// The process that attends to machines, if one does.
    pub fn attendant(&self) -> Option<u32> {
        Duty::holder(&self.0.paths, ATTEND)
    }
}

impl Rooms {
    /// Ends the hypervisor of a guest that has halted, where the hypervisor does not notice: Firecracker's machines have
    /// no power switch (its FAQ.md), so that a guest which powers off stands still for good. Whoever watches sees it end.
    async fn switch_off(&self, id: &MachineId, progress: &Progress) {
        let row = match self.store.machine(id) {
            Ok(row) => row,
            Err(error) => return progress.note(error.to_string()),
        };
        let firecracker = Hypervisor::Firecracker.as_str();
        let Some(row) = row.filter(|row| row.vmm.as_deref() == Some(firecracker)) else {
            return;
        };
        if let Some(process) = stop::process(&row)
            && let Err(error) = process.kill().await
        {
            progress.note(format!("cannot switch machine {} off: {error}", row.name));
        }
    }

    /// Takes what hypervisors say of themselves and nobody reads.
    fn empty_metrics(&self, up: &[(MachineId, Option<u64>)], progress: &Progress) {
        for (id, _) in up {
            if let Err(error) = firecracker::empty_metrics(&self.paths.run(id)) {
                progress.note(format!("cannot empty a pipe of machine {id}: {error}"));
            }
        }
    }

    /// Whether there is anything to attend to: a machine that is up, or is about to be because its guest restarts.
    pub(super) fn want_attendant(&self) -> Result<bool> {
        Ok(self.store.any_machine_up()? || !self.restarting()?.is_empty())
    }

    /// Sees to it that somebody attends to machines. That nobody can is not worth failing for: it is noted.
    pub(super) async fn ensure_attendant(&self, progress: &Progress) {
        if Duty::holder(&self.paths, ATTEND).is_some() {
            return;
        }
        // What the attendant meets it says to its log; whoever has just started a machine is told here.
        for network in self.store.networks().unwrap_or_default() {
            if let Ok(Some(owner)) = self.home.who_answers(&network).await {
                let gateway = network.gateway();
                progress.note(format!(
                    "{owner} answers at {gateway}:53: names of machines on {} are not served",
                    network.name
                ));
            }
        }
        if let Err(error) = self.start_attendant() {
            progress.note(format!("machines' names are not served: {error}"));
        }
    }

    fn start_attendant(&self) -> Result<(), Error> {
        let path = self.paths.data_dir().join("attend.log");
        let fail = |what: &'static str, path: &std::path::Path| {
            let path = path.to_path_buf();
            move |source| Error::File { what, path, source }
        };
        let log = log_at(&path).map_err(fail("write", &path))?;
        let program = &self.programs.own;
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--data-dir")
            .arg(self.paths.data_dir())
            .arg(ATTEND)
            // What it does by itself is not the doing of whoever happened to start the first machine.
            .env_remove("SUDO_USER");
        // The runtime waits for it, should this process outlive it.
        background(&mut command, log)
            .map(drop)
            .map_err(fail("run", program))
    }
}
