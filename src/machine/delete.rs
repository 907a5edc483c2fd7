//! Delete: nothing of the machine is left, its snapshots included, but for data volumes, and the root volume when it is to be kept.

use tokio_util::sync::CancellationToken;

use super::journal::{Detail, Operation};
use super::{Error, Machines};
use crate::error::Result;
use crate::event::Progress;
use crate::store::operations::OperationKind;
use crate::store::volumes::Role;
use crate::volume;

impl Machines {
    /// Deletes a machine, whatever it is doing. `preserve_storage` keeps its root volume.
    pub async fn delete(
        &self,
        name: &str,
        preserve_storage: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let rooms = &*self.0;
        let (row, lock) = rooms.take(name, "delete", progress, cancel).await?;
        let begun = std::time::Instant::now();
        let operation = Operation {
            rooms,
            machine: row.id,
            name: row.name.clone(),
            kind: OperationKind::Delete,
            detail: Detail {
                preserve_storage,
                ..Detail::default()
            },
            progress,
            cancel,
            no_wait: false,
        };
        let outcome = operation.run().await;
        rooms.note_history("machine", "delete", &row.name, begun, &outcome);
        outcome?;
        lock.retire()?;
        Ok(())
    }
}

/// Removes the root volume unless it is kept, and frees the others.
pub(super) fn remove_volumes(operation: &Operation<'_>) -> Result<()> {
    let store = &operation.rooms.store;
    for row in store.volumes_of(&operation.machine)? {
        if row.role == Role::Root && !operation.detail.preserve_storage {
            volume::remove(&volume::partial(&row.path))?;
            volume::remove(&row.path)?;
            store.remove_volume(&row.id)?;
        } else {
            store.release_volume(&row.id)?;
        }
    }
    Ok(())
}

/// Removes the machine's snapshots, whole or not. One that was made for a fork is that one's.
pub(super) fn remove_snapshots(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    for row in rooms.store.snapshots_to_delete(&operation.machine)? {
        rooms.remove_snapshot(&row)?;
    }
    Ok(())
}

/// Removes the machine's folder; at the end of a delete also its row.
pub(super) fn remove_files(operation: &Operation<'_>) -> Result<()> {
    let path = operation.rooms.paths.machine(&operation.machine);
    match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::File {
                what: "remove",
                path,
                source,
            }
            .into());
        }
        _ => {}
    }
    if operation.kind == OperationKind::Delete {
        operation.rooms.store.remove_machine(&operation.machine)?;
    }
    Ok(())
}
