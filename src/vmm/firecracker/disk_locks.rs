//! Locks on disks, held by the hypervisor's process as long as it lives: Firecracker itself takes none.
//!
//! They are those that QEMU takes (block/file-posix.c, `raw_apply_lock_bytes`), so that machines under either keep out of
//! each other's way: a byte from 100 on for each thing that the holder does, a byte from 200 on for each that others may
//! not. All are read locks, which do not collide; whoever wants to begin looks whether a write lock could be had on the
//! opposite byte. The locks belong to the open file (fcntl(2), "Open file description locks"), which the hypervisor
//! inherits and never uses.

use std::fs::File;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::vmm::Disk;
use crate::vmm::error::Error;

/// Bytes for what is done.
const DOES: i64 = 100;
/// Bytes for what others may not do.
const FORBIDS: i64 = 200;
/// Bits of QEMU's permissions (include/block/block-common.h).
const CONSISTENT_READ: i64 = 0;
const WRITE: i64 = 1;

/// Takes the locks of every disk.
///
/// # Errors
///
/// [`Error::DiskInUse`] when another hypervisor's disagree.
pub(super) fn take(disks: &[Disk]) -> Result<Vec<OwnedFd>, Error> {
    disks
        .iter()
        .map(|disk| take_one(disk).map(Into::into))
        .collect()
}

fn take_one(disk: &Disk) -> Result<File, Error> {
    let fail = |source| Error::Disk {
        path: disk.path.clone(),
        source,
    };
    let file = File::open(&disk.path).map_err(fail)?;
    let done: &[i64] = match disk.read_only {
        true => &[CONSISTENT_READ],
        false => &[CONSISTENT_READ, WRITE],
    };
    // Any number may read; nobody else may write.
    let forbidden = [WRITE];
    let bytes = (done.iter().map(|bit| DOES + bit)).chain(forbidden.map(|bit| FORBIDS + bit));
    for byte in bytes {
        let lock = at(byte, libc::F_RDLCK);
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)) {
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(in_use(disk)),
            locked => locked.map_err(|errno| fail(errno.into()))?,
        };
    }
    // Taken first and looked at second: of two that begin at once at least one sees the other.
    let opposite = (done.iter().map(|bit| FORBIDS + bit)).chain(forbidden.map(|bit| DOES + bit));
    for byte in opposite {
        let mut lock = at(byte, libc::F_WRLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock)).map_err(|errno| fail(errno.into()))?;
        if lock.l_type != libc::F_UNLCK as libc::c_short {
            return Err(in_use(disk));
        }
    }
    Ok(file)
}

fn in_use(disk: &Disk) -> Error {
    Error::DiskInUse {
        path: disk.path.clone(),
    }
}

/// A lock on one byte.
fn at(byte: i64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(file: &tempfile::NamedTempFile, read_only: bool) -> Disk {
        Disk {
            path: file.path().into(),
            read_only,
            serial: String::new(),
        }
    }

    #[test]
    fn one_writes_or_many_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (writes, reads) = (disk(&file, false), disk(&file, true));
        let is_taken = |disk: &Disk| {
            let taken = take(std::slice::from_ref(disk));
            matches!(taken, Err(Error::DiskInUse { .. }))
        };
        let writer = take_one(&writes).unwrap();
        assert!(is_taken(&writes) && is_taken(&reads));
        drop(writer);
        let readers = [take_one(&reads).unwrap(), take_one(&reads).unwrap()];
        assert!(is_taken(&writes) && !is_taken(&reads));
        drop(readers);
        assert!(!is_taken(&writes));
    }

    #[test]
    fn a_disk_that_is_not_there_is_named() {
        let nowhere = Disk {
            path: "/no/such/disk".into(),
            read_only: false,
            serial: String::new(),
        };
        let error = take(&[nowhere]).unwrap_err();
        assert!(error.to_string().contains("/no/such/disk"), "{error}");
    }

    /// A machine of QEMU's that does nothing.
    fn qemu(path: &std::path::Path) -> std::process::Child {
        let file = format!(
            "driver=file,node-name=file,filename={},locking=on",
            path.display()
        );
        let arguments = [
            ["-machine", "microvm"],
            ["-accel", "tcg"],
            ["-display", "none"],
            ["-qmp", "stdio"],
            ["-blockdev", &file],
            ["-blockdev", "driver=raw,node-name=disk,file=file"],
            ["-device", "virtio-blk-device,drive=disk"],
        ];
        std::process::Command::new("qemu-system-x86_64")
            .args(["-nodefaults", "-S"])
            .args(arguments.as_flattened())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn qemu_and_we_heed_each_others_locks() {
        use std::io::{BufRead, BufReader, Write};
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let (writes, reads) = (disk(&file, false), disk(&file, true));
        let ours = take_one(&writes).unwrap();
        let ended = qemu(file.path()).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains("lock"), "{said}");
        drop(ours);
        let mut running = qemu(file.path());
        // It greets before it has its disk, and answers once it has.
        let mut orders = running.stdin.take().unwrap();
        writeln!(orders, r#"{{"execute":"qmp_capabilities"}}"#).unwrap();
        let printed = BufReader::new(running.stdout.take().unwrap());
        let mut lines = printed.lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("return")));
        for disk in [&writes, &reads] {
            let taken = take_one(disk);
            assert!(matches!(taken, Err(Error::DiskInUse { .. })), "{taken:?}");
        }
        running.kill().unwrap();
        running.wait().unwrap();
        take_one(&writes).unwrap();
    }
}
