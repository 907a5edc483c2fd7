//! The driver for Firecracker, which needs KVM.
//!
//! ```text
//! version, checks → prepare (directory, lock, console, pipe, disks' locks) → watch the directory → spawn → born
//!     → the socket listens → calls, one by one → InstanceStart → running
//!     │                      └── refused, ended, silent: kill, say why ──┐
//!     └────────────────────────────────────────────────────► error ◄─────┘
//! ```
//!
//! Firecracker makes its socket itself and cannot be given one. It does so in a folder of its own, the only one that it may
//! write to, which is watched from before the socket exists. The socket's name appears a moment before it listens; that it does
//! is a line in Firecracker's log, which lies in the same folder, so that this wakes whoever waits as well.
//!
//! The guest's serial port is Firecracker's standard output, opened by us. `PUT /serial` could name a file, too; but
//! Firecracker opens that without `O_APPEND` (src/vmm/src/utils/mod.rs, `open_file_nonblock`), and would go on at its
//! old place in a log that was made smaller ([`console`]). Its own log goes to a file of its own from the first line on.
//! Its metrics go to a named pipe ([`metrics`]).

mod await_socket;
mod begin;
mod body;
mod client;
mod come_up;
mod disk_locks;
mod find;
mod io_engine;
mod metrics;
mod plan;
mod release;
mod state;
#[cfg(test)]
mod tests;
mod version;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::await_socket::Arrival;
use self::client::Client;
pub(crate) use self::find::place;
pub use self::metrics::{EMPTIED, empty as empty_metrics};
use self::plan::Call;
pub use self::version::{Features, Version};
use super::error::Error;
use super::launch::{absolute, end, into_tokio};
use super::process::Process;
use super::run_dir::RunDir;
use super::{Accelerator, Born, KernelForm, LaunchSpec, Vmm};

const PROGRAM: &str = "firecracker";
const NAME: &str = "Firecracker";
const CONTROL: &str = "firecracker.sock";
const LOG: &str = "firecracker.log";
/// How long the answer to a key may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The driver.
#[derive(Clone, Debug)]
pub struct Firecracker {
    program: PathBuf,
    /// Asked once.
    release: OnceCell<Version>,
}

impl Firecracker {
    /// The driver for the program at `program`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Firecracker {
            program: program.into(),
            release: OnceCell::new(),
        }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// To the machine that runs in `run_dir`.
    async fn client(&self, run_dir: &Path, act: &'static str) -> Result<Client, Error> {
        let own = RunDir::open(&own_folder(run_dir));
        let stream = own
            .and_then(|own| own.connect(CONTROL))
            .and_then(into_tokio)
            .map_err(|source| Error::Control { act, source })?;
        Client::new(stream).await
    }
}

/// The folder that is Firecracker's, in the machine's own. What is made there may be anything: nothing of it is followed.
fn own_folder(run_dir: &Path) -> PathBuf {
    run_dir.join(PROGRAM)
}

/// A process that has been started.
struct Begun {
    process: Process,
    run_dir: RunDir,
    /// [`own_folder`].
    own: RunDir,
    arrival: Arrival,
    calls: Vec<Call>,
}

#[async_trait]
impl Vmm for Firecracker {
    fn name(&self) -> &'static str {
        "firecracker"
    }

    fn kernel_form(&self) -> KernelForm {
        KernelForm::Elf
    }

    async fn version(&self) -> Result<String, Error> {
        Ok(self.release().await?.to_string())
    }

    async fn version_in(&self, run_dir: &Path) -> Result<String, Error> {
        let mut client = self.client(run_dir, "ask for its version").await?;
        Ok(client.version().await?.to_string())
    }

    async fn launch(&self, spec: &LaunchSpec, born: Born<'_>) -> Result<Process, Error> {
        let spec = &absolute(spec)?;
        if spec.accelerator != Accelerator::Kvm {
            return Err(Error::NeedsKvm {
                reason: "it is set so".into(),
            });
        }
        let version = self.release().await?;
        plan::check(spec, version)?;
        let begun = self.begin(spec, version)?;
        let up = match born(&begun.process) {
            Ok(()) => begun.come_up().await,
            Err(source) => Err(Error::Identity(source)),
        };
        match up {
            Ok(()) => Ok(begun.process),
            Err(error) => {
                end(&begun.process).await?;
                Err(error)
            }
        }
    }

    async fn pause(&self, run_dir: &Path) -> Result<(), Error> {
        state::pause(&mut self.client(run_dir, "pause the machine").await?).await
    }

    async fn resume(&self, run_dir: &Path) -> Result<(), Error> {
        let mut client = self.client(run_dir, "let the machine go on").await?;
        state::resume(&mut client, &own_folder(run_dir)).await
    }

    async fn check_savable(&self, run_dir: &Path) -> Result<(), Error> {
        let mut client = self.client(run_dir, "ask for its memory").await?;
        state::check(&mut client).await
    }

    /// What its disks were given is written once the state is.
    fn is_settled_by_pause(&self) -> bool {
        false
    }

    async fn save(&self, _: &Process, run_dir: &Path, folder: &Path) -> Result<(), Error> {
        let mut client = self.client(run_dir, "save the machine's state").await?;
        state::save(&mut client, &own_folder(run_dir), folder).await
    }

    /// Firecracker has no power button: it presses Ctrl, Alt and Delete, to which an init answers by a restart, and a
    /// restart is Firecracker's end. The guest's kernel needs `SERIO_I8042` and `KEYBOARD_ATKBD` for it, in itself or as
    /// modules that have been loaded.
    async fn shutdown(&self, run_dir: &Path) -> Result<(), Error> {
        let act = "press Ctrl, Alt and Delete";
        let press = async {
            let mut client = self.client(run_dir, act).await?;
            client.call(&Call::ctrl_alt_del()?).await
        };
        tokio::time::timeout(ANSWER, press)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Control {
                    act,
                    source: io::ErrorKind::TimedOut.into(),
                })
            })
    }
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
