//! The user's volumes at the machine's start: each is mounted, or it is said why it is not.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sistemo::guest::words::Mount;

use crate::disks::{self, DiskError};
use crate::mounts::{self, MountError};
use crate::uevent::Uevents;
use crate::{console, grow};

/// Why a volume is not there.
#[derive(Debug, thiserror::Error)]
enum VolumeError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Mount(#[from] MountError),
}

/// Mounts them in this order.
pub fn mount_all(volumes: &[Mount], uevents: &Uevents) {
    for volume in volumes {
        let place = mounts::volume_place(volume);
        let failure = match place {
            Ok(place) => match attach(volume, &place, uevents) {
                Ok(()) => continue,
                Err(error) => missing(&error, Some(place)),
            },
            Err(error) => missing(&error.into(), None),
        };
        console::say(&format!("sistemo-guest: volume {}: {failure}", volume.path));
    }
}

fn attach(volume: &Mount, place: &Path, uevents: &Uevents) -> Result<(), VolumeError> {
    let disk = disks::find(&volume.disk, uevents)?;
    let below = place.metadata();
    mounts::volume(&disk, place, volume.disk.read_only)?;
    if volume.disk.read_only {
        return Ok(());
    }
    // A file system that stays small is a volume all the same.
    if let Err(error) = grow::to_disk(&disk, place) {
        console::say(&format!("sistemo-guest: {}", console::report(&error)));
    }
    if let Ok(below) = below
        && is_empty(place)
    {
        // One that keeps its owner is mended by whoever enters.
        let _ = std::os::unix::fs::chown(place, Some(below.uid()), Some(below.gid()));
        let _ = std::fs::set_permissions(place, below.permissions());
    }
    Ok(())
}

/// Whether nothing was ever put on a volume. It then belongs to whom the image's folder below it belongs to, as with
/// container runtimes: an application that is not root could not write to it.
fn is_empty(place: &Path) -> bool {
    std::fs::read_dir(place).is_ok_and(|entries| {
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.all(|name| name == "lost+found")
    })
}

/// Puts a stand-in where the volume would be; what there is to say.
fn missing(error: &VolumeError, place: Option<PathBuf>) -> String {
    let why = format!("NOT MOUNTED: {}", console::report(error));
    match place.map(|place| mounts::stand_in(&place, &why)) {
        Some(Ok(())) => format!("{why}; nothing can be written there until it is mended"),
        Some(Err(error)) => {
            let worse = console::report(&error);
            format!("{why}; what is written there goes to the root disk ({worse})")
        }
        None => why,
    }
}
