//! The user's volumes: disks with an ext4 file system, each at its place.
//!
//! ```text
//!   disk, path ──▶ place: links followed inside the root, folders made ──▶ mounted
//!                    │                                                       │ damaged, no ext4, no disk
//!                    └─ no such place can be made: said                      └─▶ a stand-in: read-only, empty but for
//!                                                                                a file that says why
//! ```
//!
//! A machine starts without a volume that cannot be mounted: someone must be able to log in and mend it. The stand-in
//! keeps programs from writing to the root disk what they believe to be on the volume.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use sistemo::guest::words::Mount;

use super::kernel::EARLY;
use super::{MountError, make_folder};

/// In a stand-in: the file that says why the volume is not there.
const NOTICE: &str = "VOLUME-NOT-MOUNTED";
/// Most links that are followed on the way to a place, as in the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Makes the place where the user wants the volume; its path without links.
pub fn volume_place(volume: &Mount) -> Result<PathBuf, MountError> {
    let failed = |source| MountError::Folder {
        path: PathBuf::from(&volume.path),
        source,
    };
    let place = place_below(Path::new("/"), Path::new(&volume.path)).map_err(failed)?;
    let needed = EARLY
        .iter()
        .any(|(_, kernel_s, ..)| Path::new(kernel_s) == place);
    if needed || place == Path::new("/") {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the machine needs what is there",
        )));
    }
    Ok(place)
}

/// Mounts a volume at its place. Damage that shows only later makes it read-only and never stops the machine, whatever
/// its superblock asks for (ext4(5), `errors=`).
pub fn volume(disk: &Path, place: &Path, read_only: bool) -> Result<(), MountError> {
    ext4(disk, place, read_only, Some("errors=remount-ro"))
}

/// Puts a stand-in at the place of a volume that is not there.
pub fn stand_in(place: &Path, why: &str) -> Result<(), MountError> {
    let failed = |source| MountError::Mount {
        what: "a stand-in".into(),
        place: place.to_owned(),
        source,
    };
    let mount_with = |flags| {
        let (name, options) = (Some("sistemo-missing-volume"), Some("mode=0755,size=64k"));
        mount(name, place, Some("tmpfs"), flags, options).map_err(failed)
    };
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount_with(flags)?;
    // Without the file the folder is empty and read-only all the same.
    let _ = std::fs::write(place.join(NOTICE), format!("{why}\n"));
    mount_with(flags | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)
}

pub(super) fn ext4(
    disk: &Path,
    place: &Path,
    read_only: bool,
    options: Option<&str>,
) -> Result<(), MountError> {
    make_folder(place)?;
    let flags = if read_only {
        MsFlags::MS_RDONLY
    } else {
        MsFlags::empty()
    };
    mount(Some(disk), place, Some("ext4"), flags, options).map_err(|source| MountError::Disk {
        disk: disk.to_owned(),
        place: place.to_owned(),
        source,
    })
}

/// The folder that `path` means for a process whose root is `root`, without links. What is missing on the way is made,
/// even what a link points to.
fn place_below(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut ahead = parts(path);
    let (mut place, mut links) = (PathBuf::new(), 0);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            // Above the root is the root.
            place.pop();
            continue;
        }
        let next = root.join(&place).join(&part);
        match next.symlink_metadata() {
            Ok(meta) if meta.is_symlink() => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::ELOOP.into());
                }
                let target = next.read_link()?;
                if target.is_absolute() {
                    place = PathBuf::new();
                }
                ahead.extend(parts(&target));
                continue;
            }
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Errno::ENOTDIR.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir(&next)?,
            Err(error) => return Err(error),
        }
        place.push(part);
    }
    Ok(root.join(place))
}

