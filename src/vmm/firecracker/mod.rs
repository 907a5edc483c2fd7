//! The driver for Firecracker, which needs KVM.
//!
//! ```text
//! version, checks → prepare (directory, lock, console, pipe, disks' locks) → watch the directory → spawn → born
//!     → the socket listens → calls, one by one → InstanceStart → running
//!     │                      └── refused, ended, silent: kill, say why ──┐
//!     └────────────────────────────────────────────────────► error ◄─────┘
//! ```
//!
//! Firecracker makes its socket itself and cannot be given one, so the directory is watched from before it exists. The
//! socket's name appears a moment before it listens; that it does is a line in Firecracker's log, which lies in the same
//! directory, so that this wakes whoever waits as well.
//!
//! The guest's serial port is Firecracker's standard output, opened by us. `PUT /serial` could name a file, too; but
//! Firecracker opens that without `O_APPEND` (src/vmm/src/utils/mod.rs, `open_file_nonblock`), and would go on at its
//! old place in a log that was made smaller ([`console`]). Its own log goes to a file of its own from the first line on.
//! Its metrics go to a named pipe, where who wants reads them, and which keeps 64 KiB when nobody does.

mod await_socket;
mod body;
mod client;
mod come_up;
mod disk_locks;
mod find;
mod io_engine;
mod plan;
mod release;
#[cfg(test)]
mod tests;
mod version;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::stat::Mode;
use tokio::sync::OnceCell;

use self::await_socket::Arrival;
use self::client::Client;
pub(crate) use self::find::place;
use self::plan::{Call, Circumstances};
pub use self::version::{Features, Version};
use super::error::Error;
use super::launch::{absolute, end, into_tokio, namespace};
use super::process::Process;
use super::run_dir::RunDir;
use super::spawn::{Spawn, spawn};
use super::{Accelerator, Born, KernelForm, LaunchSpec, Vmm, console, strays};

const PROGRAM: &str = "firecracker";
const NAME: &str = "Firecracker";
const CONTROL: &str = "firecracker.sock";
const LOG: &str = "firecracker.log";
const METRICS: &str = "firecracker.metrics";
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

    /// Everything up to the process, and what is to be called then.
    fn begin(&self, spec: &LaunchSpec, version: Version) -> Result<Begun, Error> {
        let run_dir = RunDir::prepare(&spec.run_dir)?;
        let fail = |act| {
            let path = spec.run_dir.clone();
            move |source| Error::RunDir { act, path, source }
        };
        let namespace = namespace(spec)?;
        let lock = run_dir.lock()?;
        let metrics = run_dir.file(METRICS);
        let calls = plan::calls(
            spec,
            &Circumstances {
                version,
                io_engine: io_engine::best(),
                metrics: &metrics,
            },
        )?;
        let disks = disk_locks::take(&spec.disks)?;
        let console = console::begin(&spec.console).map_err(|source| Error::RunDir {
            act: "begin the console log",
            path: spec.console.clone(),
            source,
        })?;
        let output = run_dir.output()?;
        // Firecracker opens both and makes neither.
        let log = run_dir.file(LOG);
        (OpenOptions::new().create(true).truncate(true).write(true))
            .mode(0o600)
            .open(&log)
            .map_err(fail("begin a log in"))?;
        remove(&metrics).map_err(fail("tidy"))?;
        nix::unistd::mkfifo(&metrics, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| fail("make a pipe in")(errno.into()))?;
        remove(&run_dir.file(CONTROL)).map_err(fail("tidy"))?;
        let (socket, handle) =
            (run_dir.for_child(CONTROL)).map_err(fail("find a place for a socket in"))?;
        let arrival = Arrival::watch(&spec.run_dir).map_err(fail("watch"))?;
        let mut keep: Vec<OwnedFd> = disks;
        keep.push(lock.into());
        keep.extend(handle);
        let process = spawn(Spawn {
            program: &self.program,
            arguments: arguments(&spec.machine, &socket, &log),
            namespace: namespace.as_ref(),
            output,
            console: Some(console),
            keep,
        })
        .map_err(|source| self.unspawned(source))?;
        Ok(Begun {
            process,
            run_dir,
            arrival,
            calls,
        })
    }
}

/// A process that has been started.
struct Begun {
    process: Process,
    run_dir: RunDir,
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

    /// Firecracker has no power button: it presses Ctrl, Alt and Delete, to which an init answers by a restart, and a
    /// restart is Firecracker's end. The guest's kernel needs `SERIO_I8042` and `KEYBOARD_ATKBD` for it, in itself or as
    /// modules that have been loaded.
    async fn shutdown(&self, run_dir: &Path) -> Result<(), Error> {
        let act = "press Ctrl, Alt and Delete";
        let stream = (RunDir::open(run_dir).and_then(|run_dir| run_dir.connect(CONTROL)))
            .and_then(into_tokio)
            .map_err(|source| Error::Control { act, source })?;
        let press = async {
            Client::new(stream)
                .await?
                .call(&Call::ctrl_alt_del()?)
                .await
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

/// The command line. Everything else is said over the socket.
fn arguments(machine: &str, socket: &Path, log: &Path) -> Vec<OsString> {
    let id = strays::marker(machine);
    let words: [(&str, OsString); 4] = [
        ("--id", id.into()),
        ("--api-sock", socket.into()),
        // What it says before it can be told anything; at this level it also says when it listens.
        ("--log-path", log.into()),
        ("--level", "Info".into()),
    ];
    (words.into_iter())
        .flat_map(|(name, value)| [name.into(), value])
        .collect()
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
