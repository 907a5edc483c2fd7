//! What one hypervisor gets of its host, as plain data.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::owner::Owner;
use super::{files, group, program};
use crate::value::ByteSize;
use crate::vmm::LaunchSpec;
use crate::vmm::accelerator::Accelerator;

/// Memory of a hypervisor's own beside its guest's, in bytes. Under software emulation QEMU 7.2 was measured to take
/// 325 MiB, and 55 MiB of its program and libraries, for a busy guest of 2 processors and 512 MiB, most of it translated
/// code (256 MiB at most); twice that leaves room for buffers of its disks and for what a later version takes.
const OVERHEAD: u64 = 768 << 20;
/// Address space beside that, in bytes, for stacks, of which each thread reserves 8 MiB and touches little: QEMU has up
/// to 64 threads for its disks, and one for each virtual processor. In the measurement above all that it could have
/// written to was 1.2 GiB.
const STACKS: u64 = 1 << 30;
const STACK: u64 = 16 << 20;
/// Processes and threads beside the virtual processors.
const THREADS: u64 = 128;
/// Open files. Machines have at most 23 devices, each with a few.
const OPEN_FILES: u64 = 1024;
/// The least that a file may grow to, in bytes: the console's log, which others keep small, and a saved state.
const LEAST_FILE: u64 = 1 << 30;

/// Where the file in memory is, if it gets one. From outside, as root, `/proc/PID/root` is before it.
pub(in crate::vmm) const MEMORY: &str = "/memory/guest";

/// What a file or folder is to the hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vmm) enum Access {
    /// It reads it, and so do others.
    Shared,
    /// It reads it, and nobody else does.
    Private,
    /// It reads and writes it, and nobody else does.
    Writable,
}

/// What it may take of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vmm) struct Limits {
    /// Processes and threads together.
    pub(super) processes: u64,
    pub(super) open_files: u64,
    /// The largest file, in bytes.
    pub(super) file_size: u64,
    /// Writable memory of its own that it may ask for, in bytes (`RLIMIT_DATA` of getrlimit(2)).
    pub(super) data: u64,
    /// Memory that it may have, in bytes, files in the host's cache included.
    pub(super) memory: u64,
    pub(super) vcpus: u8,
    pub(super) iops: Option<u32>,
}

/// Everything that a hypervisor gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::vmm) struct Enclosure {
    /// The machine's identifier.
    pub(super) machine: String,
    pub(super) owner: Owner,
    /// The program and what it needs to run, each at its own path, and the links on the way there.
    pub(super) needs: Vec<PathBuf>,
    /// The machine's files, each at its own path.
    pub(super) files: Vec<(PathBuf, Access)>,
    /// Character devices, each at its own path; only it opens those that not everybody may.
    pub(super) devices: Vec<PathBuf>,
    /// Taps of its network namespace that it opens.
    pub(super) taps: Vec<String>,
    /// The size of a file in memory at [`MEMORY`], in bytes.
    pub(super) memory: Option<u64>,
    /// A folder on which its root is mounted, where nobody else sees it.
    pub(super) stage: PathBuf,
    pub(super) limits: Limits,
}

impl Enclosure {
    /// What `program` (a path without links) gets to run the machine of `spec`, whose paths are absolute. `data` are the
    /// folders that the program has under `share`; `more` are files beyond those that `spec` names.
    pub(in crate::vmm) fn of(
        spec: &LaunchSpec,
        owner: Owner,
        program: &Path,
        data: &[&str],
        more: Vec<(PathBuf, Access)>,
    ) -> Result<Enclosure, Error> {
        let mut files = vec![(spec.console.clone(), Access::Writable)];
        if spec.restore.is_none() {
            // What goes on from a state does not boot.
            files.push((spec.kernel.clone(), Access::Shared));
            files.push((spec.initramfs.clone(), Access::Private));
        }
        let access = |read_only| match read_only {
            true => Access::Shared,
            false => Access::Writable,
        };
        files.extend((spec.disks.iter()).map(|disk| (disk.path.clone(), access(disk.read_only))));
        files.extend(more);
        let mut devices = vec!["/dev/null", "/dev/urandom"];
        if spec.accelerator == Accelerator::Kvm {
            devices.push("/dev/kvm");
        }
        if !spec.taps.is_empty() {
            devices.push("/dev/net/tun");
        }
        Ok(Enclosure {
            machine: spec.machine.clone(),
            owner,
            needs: program::needs(program, data)?,
            limits: limits(spec, &files),
            files,
            devices: devices.into_iter().map(PathBuf::from).collect(),
            taps: spec.taps.iter().map(|tap| tap.name.clone()).collect(),
            memory: None,
            stage: spec.run_dir.clone(),
        })
    }

    /// Gives it a file in memory, as large as the guest's, that it may map and this program can read.
    pub(in crate::vmm) fn give_memory(&mut self, guest: ByteSize) {
        let size = guest.mib_up() << 20;
        self.memory = Some(size);
        // It is not of its own then.
        self.limits.data = self.limits.data.saturating_sub(size);
    }

    /// Makes ready what lasts longer than the thread that starts it: whose its files are, and its control group, into
    /// which a process goes by writing to the file that comes back. Both are taken back by [`super::release`].
    pub(super) fn prepare(&self) -> Result<Option<fs::File>, Error> {
        files::give(self)?;
        let disks = (self.files.iter()).filter(|(_, access)| *access == Access::Writable);
        let devices = disks.filter_map(|(path, _)| fs::metadata(path).ok());
        let mut devices: Vec<u64> = devices.map(|facts| facts.dev()).collect();
        devices.sort_unstable();
        devices.dedup();
        group::make(&self.machine, &self.limits, &devices)
    }
}

fn limits(spec: &LaunchSpec, files: &[(PathBuf, Access)]) -> Limits {
    let memory = spec.memory.mib_up().saturating_mul(1 << 20);
    // A table entry of 8 bytes for each page of 4 KiB, on either side.
    let own = memory.saturating_add(memory / 256).saturating_add(OVERHEAD);
    let largest = files
        .iter()
        .filter(|(_, access)| *access == Access::Writable)
        .filter_map(|(path, _)| fs::metadata(path).ok())
        .map(|facts| facts.len())
        .max();
    let file_size = LEAST_FILE
        .saturating_add(memory.saturating_mul(2))
        .max(largest.unwrap_or(0));
    Limits {
        processes: THREADS + u64::from(spec.vcpus),
        open_files: OPEN_FILES,
        file_size,
        data: own.saturating_add(STACKS + STACK * u64::from(spec.vcpus)),
        memory: own,
        vcpus: spec.vcpus,
        iops: spec.iops,
    }
}