/// The names in a path, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn links_are_followed_inside_the_root_and_folders_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("mnt")).unwrap();
        symlink("/mnt/x", root.join("srv")).unwrap();
        symlink("../../../etc", root.join("mnt/up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        std::fs::write(root.join("file"), "").unwrap();
        let of = |path: &str| place_below(&root, Path::new(path));
        assert_eq!(of("/new/and/deep").unwrap(), root.join("new/and/deep"));
        assert_eq!(of("/srv").unwrap(), root.join("mnt/x"));
        assert_eq!(of("/srv/data/").unwrap(), root.join("mnt/x/data"));
        assert_eq!(of("/mnt/up/x").unwrap(), root.join("etc/x"));
        assert_eq!(of("/../../x").unwrap(), root.join("x"));
        assert_eq!(of("relative/x").unwrap(), root.join("relative/x"));
        assert_eq!(of("/loop").unwrap_err().raw_os_error(), Some(40));
        assert_eq!(
            of("/file/x").unwrap_err().kind(),
            io::ErrorKind::NotADirectory
        );
        for made in ["new/and/deep", "mnt/x/data", "etc/x", "x", "relative/x"] {
            assert!(root.join(made).is_dir(), "{made}");
        }
        // Nothing beside the root.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Runs in a mount namespace of its own, in a thread of its own; not at all for who may not make one.
    fn apart(test: impl FnOnce(&Path) + Send + 'static) {
        let thread = std::thread::spawn(|| {
            if unshare(CloneFlags::CLONE_NEWNS).is_err() {
                return;
            }
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("root");
            std::fs::create_dir(&root).unwrap();
            test(&root);
            let _ = nix::mount::umount2(&root, nix::mount::MntFlags::MNT_DETACH);
        });
        thread.join().unwrap();
    }

    #[test]
    fn what_is_not_mounted_cannot_be_written_to_and_says_why() {
        apart(|place| {
            std::fs::write(place.join("of the image"), "").unwrap();
            stand_in(place, "the disk is damaged").unwrap();
            let written = std::fs::write(place.join("data"), "");
            assert_eq!(
                written.unwrap_err().kind(),
                io::ErrorKind::ReadOnlyFilesystem
            );
            let notice = std::fs::read_to_string(place.join(NOTICE)).unwrap();
            assert_eq!(notice, "the disk is damaged\n");
            assert!(!place.join("of the image").exists());
        });
    }

    /// With a disk that is a file; not at all where the kernel offers none.
    #[test]
    fn a_damaged_file_system_is_refused_with_the_disk_and_the_place() {
        use std::process::Command;

        apart(|place| {
            let image = tempfile::NamedTempFile::new().unwrap();
            image.as_file().set_len(16 << 20).unwrap();
            let made = Command::new("mkfs.ext4")
                .arg("-q")
                .arg(image.path())
                .status();
            assert!(made.unwrap().success());
            let attached = Command::new("losetup")
                .args(["--find", "--show"])
                .arg(image.path())
                .output();
            let Some(attached) = attached.ok().filter(|output| output.status.success()) else {
                return;
            };
            let disk = PathBuf::from(String::from_utf8(attached.stdout).unwrap().trim());
            let whole = volume(&disk, place, false);
            let _ = nix::mount::umount(place);
            // The superblock's magic number (see `grow`).
            let damage = std::fs::File::options().write(true).open(&disk).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&damage, &[0; 2], 1024 + 0x38).unwrap();
            damage.sync_all().unwrap();
            let damaged = volume(&disk, place, false);
            let detached = Command::new("losetup").arg("--detach").arg(&disk).status();
            assert!(detached.unwrap().success());
            whole.unwrap();
            let said = crate::console::report(&damaged.unwrap_err());
            let wanted = format!("{} holds no ext4 file system", disk.display());
            assert!(said.starts_with(&wanted), "{said}");
            assert!(said.contains(place.to_str().unwrap()), "{said}");
        });
    }

    #[test]
    fn a_read_only_root_has_the_places_that_are_there_and_no_others() {
        apart(|root| {
            mount(
                Some("x"),
                root,
                Some("tmpfs"),
                MsFlags::empty(),
                None::<&str>,
            )
            .unwrap();
            std::fs::create_dir(root.join("there")).unwrap();
            symlink("/there", root.join("link")).unwrap();
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(Some("x"), root, Some("tmpfs"), flags, None::<&str>).unwrap();
            let of = |path: &str| place_below(root, Path::new(path));
            assert_eq!(of("/link").unwrap(), root.join("there"));
            assert_eq!(
                of("/missing").unwrap_err().kind(),
                io::ErrorKind::ReadOnlyFilesystem
            );
        });
    }

    #[test]
    fn the_start_s_own_places_are_refused() {
        for path in ["/", "/proc", "/../dev/", "."] {
            let volume = Mount {
                disk: sistemo::guest::words::Disk {
                    serial: String::new(),
                    index: 0,
                    read_only: false,
                },
                path: path.into(),
            };
            let refused = volume_place(&volume).unwrap_err();
            assert!(
                crate::console::report(&refused).contains("needs what is there"),
                "{path}"
            );
        }
    }
}
