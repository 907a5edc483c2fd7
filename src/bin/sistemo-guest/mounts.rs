//! File systems: the kernel's own in the initramfs, the image's root, and everything on top of it.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use sistemo::guest::words::Mount;

/// Why a file system is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("cannot make the folder {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot mount {what} at {place}")]
    Mount {
        what: String,
        place: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("{disk} holds no ext4 file system that can be mounted at {place}")]
    Disk {
        disk: PathBuf,
        place: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("{disk} holds no file system that this kernel knows, so its modules are not offered")]
    Modules {
        disk: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("cannot make {place} the root")]
    Root {
        place: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A file system of the kernel's own making: type, place, flags, options.
type Virtual = (&'static str, &'static str, MsFlags, &'static str);

const PLAIN: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);
const DEVICES: MsFlags = MsFlags::MS_NOSUID;
const SHARED_MEMORY: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// What the start itself needs; handed down to the image's root later.
const EARLY: [Virtual; 3] = [
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

/// Whether a folder holds anything.
fn is_furnished(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
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

fn make_folder(path: &Path) -> Result<(), MountError> {
    // Asked first: on a read-only root, making a folder that is there fails all the same.
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(|source| MountError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// Mounts the root disk at `place`. The journal is replayed by the kernel; no fsck is needed for that.
pub fn root(disk: &Path, read_only: bool, place: &Path) -> Result<(), MountError> {
    ext4(disk, place, read_only)
}

/// Mounts a volume where the user wants it.
pub fn volume(disk: &Path, volume: &Mount) -> Result<(), MountError> {
    ext4(disk, Path::new(&volume.path), volume.disk.read_only)
}

fn ext4(disk: &Path, place: &Path, read_only: bool) -> Result<(), MountError> {
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

/// Shows the kernel's file systems in the new root too. Not moved: the SSH server, on its way from the one root to the
/// other, must find `/dev/urandom` and `/proc` at any moment.
pub fn hand_down(root: &Path) -> Result<(), MountError> {
    for (_, place, ..) in &EARLY {
        let target = root.join(place.trim_start_matches('/'));
        make_folder(&target)?;
        mount(
            Some(*place),
            &target,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .map_err(|source| MountError::Mount {
            what: (*place).to_owned(),
            place: target,
            source,
        })?;
    }
    Ok(())
}

/// Makes `root` the root of everything, as switch_root(8) does; the initramfs, no longer reachable by a path.
pub fn switch_root(root: &Path) -> Result<OwnedFd, MountError> {
    let failed = |source: io::Error| MountError::Root {
        place: root.to_owned(),
        source,
    };
    let initramfs = File::open("/").map_err(failed)?;
    for (_, place, ..) in &EARLY {
        // One that stays is out of sight from now on, like all of the initramfs.
        let _ = umount2(*place, MntFlags::MNT_DETACH);
    }
    nix::unistd::chdir(root).map_err(|error| failed(error.into()))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .map_err(|error| failed(error.into()))?;
    nix::unistd::chroot(".").map_err(|error| failed(error.into()))?;
    nix::unistd::chdir("/").map_err(|error| failed(error.into()))?;
    Ok(initramfs.into())
}

/// Gives the initramfs' memory back. What is left behind costs memory and nothing else, so failures are passed over.
/// The running program stays, since it is running.
pub fn empty(initramfs: OwnedFd) {
    if let Ok(meta) = fstat(&initramfs) {
        remove_contents(initramfs, meta.st_dev);
    }
}

fn remove_contents(folder: OwnedFd, device: u64) {
    let Ok(copy) = folder.try_clone() else { return };
    let Ok(mut listing) = Dir::from_fd(copy) else {
        return;
    };
    let names: Vec<CString> = listing
        .iter()
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect();
    for name in names {
        let found: Result<FileStat, _> =
            fstatat(&folder, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        // Another device is something that is still mounted there.
        let Ok(meta) = found else { continue };
        if meta.st_dev != device {
            continue;
        }
        let is_folder = SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
        if is_folder {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            if let Ok(inner) =
                nix::fcntl::openat(folder.as_fd(), name.as_c_str(), flags, Mode::empty())
            {
                remove_contents(inner, device);
            }
        }
        let flags = if is_folder {
            UnlinkatFlags::RemoveDir
        } else {
            UnlinkatFlags::NoRemoveDir
        };
        let _ = unlinkat(&folder, name.as_c_str(), flags);
    }
}

/// File systems that a disk of modules may have.
const MODULES_TYPES: [&str; 3] = ["ext4", "squashfs", "erofs"];

/// Mounts the kernel's modules at `/lib/modules/RELEASE`, unless the image brings its own.
pub fn offer_modules(disk: &Path) -> Result<(), MountError> {
    let release = nix::sys::utsname::uname()
        .map_err(|source| MountError::Modules {
            disk: disk.to_owned(),
            source,
        })?
        .release()
        .to_owned();
    let place = Path::new("/lib/modules").join(release);
    if is_furnished(&place) {
        return Ok(());
    }
    make_folder(&place)?;
    let mut failure = Errno::ENODEV;
    for kind in MODULES_TYPES {
        match mount(
            Some(disk),
            &place,
            Some(kind),
            MsFlags::MS_RDONLY | MsFlags::MS_NODEV,
            None::<&str>,
        ) {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(MountError::Modules {
        disk: disk.to_owned(),
        source: failure,
    })
}

/// Writes everything out and makes what can be read-only so, before the power goes.
pub fn settle() {
    nix::unistd::sync();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    // The last mounted first.
    for place in disk_places(&mounts).into_iter().rev() {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let _ = mount(
            None::<&str>,
            Path::new(&place),
            None::<&str>,
            flags,
            None::<&str>,
        );
    }
    nix::unistd::sync();
}

/// Where disks are mounted, of `/proc/self/mounts`; octal escapes as in fstab(5).
fn disk_places(mounts: &str) -> Vec<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let (device, rest) = line.split_once(' ')?;
            let place = rest.split(' ').next()?;
            device.starts_with("/dev/").then(|| {
                place
                    .replace("\\040", " ")
                    .replace("\\011", "\t")
                    .replace("\\012", "\n")
                    .replace("\\134", "\\")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_are_settled_and_their_places_unescaped() {
        let mounts = "/dev/vda / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/vdb /mnt/my\\040data ext4 rw 0 0\n";
        assert_eq!(disk_places(mounts), ["/", "/mnt/my data"]);
    }

    #[test]
    fn emptying_removes_everything_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(root.join("a/file"), "x").unwrap();
        std::fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("a/link")).unwrap();
        empty(File::open(&root).unwrap().into());
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
        assert!(outside.join("kept").exists());
    }
}
