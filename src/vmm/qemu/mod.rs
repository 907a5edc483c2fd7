//! The driver for QEMU's `microvm` machine, which runs with KVM and without.
//!
//! ```text
//! prepare (directory, lock, console, listening socket) → spawn → born → connect → greeting → running
//!     │                                                            └──────── ended, silent: kill, say why ──┐
//!     └─────────────────────────────────────────────────────────────────────────────────────────► error ◄───┘
//! ```
//!
//! The control socket is bound here and inherited, so that the connection can be made before QEMU listens and there is
//! nothing to poll: QEMU's greeting is the event, and so is its end.

mod arguments;
mod memory;
mod qmp;
mod state;
#[cfg(test)]
mod tests;
mod version;

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use self::memory::Memory;
pub use self::memory::{copied_to_load, tidy};
use self::qmp::{Qmp, within};
use super::contain::Access;
use super::error::Error;
use super::launch::{absolute, enclosed, end, into_tokio, namespace};
use super::process::{Process, State};
use super::run_dir::RunDir;
use super::spawn::{Spawn, spawn};
use super::{Born, KernelForm, LaunchSpec, Vmm, console};

const PROGRAM: &str = "qemu-system-x86_64";
const CONTROL: &str = "control.sock";
/// Folders under `share` with firmware, as distributions call them.
const FIRMWARE: [&str; 3] = ["qemu", "qemu-kvm", "seabios"];
/// How long QEMU may take to make its machine. It takes a fraction of a second; a host that swaps may need longer.
const COMING_UP: Duration = Duration::from_secs(30);
/// How long an answer on the control socket may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The driver.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
}

