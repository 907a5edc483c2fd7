//! The kernel's file systems, and the step from the initramfs into the image's root.

use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::{Doing, Outcome};

/// Where the image's root is mounted before it becomes `/`.
pub(crate) const NEW_ROOT: &str = "/newroot";

/// What the initramfs needs to find devices.
pub(crate) fn early() -> Outcome {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    attach("proc", "/proc", quiet | MsFlags::MS_NODEV, None)?;
    attach("sysfs", "/sys", quiet | MsFlags::MS_NODEV, None)?;
    attach("devtmpfs", "/dev", quiet, Some("mode=0755"))
}

fn attach(kind: &str, place: &str, flags: MsFlags, options: Option<&str>) -> Outcome {
    let _ = std::fs::create_dir_all(place);
    match mount(Some(kind), place, Some(kind), flags, options) {
        Ok(()) | Err(nix::Error::EBUSY) => Ok(()),
        Err(error) => Err(error).doing(format_args!("mounting {place}")),
    }
}

/// Makes the image's root the root of everything, as switch_root(8) does, with the kernel's file systems in it and the
/// initramfs emptied.
pub(crate) fn enter_root() -> Outcome {
    for place in ["/dev", "/proc", "/sys"] {
        let inside = format!("{NEW_ROOT}{place}");
        let _ = std::fs::create_dir_all(&inside);
        mount(
            Some(place),
            inside.as_str(),
            None::<&str>,
            MsFlags::MS_MOVE,
            None::<&str>,
        )
        .doing(format_args!(
            "moving {place} into the root (has the image a folder {place}?)"
        ))?;
    }
    empty(Path::new("/"));
    std::env::set_current_dir(NEW_ROOT).doing("entering the root")?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).doing("moving the root")?;
    nix::unistd::chroot(".").doing("changing the root")?;
    std::env::set_current_dir("/").doing("entering the root")?;
    let terminals = "gid=5,mode=620,ptmxmode=666";
    attach(
        "devpts",
        "/dev/pts",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some(terminals),
    )
}

/// What an init would mount, for an image that has none.
pub(crate) fn late() {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // An image may lack the folders on a root that cannot be written; what cannot be mounted is missed by few.
    let _ = attach("tmpfs", "/dev/shm", quiet, Some("mode=1777"));
    let _ = attach("tmpfs", "/run", quiet, Some("mode=0755"));
    let _ = attach("tmpfs", "/tmp", quiet, Some("mode=1777"));
    let _ = attach(
        "cgroup2",
        "/sys/fs/cgroup",
        quiet | MsFlags::MS_NOEXEC,
        None,
    );
}

/// Removes the initramfs's files, whose memory is the guest's. Other file systems are left alone.
fn empty(folder: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(here) = std::fs::symlink_metadata(folder) else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.dev() != here.dev() {
            continue;
        }
        if meta.is_dir() {
            empty(&path);
            let _ = std::fs::remove_dir(&path);
        } else {
            let _ = std::fs::remove_file(&path);
        }
    }
}
