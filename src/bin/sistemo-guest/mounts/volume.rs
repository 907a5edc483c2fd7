//! The user's volumes: disks with an ext4 file system, each at its place.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use sistemo::guest::words::Mount;

use super::{MountError, make_folder};

/// Mounts a volume where the user wants it.
pub fn volume(disk: &Path, volume: &Mount) -> Result<(), MountError> {
    ext4(disk, Path::new(&volume.path), volume.disk.read_only)
}

pub(super) fn ext4(disk: &Path, place: &Path, read_only: bool) -> Result<(), MountError> {
    make_folder(place)?;
    let flags = if read_only {
        MsFlags::MS_RDONLY
    } else {
        MsFlags::empty()
    };
    mount(Some(disk), place, Some("ext4"), flags, None::<&str>).map_err(|source| MountError::Disk {
        disk: disk.to_owned(),
        place: place.to_owned(),
        source,
    })
}
