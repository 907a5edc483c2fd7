//! What goes wrong with hypervisors, and the way out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MOST_FIRECRACKER_VCPUS;
use super::firecracker::Version;
use crate::error::{Advice, Kind};

/// A failure of a hypervisor or on the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not installed.
    #[error("{program} is not installed")]
    Missing { program: String },
    /// The program could not be started.
    #[error("cannot start {}", program.display())]
    Spawn {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The program could not be contained.
    #[error(transparent)]
    Contain(#[from] super::contain::Error),
    /// The network namespace could not be opened.
    #[error("cannot open the network namespace {}", path.display())]
    Namespace {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The directory for sockets could not be prepared.
    #[error("cannot {act} {}", path.display())]
    RunDir {
        act: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A hypervisor runs in the directory already.
    #[error("a hypervisor is still running in {}", run_dir.display())]
    AlreadyRunning { run_dir: PathBuf },
    /// The hypervisor's identity could not be read, or could not be written down by the caller.
    #[error("cannot record the hypervisor's identity")]
    Identity(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The hypervisor ended before its guest ran.
    #[error("{name} ended at once{log}")]
    Ended {
        name: &'static str,
        log: HypervisorLog,
    },
    /// The hypervisor did not come up in time.
    #[error("{name} did not come up within {} s{log}", limit.as_secs())]
    Silent {
        name: &'static str,
        limit: Duration,
        log: HypervisorLog,
    },
    /// The hypervisor's control socket failed.
    #[error("cannot {act} through the hypervisor's control socket")]
    Control {
        act: &'static str,
        #[source]
        source: io::Error,
    },
    /// The hypervisor refused a request.
    #[error("the hypervisor refused to {act}: {text}")]
    Refused { act: &'static str, text: String },
    /// The process could not be watched or ended.
    #[error("cannot {act} the hypervisor's process {pid}")]
    Process {
        act: &'static str,
        pid: u32,
        #[source]
        source: io::Error,
    },
    /// The program does not say its version.
    #[error("{} does not say its version{log}", program.display())]
    Version {
        program: PathBuf,
        log: HypervisorLog,
    },
    /// Firecracker refused a call.
    #[error("Firecracker refused {request} ({status}): {text}")]
    Api {
        /// Method and path.
        request: String,
        status: u16,
        /// Its own words.
        text: String,
    },
    /// A call to Firecracker has no answer.
    #[error("Firecracker does not answer {request}")]
    Broken {
        request: String,
        #[source]
        source: io::Error,
    },
    /// The program is a release that the driver is not written for.
    #[error("{} is Firecracker {version}, which is too old", program.display())]
    TooOld { program: PathBuf, version: Version },
    /// Firecracker without KVM.
    #[error(
        "machines cannot run under Firecracker here: it needs KVM, but machines run on tcg: {reason}"
    )]
    NeedsKvm { reason: String },
    /// More virtual processors than Firecracker has.
    #[error(
        "Firecracker gives a machine at most {MOST_FIRECRACKER_VCPUS} virtual processors, and {asked} were asked for"
    )]
    Vcpus { asked: u8 },
    /// A running hypervisor has the disk.
    #[error("another machine is using the disk {}", path.display())]
    DiskInUse { path: PathBuf },
    /// A disk could not be opened.
    #[error("cannot open the disk {}", path.display())]
    Disk {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Memory that this Firecracker could not load again is not saved.
    #[error("Firecracker {version} cannot go on from memory of 2 MiB pages, so it is not saved")]
    NotLoadable { version: Version },
    /// What was asked for is beyond the hypervisor.
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    /// What kept `program` from being started.
    pub(super) fn not_started(program: &Path, source: io::Error) -> Self {
        match source.downcast() {
            Ok(contain) => Error::Contain(contain),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Error::Missing {
                program: program.display().to_string(),
            },
            Err(source) => Error::Spawn {
                program: program.into(),
                source,
            },
        }
    }
}

/// The last lines that a hypervisor printed; shown behind a colon, or not at all when it printed nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HypervisorLog(pub String);

impl std::fmt::Display for HypervisorLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.0)
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Contain(error) => error.kind(),
            Error::AlreadyRunning { .. }
            | Error::DiskInUse { .. }
            | Error::NeedsKvm { .. }
            | Error::NotLoadable { .. } => Kind::Refused,
            Error::Ended { log, .. } if log.0.contains(LOCKED) => Kind::Refused,
            Error::Vcpus { .. } | Error::Unfit(_) => Kind::Usage,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Contain(error) => error.hint(),
            Error::Missing { .. } => Some("sistemo setup installs it".into()),
            Error::Spawn { program, source } => not_allowed(program, source),
            Error::Ended { log, .. } => advice_on(&log.0).map(Into::into),
            Error::Silent { .. } => Some("the host may be overloaded; try again".into()),
            Error::NeedsKvm { .. } => {
                Some("--vmm qemu, or for all: sistemo config set vmm auto".into())
            }
            Error::Vcpus { .. } => Some("ask for fewer with --vcpus, or say --vmm qemu".into()),
            Error::TooOld { .. } => Some(format!(
                "install {} or later: sistemo setup, or sistemo config set firecracker PATH",
                Version::OLDEST
            )),
            Error::NotLoadable { .. } => Some(
                "stop the machine first, or start it again after: sistemo config set huge_pages none"
                    .into(),
            ),
            Error::DiskInUse { .. } => Some(ONE_MACHINE.into()),
            Error::Api { text, .. } => advice_on(text).map(Into::into),
            Error::RunDir { source, .. } => crate::error::way_out_of(source),
            Error::AlreadyRunning { .. } => Some("stop that machine first".into()),
            _ => None,
        }
    }
}

/// The way out for a program that may not be started: each contained machine has a user of its own, who runs it.
fn not_allowed(program: &Path, source: &io::Error) -> Option<String> {
    (source.raw_os_error() == Some(nix::libc::EACCES))
        .then(|| format!("let everybody run it: chmod a+rx {}", program.display()))
}

/// In what QEMU says of a disk that another has: `Failed to get "write" lock`, `… shared "write" lock`.
const LOCKED: &str = "\" lock";
const ONE_MACHINE: &str =
    "a disk belongs to one running machine at a time: stop the machine that uses it";

/// The way out of what QEMU (7.2 to 10.1) and Firecracker complain about, by the words of their messages.
fn advice_on(log: &str) -> Option<&'static str> {
    let known: [(&str, &str); 6] = [
        (
            "KVM",
            "KVM does not work here: set accelerator = \"auto\" in the settings",
        ),
        (
            "Cannot allocate memory",
            "the host lacks the memory: stop another machine, or ask for less with --memory",
        ),
        (LOCKED, ONE_MACHINE),
        (
            "/dev/net/tun",
            "the host's kernel module \"tun\" is needed: modprobe tun",
        ),
        ("No such file", "sistemo doctor finds out what is missing"),
        (
            "Permission denied",
            "run sistemo as the user who owns its data directory",
        ),
    ];
    (known.iter().find(|(words, _)| log.contains(words))).map(|(_, advice)| *advice)
}
