use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::software::{kernel, new_enough};
use super::*;
use crate::store::Store;

/// A host on which everything is as it should be.
fn subject(dir: &Path) -> Subject {
    let kernel = crate::guest::kernel::test_kernel::kernel();
    let data_dir = dir.join("data");
    fs::create_dir(&data_dir).unwrap();
    std::os::unix::fs::symlink(kernel.dir().parent().unwrap(), data_dir.join("kernels")).unwrap();
    let (guest_program, key_file) = (dir.join("sistemo-guest"), dir.join("key"));
    fs::write(&guest_program, "\x7fELF").unwrap();
    fs::write(&key_file, "key").unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let database = data_dir.join("sistemo.db");
    Store::open(&database).unwrap();
    Subject {
        database,
        data_dir,
        guest_program,
        key_file,
        contain: contain::Choice::Auto,
        hypervisors: Hypervisors::default(),
        min_disk_free: ByteSize::mib(1),
    }
}

fn failed(checks: &[Check]) -> Vec<&'static str> {
    let failed = checks.iter().filter(|check| !check.ok);
    failed.map(|check| check.name).collect()
}

#[tokio::test]
async fn a_sound_host_passes_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let subject = subject(dir.path());
    let links = || fs::read_dir("/sys/class/net").unwrap().count();
    let before = links();
    let begun = Instant::now();
    let checks = examine(&subject).await;
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    assert_eq!(failed(&checks), [""; 0], "{checks:#?}");
    assert_eq!(checks.len(), 14);
    assert_eq!(links(), before);
    let mut left: Vec<String> = (fs::read_dir(&subject.data_dir).unwrap())
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("sistemo.db"))
        .collect();
    left.sort();
    assert_eq!(left, ["accelerator.json", "kernels", "sistemo.reserve"]);
}

#[tokio::test]
async fn each_fault_is_found_and_has_a_mend() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut subject = subject(dir.path());
    fs::write(
        &subject.database,
        "this is no database at all, but long enough to be one",
    )
    .unwrap();
    fs::set_permissions(&subject.key_file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&subject.guest_program, "#!/bin/sh").unwrap();
    fs::remove_file(subject.data_dir.join("kernels")).unwrap();
    subject.min_disk_free = ByteSize::gib(1 << 20);
    let checks = examine(&subject).await;
    assert_eq!(
        failed(&checks),
        ["kernel", "guest program", "disk", "database", "ssh keys"]
    );
    for check in checks.iter().filter(|check| !check.ok) {
        assert!(check.hint.is_some(), "{check:?}");
    }
    subject.data_dir = "/proc/no-such-place".into();
    subject.key_file = "/no/such/key".into();
    let checks = examine(&subject).await;
    assert!(failed(&checks).contains(&"data directory"), "{checks:#?}");
}

#[test]
fn a_damaged_kernel_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("kernels");
    let boot = store.join("6.1/boot");
    fs::create_dir_all(&boot).unwrap();
    std::os::unix::fs::symlink("6.1", store.join("current")).unwrap();
    for file in ["vmlinuz", "vmlinux"] {
        fs::write(store.join("6.1").join(file), "x").unwrap();
    }
    fs::write(boot.join("order"), "virtio\n").unwrap();
    let check = kernel(dir.path());
    assert!(!check.ok && check.message.contains("virtio"), "{check:?}");
    fs::write(boot.join("virtio.ko"), "x").unwrap();
    assert!(kernel(dir.path()).ok);
    fs::write(store.join("6.1/vmlinux"), "").unwrap();
    assert!(!kernel(dir.path()).ok);
}

#[test]
fn versions_are_compared_as_numbers() {
    for good in ["6.0.0", "7.2.22", "10.1.0"] {
        assert!(new_enough(good), "{good}");
    }
    for old in ["5.2.0", "", "x"] {
        assert!(!new_enough(old), "{old}");
    }
}
