//! Mounts as the kernel lists them (proc_pid_mountinfo(5)).

use std::path::PathBuf;

/// Where a file system of that type is mounted, by the text of `/proc/self/mountinfo`.
pub(super) fn mount_point(mountinfo: &str, kind: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let found = after.split(' ').next() == Some(kind);
        found.then(|| before.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// Whether the root is the file system that the kernel unpacks an initramfs into.
pub(super) fn is_on_initramfs(mountinfo: &str) -> bool {
    let mut roots = mountinfo.lines().rev().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        (before.split(' ').nth(4) == Some("/")).then(|| after.split(' ').next())?
    });
    // What was mounted last covers the others.
    roots.next() == Some("rootfs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_type() {
        let text = "24 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n\
                    30 24 0:26 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        let found = mount_point(text, "cgroup2");
        assert_eq!(found, Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_point(text, "cgroup"), None);
    }

    #[test]
    fn an_initramfs_is_told_from_a_root_on_a_disk() {
        let initramfs = "1 1 0:2 / / rw shared:1 - rootfs none rw\n\
                         24 1 0:22 / /sys rw - sysfs sysfs rw\n";
        assert!(is_on_initramfs(initramfs));
        let disk = format!("{initramfs}30 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n");
        assert!(!is_on_initramfs(&disk));
    }
}
