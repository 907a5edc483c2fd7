//! Whether a snapshot still fits this host: its memory is only understood by what saved it.

use super::super::{Error, Rooms};
use crate::error::Result;
use crate::guest::words;
use crate::store::machines::MachineRow;
use crate::store::snapshots::{Memory, SnapshotRow};
use crate::vmm::{self, Hypervisor};

impl Rooms {
    /// Refuses a snapshot whose files are gone, or whose memory this host cannot load, with the reason.
    pub(super) async fn refuse_unfit(&self, row: &SnapshotRow) -> Result<()> {
        let unfit = |why: String, disks_fit| -> crate::error::Error {
            Error::SnapshotUnfit {
                machine: row.taken.machine.clone(),
                snapshot: row.name.clone(),
                why,
                disks_fit,
            }
            .into()
        };
        let folder = self.paths.snapshot(&row.id);
        for disk in &row.taken.disks {
            let path = folder.join(&disk.file);
            if !path.is_file() {
                let why = format!("its disk {} is gone: {}", disk.name, path.display());
                return Err(unfit(why, false));
            }
        }
        let Some(memory) = &row.taken.memory else {
            return Ok(());
        };
        if let Some(modules) = row.taken.modules.as_ref().filter(|path| !path.is_file()) {
            let why = format!(
                "the disk of its kernel's modules is gone: {}",
                modules.display()
            );
            return Err(unfit(why, true));
        }
        let vmm = match self.driver(saved_by(row).unwrap_or(Hypervisor::Qemu)) {
            Ok(vmm) => vmm,
            Err(error) => {
                let why = format!("it was made under {}: {error}", memory.vmm);
                return Err(unfit(why, true));
            }
        };
        let choice = vmm::choose(self.config.accelerator, self.paths.data_dir());
        let here = Memory {
            vmm: vmm.name().into(),
            version: vmm.version().await?,
            accelerator: choice.accelerator.as_str().into(),
            processor: vmm::processor(choice.accelerator),
            orders: words::ORDERS_VERSION,
        };
        match difference(memory, &here) {
            Some(why) => Err(unfit(why, true)),
            None => Ok(()),
        }
    }

    /// Finds out what [`Rooms::refuse_unfit`] will want to know of the hypervisor that a machine runs under. What cannot
    /// be found out is its to complain about.
    pub(super) async fn prepare_to_load(&self, row: &MachineRow) {
        if row.status.is_up()
            && let Ok(vmm) = self.driver_of(row)
        {
            let _ = vmm.version().await;
        }
    }
}

/// What a snapshot's memory was saved by, and is loaded by; none when it has none.
pub(in crate::machine) fn saved_by(row: &SnapshotRow) -> Option<Hypervisor> {
    row.taken.memory.as_ref()?.vmm.parse().ok()
}

/// Why what was saved by one cannot be loaded by the other.
fn difference(saved: &Memory, here: &Memory) -> Option<String> {
    let other = |what: &str, saved: &str, here: &str| {
        (saved != here).then(|| format!("it was made {what} {saved}, and here is {here}"))
    };
    other("under", &saved.vmm, &here.vmm)
        .or_else(|| {
            let of = |memory: &Memory| format!("{} {}", memory.vmm, memory.version);
            other("by", &of(saved), &of(here))
        })
        .or_else(|| other("with", &saved.accelerator, &here.accelerator))
        .or_else(|| other("on the processor", &saved.processor, &here.processor))
        .or_else(|| {
            (saved.orders != here.orders)
                .then(|| "its guest was started by another version of Sistemo".into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_the_reason() {
        let memory = |vmm: &str, version: &str, accelerator: &str, processor: &str| Memory {
            vmm: vmm.into(),
            version: version.into(),
            accelerator: accelerator.into(),
            processor: processor.into(),
            orders: words::ORDERS_VERSION,
        };
        let saved = memory("qemu", "7.2.22", "kvm", "A (01)");
        assert_eq!(difference(&saved, &saved), None);
        for (here, why) in [
            (
                memory("firecracker", "1.13.0", "kvm", "A (01)"),
                "firecracker",
            ),
            (
                memory("qemu", "8.0.0", "kvm", "A (01)"),
                "by qemu 7.2.22, and here is qemu 8.0.0",
            ),
            (
                memory("qemu", "7.2.22", "tcg", ""),
                "with kvm, and here is tcg",
            ),
            (
                memory("qemu", "7.2.22", "kvm", "B (02)"),
                "processor A (01), and here is B (02)",
            ),
        ] {
            let said = difference(&saved, &here).unwrap();
            assert!(said.contains(why), "{said}");
        }
        let older = Memory {
            orders: 0,
            ..saved.clone()
        };
        let said = difference(&older, &saved).unwrap();
        assert!(said.contains("another version of Sistemo"), "{said}");
    }
}
