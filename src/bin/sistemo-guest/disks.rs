//! The root disk, data volumes, and the disk with the kernel's modules.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use sistemo::guest::words::{Disk, Mount};

use crate::mounts::NEW_ROOT;
use crate::{Doing, Outcome, say};

nix::ioctl_write_ptr!(
    /// `EXT4_IOC_RESIZE_FS` (Documentation/filesystems/ext4/ioctl): grow a mounted file system to so many blocks.
    ext4_resize, b'f', 16, u64
);

/// Mounts the root and grows its file system to the size of its disk.
pub(crate) fn mount_root(disk: &Disk) -> Outcome {
    let device = find(disk)?;
    attach(&device, NEW_ROOT, disk.read_only)
        .doing(format_args!("mounting the root disk {device}"))?;
    if !disk.read_only {
        grow(&device, NEW_ROOT);
    }
    Ok(())
}

/// Mounts data volumes. One that cannot be mounted is said on the console, and the machine comes up without it: its
/// owner can enter and look.
pub(crate) fn mount_volumes(volumes: &[Mount]) {
    for volume in volumes {
        let place = format!("{NEW_ROOT}{}", volume.path);
        let mounted = find(&volume.disk).and_then(|device| {
            std::fs::create_dir_all(&place).doing(format_args!("making {}", volume.path))?;
            attach(&device, &place, volume.disk.read_only)
                .doing(format_args!("mounting {device} on {}", volume.path))?;
            if !volume.disk.read_only {
                grow(&device, &place);
            }
            Ok(())
        });
        if let Err(why) = mounted {
            say(&format!("sistemo-guest: {why}"));
        }
    }
}

/// Offers the running kernel's modules at `/lib/modules/RELEASE` when the image has none there.
pub(crate) fn offer_modules(disk: Option<&Disk>) {
    let Some(disk) = disk else { return };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // `/lib` is a link to `usr/lib` in most images, and an absolute link would lead out of the new root.
    let lib = match Path::new(NEW_ROOT).join("usr/lib").is_dir() {
        true => "usr/lib",
        false => "lib",
    };
    let place = format!("{NEW_ROOT}/{lib}/modules/{}", release.trim());
    let taken = std::fs::read_dir(&place).is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        return;
    }
    let mounted = find(disk).and_then(|device| {
        std::fs::create_dir_all(&place).doing("making a place for kernel modules")?;
        attach(&device, &place, true).doing("mounting the kernel modules")
    });
    if let Err(why) = mounted {
        say(&format!("sistemo-guest: {why}"));
    }
}

fn attach(device: &str, place: &str, read_only: bool) -> Result<(), nix::Error> {
    let flags = if read_only {
        MsFlags::MS_RDONLY
    } else {
        MsFlags::empty()
    };
    // Continuing after a file system error would spread it.
    let options = if read_only {
        None
    } else {
        Some("errors=remount-ro")
    };
    mount(
        Some(device),
        place,
        Some("ext4"),
        flags | MsFlags::MS_RELATIME,
        options,
    )
}

/// The device of a disk: by its serial number, else by its place. Its driver may still be at work.
fn find(disk: &Disk) -> Outcome<String> {
    let begun = Instant::now();
    loop {
        let mut names: Vec<String> = std::fs::read_dir("/sys/block")
            .doing("listing disks")?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("vd"))
            .collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        let serial = |name: &&String| {
            let path = format!("/sys/block/{name}/serial");
            std::fs::read_to_string(path).is_ok_and(|serial| serial.trim() == disk.serial)
        };
        if let Some(name) = names.iter().find(serial) {
            return Ok(format!("/dev/{name}"));
        }
        let nameless = names.iter().all(|name| {
            let serial = std::fs::read_to_string(format!("/sys/block/{name}/serial"));
            serial.is_ok_and(|serial| serial.trim() != "root")
        });
        if let Some(name) = names.get(disk.index).filter(|_| nameless) {
            return Ok(format!("/dev/{name}"));
        }
        if begun.elapsed() > Duration::from_secs(5) {
            let (serial, index) = (&disk.serial, disk.index);
            return Err(format!(
                "there is no disk {serial:?}, nor a disk number {index}"
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Grows an ext4 file system to the end of its disk, while it is mounted. One that cannot grow is used as it is.
fn grow(device: &str, place: &str) {
    let grown = || -> Outcome {
        let name = device.trim_start_matches("/dev/");
        let sectors = std::fs::read_to_string(format!("/sys/block/{name}/size")).doing("sizing")?;
        let sectors: u64 = sectors.trim().parse().doing("sizing")?;
        let stat = nix::sys::statfs::statfs(place).doing("sizing")?;
        let block = u64::try_from(stat.block_size()).doing("sizing")?;
        // The kernel counts a disk in sectors of 512 bytes whatever its own are.
        let wanted = sectors * 512 / block;
        let file = File::open(place).doing("opening")?;
        // SAFETY: the descriptor is open and the pointer leads to a number of the size that the call reads.
        match unsafe { ext4_resize(file.as_raw_fd(), &raw const wanted) } {
            Ok(_) => Ok(()),
            // EINVAL is said when nothing is to be done or the file system would have to shrink.
            Err(nix::Error::EINVAL) => Ok(()),
            Err(error) => Err(error).doing("resizing"),
        }
    };
    if let Err(why) = grown() {
        say(&format!(
            "sistemo-guest: the file system on {device} was not grown: {why}"
        ));
    }
}
