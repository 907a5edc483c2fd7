//! All that is mounted from disks, written out before the power goes.

use std::path::Path;

use nix::mount::{MsFlags, mount};

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
}
