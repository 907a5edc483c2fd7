//! The kernel's own file systems: those that the start needs, and those that sessions and applications expect.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::{MountError, is_furnished, make_folder};

/// A file system of the kernel's own making: type, place, flags, options.
type Virtual = (&'static str, &'static str, MsFlags, &'static str);

const PLAIN: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);
const DEVICES: MsFlags = MsFlags::MS_NOSUID;
const SHARED_MEMORY: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// What the start itself needs; handed down to the image's root later.
pub(super) const EARLY: [Virtual; 3] = [
    ("proc", "/proc", PLAIN, ""),
    ("sysfs", "/sys", PLAIN, ""),
    ("devtmpfs", "/dev", DEVICES, "mode=0755"),
];

/// What lives from one start to the next power-off (hier(7)).
const RUN: &str = "/run";

/// What sessions and applications expect, with the options that systemd(1) would choose: it keeps what it finds.
const LATE: [Virtual; 3] = [
    (
        "devpts",
        "/dev/pts",
        MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
        "mode=0620,gid=5,ptmxmode=000",
    ),
    ("tmpfs", "/dev/shm", SHARED_MEMORY, "mode=1777"),
    (
        "tmpfs",
        RUN,
        SHARED_MEMORY,
        "mode=0755,size=20%,nr_inodes=800k",
    ),
];

/// For an image without an init, whose application may look for its limits.
const CGROUPS: Virtual = ("cgroup2", "/sys/fs/cgroup", PLAIN, "nsdelegate");

/// Mounts the kernel's file systems in the initramfs.
pub fn early() -> Result<(), MountError> {
    EARLY.iter().try_for_each(mount_virtual)
}

/// Mounts the rest of them in the image's root. One that fails (a read-only root without the folder) is missed by
/// whoever needs it, not by the start.
///
/// An application without an init keeps the `/run` of its image, as in a container: nobody would make the folders in
/// it anew that the image's maker put there (`/run/mysqld`, `/run/postgresql`).
pub fn late(for_init: bool) {
    for entry in &LATE {
        if for_init || entry.1 != RUN || !is_furnished(Path::new(RUN)) {
            let _ = mount_virtual(entry);
        }
    }
}

/// Mounts the control groups, for an image without an init.
pub fn cgroups() {
    let _ = mount_virtual(&CGROUPS);
}

fn mount_virtual((kind, place, flags, options): &Virtual) -> Result<(), MountError> {
    let place = Path::new(place);
    make_folder(place)?;
    match mount(Some(*kind), place, Some(*kind), *flags, Some(*options)) {
        // Mounted already, by the kernel.
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(source) => Err(MountError::Mount {
            what: (*kind).to_owned(),
            place: place.to_owned(),
            source,
        }),
    }
}
