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
mod disk_locks;
mod find;
mod io_engine;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod version;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::stat::Mode;
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use self::await_socket::Arrival;
use self::client::Client;
pub(crate) use self::find::place;
use self::plan::{Call, Circumstances};
pub use self::version::{Features, Version};
use super::contain::{Access, Enclosure};
use super::error::{Error, HypervisorLog};
use super::launch::{absolute, end, into_tokio, namespace};
use super::process::{Process, State};
use super::run_dir::{RunDir, tail};
use super::spawn::{Spawn, spawn};
use super::{Accelerator, Born, KernelForm, LaunchSpec, Vmm, console, strays};

const PROGRAM: &str = "firecracker";
const NAME: &str = "Firecracker";
const CONTROL: &str = "firecracker.sock";
const LOG: &str = "firecracker.log";
const METRICS: &str = "firecracker.metrics";
/// How long Firecracker may take until the guest runs. It takes a fraction of a second; a host that swaps may need
/// longer.
const COMING_UP: Duration = Duration::from_secs(30);
/// How long its end may take to be seen after its socket has broken.
const PARTING: Duration = Duration::from_secs(10);
/// How long the answer to a key may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How much of the end of its log an error shows, in bytes.
const SHOWN: u64 = 1000;

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

    /// The program's version. It is asked once.
    ///
    /// # Errors
    ///
    /// When the program is missing, does not run or does not say what it is; [`Error::TooOld`] when it is older than
    /// [`Version::OLDEST`].
    pub async fn release(&self) -> Result<Version, Error> {
        let ask = || async {
            let output = tokio::process::Command::from(self.question()).output();
            self.answered(output.await)
        };
        let version = *self.release.get_or_try_init(ask).await?;
        self.not_too_old(version)
    }

    /// As [`Firecracker::release`], for whoever may block.
    pub fn release_blocking(&self) -> Result<Version, Error> {
        let version = self.answered(self.question().output())?;
        self.not_too_old(version)
    }

    fn question(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .arg("--version")
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    fn not_too_old(&self, version: Version) -> Result<Version, Error> {
        match version >= Version::OLDEST {
            true => Ok(version),
            false => Err(Error::TooOld {
                program: self.program.clone(),
                version,
            }),
        }
    }

    fn answered(&self, output: io::Result<std::process::Output>) -> Result<Version, Error> {
        let output = output.map_err(|source| self.unspawned(source))?;
        Version::printed(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Error::Version {
            program: self.program.clone(),
            log: HypervisorLog(String::from_utf8_lossy(&output.stderr).trim().into()),
        })
    }

    fn unspawned(&self, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::NotFound => Error::Missing {
                program: self.program.display().to_string(),
            },
            _ => Error::Spawn {
                program: self.program.clone(),
                source,
            },
        }
    }

    /// The program as it is executed, and what it gets of its host when it is contained: `own` beside what the machine
    /// is made of.
    fn enclosure(
        &self,
        spec: &LaunchSpec,
        own: &[&Path],
    ) -> Result<(PathBuf, Option<Enclosure>), Error> {
        let Some(owner) = spec.owner else {
            return Ok((self.program.clone(), None));
        };
        // What is not there is said to be missing, as elsewhere.
        let Ok(program) = self.program.canonicalize() else {
            return Err(Error::Missing {
                program: self.program.display().to_string(),
            });
        };
        let loaded = spec.restore.iter().flat_map(|folder| state::files(folder));
        let more = (own
            .iter()
            .map(|path| (path.to_path_buf(), Access::Writable)))
        .chain(loaded.map(|path| (path, Access::Shared)));
        let enclosure = Enclosure::of(spec, owner, &program, &[], more.collect())?;
        Ok((program, Some(enclosure)))
    }

    /// To the machine that runs in `run_dir`.
    async fn client(&self, run_dir: &Path, act: &'static str) -> Result<Client, Error> {
        let stream = (RunDir::open(run_dir).and_then(|run_dir| run_dir.connect(CONTROL)))
            .and_then(into_tokio)
            .map_err(|source| Error::Control { act, source })?;
        Client::new(stream).await
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
        let own = [spec.run_dir.as_path(), &log, &metrics];
        let (program, enclosure) = self.enclosure(spec, &own)?;
        let arrival = Arrival::watch(&spec.run_dir).map_err(fail("watch"))?;
        let mut keep: Vec<OwnedFd> = disks;
        keep.push(lock.into());
        for (index, disk) in spec.disks.iter().enumerate() {
            let link = run_dir.file(&plan::link(index));
            remove(&link).map_err(fail("tidy"))?;
            std::os::unix::fs::symlink(&disk.path, link).map_err(fail("link a disk in"))?;
        }
        let process = spawn(Spawn {
            program: &program,
            directory: &spec.run_dir,
            arguments: arguments(&spec.machine, &log),
            namespace: namespace.as_ref(),
            output,
            console: Some(console),
            keep,
            enclosure,
        })
        .map_err(|source| Error::not_started(&self.program, source))?;
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

    async fn pause(&self, run_dir: &Path) -> Result<(), Error> {
        state::pause(&mut self.client(run_dir, "pause the machine").await?).await
    }

    async fn resume(&self, run_dir: &Path) -> Result<(), Error> {
        state::resume(&mut self.client(run_dir, "let the machine go on").await?).await
    }

    /// What its disks were given is written once the state is.
    fn is_settled_by_pause(&self) -> bool {
        false
    }

    async fn save(&self, run_dir: &Path, folder: &Path) -> Result<(), Error> {
        let mut client = self.client(run_dir, "save the machine's state").await?;
        state::save(&mut client, run_dir, folder).await
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

impl Begun {
    /// Waits until the guest runs, or Firecracker has refused or ended.
    async fn come_up(&self) -> Result<(), Error> {
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
            stream = self.arrival.connect(&self.run_dir, CONTROL) => {
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
        let log = tail(&self.run_dir.file(LOG), SHOWN).unwrap_or_default();
        HypervisorLog(log.trim().into())
    }
}

/// The command line. Everything else is said over the socket, whose path may not be long, and so is a name in the working directory.
fn arguments(machine: &str, log: &Path) -> Vec<OsString> {
    let id = strays::marker(machine);
    let words: [(&str, OsString); 4] = [
        ("--id", id.into()),
        ("--api-sock", CONTROL.into()),
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
