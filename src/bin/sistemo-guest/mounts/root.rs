//! The image's root file system: mounted, made the root of everything, and the initramfs below it emptied.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::kernel::EARLY;
use super::volume::ext4;
use super::{MountError, make_folder};

/// Mounts the root disk at `place`. The journal is replayed by the kernel; no fsck is needed for that.
pub fn root(disk: &Path, read_only: bool, place: &Path) -> Result<(), MountError> {
    ext4(disk, place, read_only, None)
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

#[cfg(test)]
mod tests {
    use super::*;

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