impl Qemu {
    /// The driver for the program at `program`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Qemu {
            program: program.into(),
        }
    }

    /// The driver for the QEMU of this host: in `PATH`, or where distributions put it.
    pub fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let usual = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
        std::env::split_paths(&path)
            .filter(|directory| !directory.as_os_str().as_bytes().is_empty())
            .chain(usual)
            .map(|directory| directory.join(PROGRAM))
            .find(|program| {
                (program.metadata())
                    .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
            })
            .map(Qemu::new)
            .ok_or_else(|| Error::Missing {
                program: PROGRAM.into(),
            })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// One try. The hypervisor that failed to come up is dead when this returns.
    async fn try_launch(
        &self,
        spec: &LaunchSpec,
        born: Born<'_>,
        sandbox: bool,
    ) -> Result<Process, Error> {
        let run_dir = RunDir::prepare(&spec.run_dir)?;
        let control = |source| Error::RunDir {
            act: "make a socket in",
            path: spec.run_dir.clone(),
            source,
        };
        let namespace = namespace(spec)?;
        let lock = run_dir.lock()?;
        let console = |source| Error::RunDir {
            act: "begin the console log",
            path: spec.console.clone(),
            source,
        };
        console::begin(&spec.console).map_err(console)?;
        let output = run_dir.output()?;
        let listener = OwnedFd::from(run_dir.listen(CONTROL).map_err(control)?);
        let stream = run_dir.connect(CONTROL).map_err(control)?;

        memory::tidy(&spec.run_dir)?;
        // Once it is opened nobody needs its name.
        let _copy = memory::Passing(&spec.run_dir);
        let memory = Memory::of(spec).await?;
        let arguments = arguments::arguments(spec, &memory, listener.as_raw_fd(), sandbox)?;
        let more = memory.mapped().map(|path| (path.into(), Access::Writable));
        let more = more.into_iter().collect();
        let (program, mut enclosure) = enclosed(spec, &self.program, &FIRMWARE, more)?;
        if let (Memory::Shared, Some(enclosure)) = (&memory, &mut enclosure) {
            enclosure.give_memory(spec.memory);
        }
        let process = spawn(Spawn {
            program: &program,
            directory: Path::new("/"),
            arguments,
            namespace: namespace.as_ref(),
            output,
            console: None,
            keep: vec![listener, lock.into()],
            enclosure,
        })
        .map_err(|source| Error::not_started(&self.program, source))?;
        let up = match born(&process) {
            Ok(()) => {
                let folder = spec.restore.as_ref().map(|restore| &*restore.folder);
                come_up(&process, stream, &run_dir, folder).await
            }
            Err(source) => Err(Error::Identity(source)),
        };
        match up {
            Ok(()) => Ok(process),
            Err(error) => {
                end(&process).await?;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Vmm for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn kernel_form(&self) -> KernelForm {
        KernelForm::BzImage
    }

    async fn version(&self) -> Result<String, Error> {
        version::of(&self.program).await
    }

    async fn version_in(&self, run_dir: &Path) -> Result<String, Error> {
        state::version(&mut talk(run_dir, state::VERSION).await?).await
    }

    async fn launch(&self, spec: &LaunchSpec, born: Born<'_>) -> Result<Process, Error> {
        let spec = &absolute(spec)?;
        match self.try_launch(spec, born, true).await {
            Err(Error::Ended { log, .. }) if log.0.contains("sandbox") => {
                tracing::warn!(%log, "this QEMU cannot filter its system calls; going without");
                self.try_launch(spec, born, false).await
            }
            launched => launched,
        }
    }

    async fn shutdown(&self, run_dir: &Path) -> Result<(), Error> {
        let act = "press the power button";
        let mut qmp = talk(run_dir, act).await?;
        within(ANSWER, act, async {
            qmp.execute("system_powerdown", act).await?;
            Ok(())
        })
        .await
    }

    async fn pause(&self, run_dir: &Path) -> Result<(), Error> {
        state::pause(&mut talk(run_dir, state::PAUSE).await?).await
    }

    async fn resume(&self, run_dir: &Path) -> Result<(), Error> {
        state::resume(&mut talk(run_dir, state::RESUME).await?).await
    }

    async fn save(&self, process: &Process, run_dir: &Path, folder: &Path) -> Result<(), Error> {
        state::save(&mut talk(run_dir, state::SAVE).await?, process, folder).await
    }
}

/// A connection to the QEMU that runs in `run_dir`. It talks to one at a time.
async fn talk(run_dir: &Path, act: &'static str) -> Result<Qmp, Error> {
    let stream = (RunDir::open(run_dir).and_then(|run_dir| run_dir.connect(CONTROL)))
        .and_then(into_tokio)
        .map_err(|source| Error::Control { act, source })?;
    within(ANSWER, act, Qmp::greet(stream)).await
}

/// Waits until QEMU has made its machine and runs it, or has ended.
async fn come_up(
    process: &Process,
    stream: std::os::unix::net::UnixStream,
    run_dir: &RunDir,
    restore: Option<&Path>,
) -> Result<(), Error> {
    let act = "start the machine";
    let stream = into_tokio(stream).map_err(|source| Error::Control { act, source })?;
    let talk = async {
        let mut qmp = Qmp::greet(stream).await?;
        if let Some(folder) = restore {
            state::load(&mut qmp, folder).await?;
        }
        let status = qmp.execute("query-status", act).await?;
        match status["running"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Error::Refused {
                act,
                text: format!("its status is {}", status["status"]),
            }),
        }
    };
    let limit = match restore {
        Some(_) => state::MOVING,
        None => COMING_UP,
    };
    let waited = tokio::select! {
        talked = talk => talked,
        exited = process.wait_exit() => match exited {
            Ok(()) => Err(ended(run_dir)),
            Err(source) => Err(Error::Process { act: "watch", pid: process.pid, source }),
        },
        () = tokio::time::sleep(limit) => Err(Error::Silent {
            name: "QEMU",
            limit,
            log: run_dir.printed(),
        }),
    };
    // A socket that breaks is the end of QEMU seen from another side: what it printed says more.
    match waited {
        Err(error @ Error::Control { .. }) => {
            let gone = tokio::time::timeout(ANSWER, process.wait_exit()).await;
            match (gone, process.current_state()) {
                (Ok(Ok(())), _) | (_, Ok(State::Dead)) => Err(ended(run_dir)),
                _ => Err(error),
            }
        }
        waited => waited,
    }
}

fn ended(run_dir: &RunDir) -> Error {
    Error::Ended {
        name: "QEMU",
        log: run_dir.printed(),
    }
}
