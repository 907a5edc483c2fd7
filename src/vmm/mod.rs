//! Hypervisors: turn a resolved [`LaunchSpec`] into a running process and talk to it.
//!
//! A hypervisor is its own session leader and outlives whoever started it. This room keeps no state and sets no policy:
//! it is given paths, taps and sizes, and it does not know what a volume or a network is.

pub mod accelerator;
mod process;
mod qemu;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

pub use accelerator::Accelerator;
pub use process::{Process, find_strays};

use crate::error::Advice;
use crate::value::ByteSize;

/// A failure around a hypervisor.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the hypervisor {program} is not installed")]
    NotInstalled { program: &'static str },
    #[error("cannot start the hypervisor {program}")]
    Spawn {
        program: String,
        source: std::io::Error,
    },
    #[error("the hypervisor {program} ended at once{}", after_colon(.said))]
    EndedAtOnce { program: &'static str, said: String },
    #[error("the hypervisor does not answer on {}", path.display())]
    Monitor {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot end the hypervisor process {pid}")]
    Kill { pid: i32, source: nix::Error },
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("KVM was asked for and does not work here: {0}")]
    NoKvm(String),
}

fn after_colon(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotInstalled { .. } => "install what is missing: sistemo setup".into(),
            Error::NoKvm(_) => "let sistemo choose: SISTEMO_ACCELERATOR=auto".into(),
            Error::Spawn { .. } | Error::EndedAtOnce { .. } | Error::Monitor { .. } => {
                "see what is wrong with this computer: sistemo doctor".into()
            }
            Error::Kill { .. } | Error::File { .. } => return None,
        })
    }
}

/// A disk of the machine, in the order in which the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// A raw file.
    pub path: PathBuf,
    pub read_only: bool,
    /// virtio-blk serial number, at most 20 bytes.
    pub serial: String,
}

/// A tap in the machine's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    pub name: String,
    /// The guest's hardware address.
    pub mac: String,
}

/// Everything a hypervisor needs to know.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// The machine's identifier in full; it stands on the hypervisor's command line, by which a process is found whose
    /// starter was killed before it could write its pid down.
    pub machine: String,
    /// Linux in the form of [`Vmm::kernel_form`].
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    pub command_line: String,
    pub disks: Vec<Disk>,
    pub taps: Vec<Tap>,
    /// The network namespace that the hypervisor runs in; its own starter's when absent.
    pub namespace: Option<PathBuf>,
    pub vcpus: u8,
    pub memory: ByteSize,
    /// Where the serial console is written; begun anew at each launch.
    pub console: PathBuf,
    /// A folder for sockets and messages, there already.
    pub run_dir: PathBuf,
    pub accelerator: Accelerator,
}

/// What a hypervisor must do.
#[async_trait]
pub trait Vmm: Send + Sync {
    /// The name that users see and type.
    fn name(&self) -> &'static str;

    /// The version installed here.
    async fn version(&self) -> Result<String, Error>;

    /// Starts the machine and comes back once the hypervisor has accepted all of `spec` and the guest's processors run.
    async fn launch(&self, spec: &LaunchSpec) -> Result<Process, Error>;

    /// Presses the power button of the machine whose sockets are in `run_dir`.
    async fn power_button(&self, run_dir: &Path) -> Result<(), Error>;
}

/// The hypervisor that machines run under.
pub fn driver() -> &'static dyn Vmm {
    &qemu::Qemu
}

/// The kernel's command line. The console is the boot log, so nothing is hidden from it; a panic ends the hypervisor
/// instead of hanging (`panic=-1` reboots at once, which `-no-reboot` turns into an exit); interfaces keep the names
/// that the kernel gives them.
pub fn command_line(accelerator: Accelerator) -> String {
    let mut line = String::from(
        "console=ttyS0 reboot=t panic=-1 net.ifnames=0 biosdevname=0 random.trust_cpu=on \
         8250.nr_uarts=1 no_timer_check",
    );
    if accelerator == Accelerator::Tcg
        && let Some(khz) = accelerator::host_khz()
    {
        // Under emulation the guest would calibrate its clock against an emulated timer, which stalls.
        line += &format!(" tsc_early_khz={khz}");
    }
    line
}
