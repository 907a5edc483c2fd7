//! Standing in for the daemon: a process that is open for long, such as the console, watches over machines while there is
//! no daemon, and leaves that to the daemon as soon as one is up.
//!
//! It has a duty of its own, so that it is in no daemon's way and `down` does not end it. For the moment that both watch,
//! the locks of machines see to it that each thing is done once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::duty::Duty;
use super::supervise::{Orders, STARTS, Supervisor};
use super::watched::Watched;
use super::{Error, Machines, watch};
use crate::error::Result;
use crate::event::Progress;
use crate::vmm::Process;

/// The name of the duty.
const DUTY: &str = "stand-in";
/// A process that has ended, or has not signed its lock yet, is looked at again so long after.
const PAUSE: Duration = Duration::from_millis(50);

impl Machines {
    /// Watches over machines while no daemon does, and no other process that stands in for one, until it is told to stop.
    ///
    /// # Errors
    ///
    /// When locks or the store cannot be read; machines are none the worse for it.
    pub async fn stand_in(&self, progress: &Progress, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            if let Some(pid) = self.supervisor() {
                self.outlast(pid, stop).await;
                continue;
            }
            match Duty::try_take(&self.0.paths, DUTY)? {
                Some(duty) => {
                    // What went wrong may go well the next time.
                    if let Err(error) = self.watch_meanwhile(duty, progress, stop).await {
                        tracing::warn!("machines were not watched over: {error}");
                        self.rest(stop).await;
                    }
                }
                None => {
                    let pid = Duty::holder(&self.0.paths, DUTY).unwrap_or_default();
                    self.outlast(pid, stop).await;
                }
            }
        }
        Ok(())
    }

    /// Watches until a daemon is up.
    async fn watch_meanwhile(
        &self,
        duty: Duty,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<()> {
        // What is begun by the way is left when either ends.
        let stop = stop.child_token();
        let (_send, renewed) = mpsc::channel(1);
        let orders = Orders {
            progress: progress.clone(),
            stop: stop.clone(),
            renewed,
            heartbeat: None,
        };
        let supervisor = Supervisor {
            machines: self.clone(),
            watched: Watched::default(),
            starts: Arc::new(Semaphore::new(STARTS)),
            stands_in: true,
            _duty: duty,
        };
        let watching = supervisor.run(orders, |_| {});
        tokio::pin!(watching);
        tokio::select! {
            outcome = &mut watching => return outcome,
            outcome = self.daemon_appears() => outcome?,
        }
        stop.cancel();
        watching.await
    }

    /// Waits until a daemon has taken its duty: it signs the file of its lock.
    async fn daemon_appears(&self) -> Result<()> {
        let path = self.0.paths.locks();
        let fail = |source| Error::File {
            what: "watch",
            path: path.clone(),
            source,
        };
        let locks = watch::folder(&path).map_err(fail)?;
        while self.supervisor().is_none() {
            watch::events(&locks).await.map_err(fail)?;
        }
        Ok(())
    }

    /// Waits for the end of a process, or until it is worth looking again whether it still has its duty.
    async fn outlast(&self, pid: u32, stop: &CancellationToken) {
        let end = async {
            let ended = match Process::with_pid(pid) {
                Ok(process) => process.wait_exit().await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => {}
                // Its lock goes a moment after it, or is not signed yet.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    tokio::time::sleep(PAUSE).await;
                }
                // It cannot be watched.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => {}
            () = self.rest(stop) => {}
        }
    }

    /// Waits until it is worth looking again.
    async fn rest(&self, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.0.config.reconcile_interval) => {}
            () = stop.cancelled() => {}
        }
    }
}
