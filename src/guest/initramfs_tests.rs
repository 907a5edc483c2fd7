//! Archives are read back by the `cpio` program; that a kernel accepts them is tested with the hypervisor's driver.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

use super::super::kernel::Kernels;
use super::super::words;
use super::*;

fn config() -> Config {
    Config {
        hostname: "web".into(),
        network: None,
        authorized_keys: vec!["ssh-ed25519 AAAA me".into()],
        host_key: "-----BEGIN OPENSSH PRIVATE KEY-----".into(),
        root: words::Disk {
            serial: "root".into(),
            index: 0,
            read_only: false,
        },
        volumes: vec![],
        modules: None,
        hosts: vec![],
        command: None,
    }
}

/// A kernel directory with two modules, without a kernel.
fn kernel(data: &Path) -> Kernel {
    let boot = data.join("kernels/6.1/boot");
    fs::create_dir_all(&boot).unwrap();
    fs::write(data.join("kernels/6.1/vmlinuz"), "").unwrap();
    fs::write(boot.join("order"), "virtio\nvirtio_blk\n").unwrap();
    fs::write(boot.join("virtio.ko"), "one").unwrap();
    fs::write(boot.join("virtio_blk.ko"), "two!").unwrap();
    Kernels::new(data).get("6.1").unwrap()
}

fn program(dir: &Path, content: &str) -> PathBuf {
    let path = dir.join("sistemo-guest");
    fs::write(&path, format!("\x7fELF{content}")).unwrap();
    path
}

/// Unpacks with GNU cpio, archive after archive, as the kernel does.
fn unpack(archive: &Path, into: &Path) {
    fs::create_dir(into).unwrap();
    let made = Command::new("sh")
        .args(["-ec", "while cpio -idm --quiet 2>/dev/null; do :; done"])
        .current_dir(into)
        .stdin(Stdio::from(File::open(archive).unwrap()))
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn both_archives_are_unpacked_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = kernel(dir.path());
    // Lengths that are no multiple of four.
    let shared = shared(&kernel, &program(dir.path(), "12345")).unwrap();
    let out = dir.path().join("initramfs");
    write(&shared, &config(), &out).unwrap();
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let tree = dir.path().join("tree");
    unpack(&shared, &tree);
    let at = |path: &str| tree.join(path.trim_start_matches('/'));
    assert_eq!(fs::read(at(PROGRAM_PATH)).unwrap(), b"\x7fELF12345");
    let mode = at(PROGRAM_PATH).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(fs::read_link(at("/init")).unwrap(), Path::new(PROGRAM_PATH));
    let order = fs::read_to_string(at(MODULES_ORDER)).unwrap();
    assert_eq!(order, "virtio\nvirtio_blk\n");
    let module = fs::read(at(&format!("{MODULES_DIR}/virtio_blk.ko"))).unwrap();
    assert_eq!(module, b"two!");
    assert!(
        at("/dev/console")
            .metadata()
            .unwrap()
            .file_type()
            .is_char_device()
    );
    for directory in DIRECTORIES {
        assert!(at(directory).is_dir(), "{directory}");
    }

    // The second archive begins where the first one ends.
    let (whole, first) = (fs::read(&out).unwrap(), fs::read(&shared).unwrap());
    let begin = first.len() + padding(first.len() as u64);
    assert_eq!(&whole[..first.len()], first);
    let second = dir.path().join("second");
    fs::write(&second, &whole[begin..]).unwrap();
    let own = dir.path().join("own");
    fs::create_dir_all(own.join("sistemo")).unwrap();
    let entry = cpio::NewcReader::new(File::open(&second).unwrap()).unwrap();
    assert_eq!(entry.entry().name(), CONFIG_PATH.trim_start_matches('/'));
    assert_eq!(entry.entry().mode() & 0o777, 0o600);
    let read: Config = serde_json::from_reader(entry).unwrap();
    assert_eq!(read, config());
}

#[test]
fn the_shared_archive_is_made_once_for_each_program() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = kernel(dir.path());
    let first = shared(&kernel, &program(dir.path(), "one")).unwrap();
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
    let made = inode(&first);
    assert_eq!(shared(&kernel, &program(dir.path(), "one")).unwrap(), first);
    assert_eq!(inode(&first), made);
    assert_ne!(shared(&kernel, &program(dir.path(), "two")).unwrap(), first);
}

#[test]
fn what_is_no_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let kernel = kernel(dir.path());
    let script = dir.path().join("script");
    fs::write(&script, "#!/bin/sh").unwrap();
    assert!(matches!(
        shared(&kernel, &script),
        Err(Error::NotAProgram { .. })
    ));
    let missing = dir.path().join("missing");
    assert!(matches!(
        shared(&kernel, &missing),
        Err(Error::Program { .. })
    ));
}

#[test]
fn a_failure_leaves_nothing_half_made() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("initramfs");
    let error = write(&dir.path().join("missing"), &config(), &out).unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(!out.exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
