//! The step that makes a root disk out of an image.

use std::path::PathBuf;

use super::Error;
use super::journal::Operation;
use crate::error::Result;
use crate::host::space;
use crate::store::volumes::{Role, VolumeRow};
use crate::value::ByteSize;
use crate::volume;

/// Clones the image to the root disk. A machine that boots from an existing volume has nothing to clone.
pub(super) async fn clone_root(operation: &Operation<'_>) -> Result<()> {
    let Some(image) = operation.detail.image.clone() else {
        return Ok(());
    };
    let rooms = operation.rooms;
    let Some(root) = root_of(operation)? else {
        return Ok(());
    };
    let image_used = ByteSize::bytes(volume::used(&image).unwrap_or_default());
    space::check(
        &rooms.paths.volumes(),
        image_used,
        rooms.config.min_disk_free,
    )?;
    let (progress, cancel) = (operation.progress.clone(), operation.cancel.clone());
    let path = root.path.clone();
    let cloned = tokio::task::spawn_blocking(move || {
        let report = |done| progress.transfer("root", "root disk", done, None);
        volume::clone_image(&image, &path, root.size, &report, &|| cancel.is_cancelled())
    });
    match cloned.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) if operation.cancel.is_cancelled() => Err(Error::Cancelled.into()),
        Ok(Err(error)) => Err(error.into()),
        Err(join) => Err(Error::File {
            what: "write",
            path: root_path(operation)?.unwrap_or_default(),
            source: std::io::Error::other(join),
        }
        .into()),
    }
}

/// Removes what [`clone_root`] made.
pub(super) fn remove_root(operation: &Operation<'_>) -> Result<()> {
    if operation.detail.image.is_some()
        && let Some(path) = root_path(operation)?
    {
        volume::remove(&volume::partial(&path))?;
        volume::remove(&path)?;
    }
    Ok(())
}

fn root_of(operation: &Operation<'_>) -> Result<Option<VolumeRow>> {
    let volumes = operation.rooms.store.volumes_of(&operation.machine)?;
    Ok(volumes.into_iter().find(|volume| volume.role == Role::Root))
}

fn root_path(operation: &Operation<'_>) -> Result<Option<PathBuf>> {
    Ok(root_of(operation)?.map(|root| root.path))
}
