//! Where things lie in the data directory.

use std::path::{Path, PathBuf};

use crate::value::MachineId;

/// The data directory's layout.
#[derive(Clone, Debug)]
pub struct Paths(PathBuf);

impl Paths {
    /// The layout under `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Paths(data_dir.into())
    }

    /// The data directory itself.
    pub fn data_dir(&self) -> &Path {
        &self.0
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("sistemo.db")
    }

    /// Images and downloads.
    pub fn images(&self) -> PathBuf {
        self.0.join("images")
    }

    /// Disks of machines and data volumes.
    pub fn volumes(&self) -> PathBuf {
        self.0.join("volumes")
    }

    /// Snapshots of machines, a folder for each.
    pub fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots")
    }

    /// A snapshot's files.
    pub fn snapshot(&self, id: &MachineId) -> PathBuf {
        self.snapshots().join(id.to_string())
    }

    /// Guest kernels with their modules and shared initramfs.
    pub fn kernels(&self) -> PathBuf {
        self.0.join("kernels")
    }

    /// The SSH key pair that guests let in.
    pub fn keys(&self) -> PathBuf {
        self.0.join("ssh")
    }

    /// One file per machine, locked while something is done to it.
    pub fn locks(&self) -> PathBuf {
        self.0.join("locks")
    }

    /// What belongs to one machine besides its disks.
    pub fn machine(&self, id: &MachineId) -> PathBuf {
        self.0.join("machines").join(id.to_string())
    }

    /// The initramfs a machine boots with. It holds the guest's private host key.
    pub fn initramfs(&self, id: &MachineId) -> PathBuf {
        self.machine(id).join("initramfs")
    }

    /// The guest's private host key.
    pub fn host_key(&self, id: &MachineId) -> PathBuf {
        self.machine(id).join("host_key")
    }

    /// What the guest wrote to its console since its last start: the boot log. Beside it lies that of the start before
    /// ([`crate::vmm::console::previous`]), and what is known of each.
    pub fn console(&self, id: &MachineId) -> PathBuf {
        self.machine(id).join("console.log")
    }

    /// The hypervisor's sockets and messages.
    pub fn run(&self, id: &MachineId) -> PathBuf {
        self.machine(id).join("run")
    }
}
