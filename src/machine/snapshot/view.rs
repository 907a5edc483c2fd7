//! Snapshots as front ends see them.

use serde::Serialize;

use crate::store::machines::MachineRow;
use crate::store::snapshots::SnapshotRow;

/// A snapshot. The field names are the keys of `-o json`; they are only ever added to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Snapshot {
    pub id: String,
    pub name: String,
    /// The machine that it is of.
    pub machine: String,
    pub machine_id: String,
    /// Whether it has the machine's memory: machines made of it go on, and do not boot.
    pub memory: bool,
    pub vcpus: u8,
    pub memory_bytes: u64,
    /// What its files take on the host's disk.
    pub used_bytes: u64,
    /// What loads its memory: the hypervisor, its version and what executes the guest; `null` without memory.
    pub vmm: Option<String>,
    pub vmm_version: Option<String>,
    pub accelerator: Option<String>,
    pub disks: Vec<SnapshotDisk>,
    pub created_at: String,
}

/// A disk in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SnapshotDisk {
    /// What the volume was called.
    pub name: String,
    pub role: String,
    pub size_bytes: u64,
    pub mount_path: Option<String>,
}

pub(super) fn view(row: &SnapshotRow, machine: &MachineRow) -> Snapshot {
    let taken = &row.taken;
    let memory = taken.memory.as_ref();
    Snapshot {
        id: row.id.to_string(),
        name: row.name.to_string(),
        machine: machine.name.to_string(),
        machine_id: machine.id.to_string(),
        memory: memory.is_some(),
        vcpus: taken.spec.vcpus,
        memory_bytes: taken.spec.memory.as_u64(),
        used_bytes: row.size.as_u64(),
        vmm: memory.map(|memory| memory.vmm.clone()),
        vmm_version: memory.map(|memory| memory.version.clone()),
        accelerator: memory.map(|memory| memory.accelerator.clone()),
        disks: taken
            .disks
            .iter()
            .map(|disk| SnapshotDisk {
                name: disk.name.to_string(),
                role: disk.role.to_string(),
                size_bytes: disk.size.as_u64(),
                mount_path: disk.mount_path.clone(),
            })
            .collect(),
        created_at: row.created_at.clone(),
    }
}
