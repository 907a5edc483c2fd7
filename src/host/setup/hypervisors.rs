//! What the settings say of hypervisors, and whether Firecracker is lacking.

use std::path::{Path, PathBuf};

use super::firecracker::Release;
use crate::config::Config;
use crate::vmm::firecracker::Firecracker as Driver;
use crate::vmm::{self, Accelerator, Choice, Hypervisor, HypervisorChoice};

/// The settings that say what machines run under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hypervisors {
    /// The `vmm` setting.
    pub choice: HypervisorChoice,
    /// The `accelerator` setting.
    pub accelerator: Choice,
    /// The `firecracker` setting.
    pub program: Option<PathBuf>,
    /// The `firecracker_mirror` setting.
    pub mirror: Option<String>,
}

impl From<&Config> for Hypervisors {
    fn from(config: &Config) -> Self {
        Hypervisors {
            choice: config.vmm,
            accelerator: config.accelerator,
            program: config.firecracker.clone(),
            mirror: config.firecracker_mirror.clone(),
        }
    }
}

/// Firecracker on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firecracker {
    /// Machines are not to run under it, or cannot; or the settings name one, which is not for setup to bring.
    NotWanted,
    /// A usable one is there.
    There,
    /// It is to be brought. `required` when machines are to run under nothing else.
    Lacking { release: Release, required: bool },
}

impl Hypervisors {
    /// What has to be done about Firecracker. Blocks for less than a second.
    pub(super) fn firecracker(&self, data_dir: &Path) -> Firecracker {
        if self.choice.only() == Some(Hypervisor::Qemu) || self.program.is_some() {
            return Firecracker::NotWanted;
        }
        if vmm::choose(self.accelerator, data_dir).accelerator != Accelerator::Kvm {
            return Firecracker::NotWanted;
        }
        let found = Driver::find(data_dir, None).and_then(|driver| driver.release_blocking());
        match (found, Release::of_host(self.mirror.as_deref())) {
            (Ok(_), _) => Firecracker::There,
            (Err(_), Ok(release)) => Firecracker::Lacking {
                release,
                required: self.choice.only().is_some(),
            },
            (Err(_), Err(_)) => Firecracker::NotWanted,
        }
    }
}
