//! The steps that make a fork's disks, and copying disks.

use std::path::PathBuf;

use super::super::Error;
use super::super::journal::Operation;
use crate::error::Result;
use crate::host::space;
use crate::store::operations::OperationKind;
use crate::value::ByteSize;
use crate::{vmm, volume};

/// Makes the machine's disks of those in the snapshot.
pub(in crate::machine) async fn clone_disks(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    let folder = rooms.paths.snapshot(&snapshot.id);
    let mut pairs = Vec::new();
    for (disk, id) in snapshot.taken.disks.iter().zip(&operation.detail.disks) {
        let volume = rooms.store.volume(id)?;
        let volume = volume.ok_or_else(|| volume::Error::Unknown(disk.name.to_string()))?;
        pairs.push((folder.join(&disk.file), volume.path, disk.size));
    }
    if snapshot.passing {
        // It goes when the fork is there: its disks need no copy.
        let moved = pairs
            .iter()
            .try_for_each(|(from, to, _)| std::fs::rename(from, to));
        match moved {
            // The volumes are on a file system of their own.
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {}
            Err(source) => {
                let (what, path) = ("move the disks of", folder);
                return Err(Error::File { what, path, source }.into());
            }
            Ok(()) => return Ok(()),
        }
    }
    copy(operation, pairs).await
}

/// Removes what [`clone_disks`] made, and what was written down of it.
pub(in crate::machine) fn remove_disks(operation: &Operation<'_>) -> Result<()> {
    let store = &operation.rooms.store;
    for id in &operation.detail.disks {
        if let Some(row) = store.volume(id)? {
            volume::remove(&volume::partial(&row.path))?;
            volume::remove(&row.path)?;
            store.remove_volume(id)?;
        }
    }
    Ok(())
}

/// Copies disks to where volumes are, each to its place and of its size, if there is room for them, and for the memory that
/// a launch is going to copy.
pub(super) async fn copy(
    operation: &Operation<'_>,
    pairs: Vec<(PathBuf, PathBuf, ByteSize)>,
) -> Result<()> {
    let rooms = operation.rooms;
    let snapshot = operation.snapshot()?;
    let memory = match operation.kind {
        OperationKind::Fork | OperationKind::Restore if !snapshot.passing => {
            vmm::copied_to_load(&rooms.paths.snapshot(&snapshot.id))
        }
        _ => 0,
    };
    let disks = pairs.iter().filter_map(|(from, ..)| volume::used(from));
    let disks = disks.sum::<u64>();
    // They may lie on one file system or on two.
    for (place, needed) in [
        (rooms.paths.volumes(), disks + memory),
        (rooms.paths.data_dir().into(), memory),
    ] {
        let needed = ByteSize::bytes(needed);
        space::check(&place, needed, rooms.config.min_disk_free)?;
    }
    let (progress, cancel) = (operation.progress.clone(), operation.cancel.clone());
    let copied = tokio::task::spawn_blocking(move || {
        let report = |done| progress.transfer("disks", "disks", done, None);
        for (from, to, size) in &pairs {
            volume::clone_image(from, to, *size, &report, &|| cancel.is_cancelled())?;
        }
        Ok::<_, volume::Error>(())
    });
    match copied.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) if operation.cancel.is_cancelled() => Err(Error::Cancelled.into()),
        Ok(Err(error)) => Err(error.into()),
        Err(join) => Err(Error::File {
            what: "write",
            path: rooms.paths.volumes(),
            source: std::io::Error::other(join),
        }
        .into()),
    }
}
