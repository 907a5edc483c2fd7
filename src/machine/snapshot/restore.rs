//! Restore: a machine becomes what it was at a snapshot. What its disks hold since is lost, once that has succeeded.
//!
//! ```text
//!   disk            disk            disk.before     disk (the snapshot's)
//!             ─►    disk.restored   disk       ─►
//!                   staged          swapped         old ones dropped
//! ```
//!
//! Until the last step everything can be taken back: the machine is stopped then, with the disks that it had.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::super::journal::{Detail, Operation};
use super::super::start::check_memory;
use super::super::stop::{refuse_unless, unfinished};
use super::super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::OperationKind;
use crate::store::snapshots::SnapshotRow;
use crate::value::ByteSize;
use crate::volume;

impl Machines {
    /// Has a machine be what it was at a snapshot: with its memory it goes on from there, without it is stopped. With
    /// `disks_only` the memory is left out.
    pub async fn restore(
        &self,
        machine: &str,
        snapshot: &str,
        disks_only: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, lock) = rooms.take(machine, "restore", progress, cancel).await?;
        refuse_unless(
            &row,
            &[
                Status::Running,
                Status::Paused,
                Status::Stopped,
                Status::Failed,
            ],
            &unfinished(&row),
        )?;
        let (mut snapshot, _) = rooms.find_snapshot(machine, snapshot)?;
        if disks_only {
            snapshot.taken.memory = None;
        }
        rooms.refuse_unfit(&snapshot).await?;
        let disks = rooms.same_disks(&row, &snapshot)?;
        let kind = match snapshot.taken.memory {
            Some(_) => OperationKind::Restore,
            None => OperationKind::RestoreDisks,
        };
        if kind == OperationKind::Restore && !row.status.is_up() {
            rooms.refuse_busy(&row).await?;
            check_memory(row.spec.memory)?;
        }
        let begun = std::time::Instant::now();
        let operation = Operation {
            rooms,
            machine: row.id,
            name: row.name.clone(),
            kind,
            detail: Detail {
                was: Some(row.status),
                snapshot: Some(snapshot.id),
                disks,
                ..Detail::default()
            },
            progress,
            cancel,
            no_wait: false,
        };
        let outcome = operation.run().await;
        rooms.note_history("machine", "snapshot restore", &row.name, begun, &outcome);
        outcome?;
        rooms.bury_finished(&row.id, &lock, progress).await?;
        self.show(&row.id.to_string())
    }
}

impl Rooms {
    /// The machine's volumes in the order of the snapshot's disks; refused when they are others by now.
    fn same_disks(&self, row: &MachineRow, snapshot: &SnapshotRow) -> Result<Vec<String>> {
        let unfit = |why: String| Error::SnapshotUnfit {
            machine: row.name.clone(),
            snapshot: snapshot.name.clone(),
            why,
            disks_fit: false,
        };
        let current = self.store.volumes_of(&row.id)?;
        for disk in &snapshot.taken.disks {
            if !current.iter().any(|volume| volume.id == disk.volume) {
                let why = format!(
                    "its volume {} does not belong to the machine any more",
                    disk.name
                );
                return Err(unfit(why).into());
            }
        }
        let known = |id: &str| snapshot.taken.disks.iter().any(|disk| disk.volume == id);
        if let Some(more) = current.iter().find(|volume| !known(&volume.id)) {
            let why = format!("volume {} was attached after it was made", more.name);
            return Err(unfit(why).into());
        }
        let disks = snapshot.taken.disks.iter();
        Ok(disks.map(|disk| disk.volume.clone()).collect())
    }
}

/// A disk with more behind its name.
fn beside(disk: &Path, suffix: &str) -> PathBuf {
    let mut name = disk.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn staged(disk: &Path) -> PathBuf {
    beside(disk, ".restored")
}

fn old(disk: &Path) -> PathBuf {
    beside(disk, ".before")
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    let fail = |source| Error::File {
        what: "rename",
        path: from.into(),
        source,
    };
    Ok(std::fs::rename(from, to).map_err(fail)?)
}

/// Copies the snapshot's disks beside the machine's own.
pub(in crate::machine) async fn stage_disks(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    let folder = rooms.paths.snapshot(&snapshot.id);
    let mut pairs = Vec::new();
    for (disk, id) in snapshot.taken.disks.iter().zip(&operation.detail.disks) {
        let volume = rooms.store.volume(id)?;
        let volume = volume.ok_or_else(|| volume::Error::Unknown(disk.name.to_string()))?;
        pairs.push((folder.join(&disk.file), staged(&volume.path), disk.size));
    }
    super::disks::copy(operation, pairs).await
}

/// Puts the snapshot's disks in the place of the machine's.
pub(in crate::machine) fn swap_disks(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    for (disk, id) in snapshot.taken.disks.iter().zip(&operation.detail.disks) {
        let Some(volume) = rooms.store.volume(id)? else {
            continue;
        };
        if staged(&volume.path).exists() {
            rename(&volume.path, &old(&volume.path))?;
            rename(&staged(&volume.path), &volume.path)?;
        }
        rooms.store.end_on_volume(id, disk.size)?;
    }
    Ok(())
}

/// Gives the machine back the disks that it had, and removes copies.
pub(in crate::machine) fn swap_back(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    for id in &operation.detail.disks {
        let Some(volume) = rooms.store.volume(id)? else {
            continue;
        };
        if old(&volume.path).exists() {
            rename(&old(&volume.path), &volume.path)?;
        }
        let copy = staged(&volume.path);
        volume::remove(&volume::partial(&copy))?;
        volume::remove(&copy)?;
        if let Ok(meta) = std::fs::metadata(&volume.path) {
            rooms.store.end_on_volume(id, ByteSize::bytes(meta.len()))?;
        }
    }
    Ok(())
}

/// Removes the disks that the machine had. There is no way back from here.
pub(in crate::machine) fn drop_old_disks(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    for id in &operation.detail.disks {
        if let Some(volume) = rooms.store.volume(id)? {
            volume::reclaim(&old(&volume.path))?;
        }
    }
    Ok(())
}
