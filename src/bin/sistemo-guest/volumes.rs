//! The user's volumes at the machine's start: each is mounted, or it is said why it is not.

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
    mounts::volume(&disk, place, volume.disk.read_only)?;
    // A file system that stays small is a volume all the same.
    if !volume.disk.read_only
        && let Err(error) = grow::to_disk(&disk, place)
    {
        console::say(&format!("sistemo-guest: {}", console::report(&error)));
    }
    Ok(())
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
