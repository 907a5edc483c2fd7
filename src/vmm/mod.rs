//! Hypervisors: what one must do ([`Vmm`]), and the drivers that do it.
//!
//! ```text
//!             launch                      shutdown (asks), or the guest by itself
//!   nothing ─────────► Process ───────────────────────────────────────────► ended
//!      ▲                  │  kill, crash, panic                               │
//!      └── Error, nothing │                                                   │ console::ending
//!          left running   └──────────────────────────────────────────────────►┘ says how
//! ```
//!
//! A hypervisor is its own session leader and outlives the program that started it. Whoever looks after it holds its
//! [`Process`], which survives restarts of the program in the store; `process` says why a number alone does not do.
//! Knows nothing of machines, networks or volumes: it is given paths, links and a command line.

pub mod accelerator;
pub mod command_line;
pub mod console;
pub mod contain;
mod error;
pub mod firecracker;
mod huge_pages;
mod hypervisor;
mod launch;
pub mod process;
mod processor;
pub mod qemu;
mod run_dir;
mod select;
mod spawn;
mod strays;
pub mod tsc;
mod usage;

use std::path::{Path, PathBuf};

use async_trait::async_trait;

pub use self::accelerator::{Accelerator, Choice, Probe, choose, probe};
pub use self::error::{Error, HypervisorLog};
pub use self::huge_pages::HugePages;
pub use self::hypervisor::{Hypervisor, HypervisorChoice};
pub use self::process::{Process, State, boot_id};
pub use self::processor::processor;
pub use self::qemu::{copied_to_load, tidy};
pub use self::select::{MOST_FIRECRACKER_VCPUS, Selection, check_vcpus, driver, select};
pub use self::strays::find_strays;
pub use self::usage::Usage;
use crate::value::ByteSize;

/// Everything a hypervisor needs to run one machine.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// The machine's full UUID. It is on the hypervisor's command line, where [`find_strays`] looks for it.
    pub machine: String,
    /// The kernel, in the form that the driver wants ([`Vmm::kernel_form`]).
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The kernel's command line; [`command_line::command_line`] makes a good one.
    pub command_line: String,
    /// Disks in the order in which the guest numbers them: the first is `vda`.
    pub disks: Vec<Disk>,
    /// Network interfaces in order: the first is `eth0`.
    pub taps: Vec<Tap>,
    /// The network namespace in which the taps are (a file such as `/run/netns/NAME`), entered before the hypervisor
    /// is executed. `None`: the namespace of this program.
    pub namespace: Option<PathBuf>,
    /// Virtual processors, at least 1.
    pub vcpus: u8,
    /// Reads and writes per second of all disks together; as many as there are without.
    pub iops: Option<u32>,
    /// The guest's memory; rounded up to whole MiB.
    pub memory: ByteSize,
    /// What the guest's memory is made of. QEMU leaves that to the host's kernel, whatever this says.
    pub huge_pages: HugePages,
    /// The file that takes what the guest prints. Each launch begins a new one and keeps the one before as
    /// [`console::previous`].
    pub console: PathBuf,
    /// Directory for sockets and what the hypervisor itself prints. Made when missing, with mode 0700. One hypervisor
    /// at a time runs in it.
    pub run_dir: PathBuf,
    /// What executes the guest's instructions.
    pub accelerator: Accelerator,
    /// The user of the host's that the hypervisor is contained as ([`contain`]). Without one it may do what this program
    /// may.
    pub owner: Option<contain::Owner>,
    /// The saved state that the machine goes on from instead of booting. All else must be as it was when it was saved, but
    /// for names, files and hardware addresses; the kernel, its initramfs and its command line are not looked at.
    pub restore: Option<Restore>,
}

/// A saved state to go on from.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Its folder ([`Vmm::save`]).
    pub folder: PathBuf,
    /// Whether nobody else goes on from it: what is in it may become this machine's.
    pub is_last: bool,
}

/// A raw disk image or block device.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The image.
    pub path: PathBuf,
    /// Whether the guest may only read it. Any number of machines may read one disk; one that writes is alone.
    pub read_only: bool,
    /// What the guest finds the disk by: at most 20 bytes (VIRTIO 1.2 §5.2.6).
    pub serial: String,
}

/// A tap link that exists already in the namespace.
#[derive(Clone, Debug)]
pub struct Tap {
    /// The link's name.
    pub name: String,
    /// The guest's hardware address, `aa:bb:cc:dd:ee:ff`.
    pub mac: String,
    /// The largest packet that goes through, in bytes, for hypervisors that tell the guest; its own configuration says
    /// it as well.
    pub mtu: Option<u16>,
}

/// The form of a kernel file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelForm {
    /// As distributions ship it: with its own decompressor.
    BzImage,
    /// The uncompressed ELF file.
    Elf,
}

/// Called with the hypervisor's identity as soon as it exists and before it is waited for, so that it can be written
/// down. When it fails the hypervisor is killed and the launch fails.
pub type Born<'a> =
    &'a (dyn Fn(&Process) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync);

/// A kind of hypervisor.
#[async_trait]
pub trait Vmm: Send + Sync {
    /// The word for it in settings and JSON: `qemu`, `firecracker`.
    fn name(&self) -> &'static str;

    /// The kernel file that it boots.
    fn kernel_form(&self) -> KernelForm;

    /// Its version as it prints it, such as `7.2.22`. Fails when the program is missing or does not run.
    async fn version(&self) -> Result<String, Error>;

    /// The version of what runs the machine in `run_dir`: another than [`Vmm::version`] says when it was replaced since.
    async fn version_in(&self, run_dir: &Path) -> Result<String, Error>;

    /// Starts the machine and returns once its guest's processors run. When it fails, nothing is left running. When the
    /// future is dropped midway the hypervisor may be left running: its identity has then been given to `born`, or it
    /// is found by [`find_strays`].
    async fn launch(&self, spec: &LaunchSpec, born: Born<'_>) -> Result<Process, Error>;

    /// Presses the power button of the machine that runs in `run_dir`, and returns once it is pressed. Whether and when
    /// the guest obeys is its own affair: wait with [`Process::wait_exit`], and [`Process::kill`] when it takes too
    /// long.
    async fn shutdown(&self, run_dir: &Path) -> Result<(), Error>;

    /// Holds the processors of the machine that runs in `run_dir` still, and returns once they are and what the guest
    /// has written is in the files of its disks ([`Vmm::is_settled_by_pause`]). One that is paused already stays so.
    async fn pause(&self, run_dir: &Path) -> Result<(), Error>;

    /// Says why the state of the machine that runs in `run_dir` could not be loaded again if it were saved.
    async fn check_savable(&self, _run_dir: &Path) -> Result<(), Error> {
        Ok(())
    }

    /// Whether nothing is written to a machine's disks any more once it is paused. Else a copy of them may only be begun
    /// once [`Vmm::save`] is done.
    fn is_settled_by_pause(&self) -> bool {
        true
    }

    /// Lets a paused machine go on, giving up whatever a caller that was killed had begun to do with it. One that runs
    /// goes on.
    async fn resume(&self, run_dir: &Path) -> Result<(), Error>;

    /// Writes the memory and devices of a paused machine to files in `folder`, which is there and empty, and returns once
    /// they are written, though perhaps not on the disk yet. The machine, whose hypervisor is `process`, stays paused,
    /// also when it fails; one that was saved already since it was paused may run for a moment first.
    async fn save(&self, process: &Process, run_dir: &Path, folder: &Path) -> Result<(), Error>;
}
