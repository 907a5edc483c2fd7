//! From a process that has just begun to a guest that runs, or to the reason why none does.

use std::time::Duration;

use tokio::net::UnixStream;

use super::client::Client;
use super::{Begun, CONTROL, LOG, NAME, into_tokio};
use crate::vmm::error::{Error, HypervisorLog};
use crate::vmm::process::State;
use crate::vmm::run_dir::tail;

/// How long Firecracker may take until the guest runs. It takes a fraction of a second; a host that swaps may need
/// longer.
const COMING_UP: Duration = Duration::from_secs(30);
/// How long its end may take to be seen after its socket has broken.
const PARTING: Duration = Duration::from_secs(10);
/// How much of the end of its log an error shows, in bytes.
const SHOWN: u64 = 1000;

impl Begun {
    /// Waits until the guest runs, or Firecracker has refused or ended.
    pub(super) async fn come_up(&self) -> Result<(), Error> {
        let up = async {
            let mut client = Client::new(self.connected().await?).await?;
            for call in &self.calls {
                client.call(call).await?;
            }
            Ok(())
        };
        let waited = tokio::time::timeout(COMING_UP, up)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Silent {
                    name: NAME,
                    limit: COMING_UP,
                    log: self.said(),
                })
            });
        // A socket that breaks is the end of Firecracker seen from another side: what it printed says more.
        match waited {
            Err(error @ (Error::Control { .. } | Error::Broken { .. })) => {
                let gone = tokio::time::timeout(PARTING, self.process.wait_exit()).await;
                match (gone, self.process.current_state()) {
                    (Ok(Ok(())), _) | (_, Ok(State::Dead)) => Err(self.ended()),
                    _ => Err(error),
                }
            }
            waited => waited,
        }
    }

    /// Waits until the socket listens, or Firecracker has ended. From then on its end breaks the connection, and an
    /// answer that it gave just before is not lost: a guest that ends at once was started all the same.
    async fn connected(&self) -> Result<UnixStream, Error> {
        let process = &self.process;
        tokio::select! {
            stream = self.arrival.connect(&self.own, CONTROL) => {
                stream.and_then(into_tokio).map_err(|source| Error::Control {
                    act: "connect",
                    source,
                })
            }
            exited = process.wait_exit() => match exited {
                Ok(()) => Err(self.ended()),
                Err(source) => Err(Error::Process { act: "watch", pid: process.pid, source }),
            },
        }
    }

    fn ended(&self) -> Error {
        Error::Ended {
            name: NAME,
            log: self.said(),
        }
    }

    /// What it printed; what it wrote to its log when it printed nothing.
    fn said(&self) -> HypervisorLog {
        let printed = self.run_dir.printed();
        if !printed.0.is_empty() {
            return printed;
        }
        let log = tail(&self.own.file(LOG), SHOWN).unwrap_or_default();
        HypervisorLog(log.trim().into())
    }
}
