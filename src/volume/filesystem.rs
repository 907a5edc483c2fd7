//! The file systems on volumes: made, checked and grown by the tools of e2fsprogs, while no machine has the disk.
//!
//! Growing is the one thing here that must not be cut short. Its tools run in a process group of their own, which a
//! Ctrl-C at the terminal does not reach, and they inherit the volume's lock: if the command that started them is
//! killed they finish, and nobody takes the volume before they have.

use std::fs::OpenOptions;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::{Error, partial};
use crate::host::command::CommandLine;
use crate::host::packages::Tool;
use crate::value::ByteSize;

/// The smallest volume: room for an ext4 with a journal.
pub const LEAST: ByteSize = ByteSize::mib(8);

/// Exit status of e2fsck(8): nothing wrong, or all of it mended.
const MENDED: [i32; 2] = [0, 1];

/// Makes an empty ext4 of `size` at `disk`, labelled `label`. It appears under its name only when it is whole, so a
/// killed one leaves just `DISK.partial`.
pub async fn make(disk: &Path, size: ByteSize, label: &str) -> Result<(), Error> {
    let made = partial(disk);
    let fail = |source| Error::Make {
        path: disk.into(),
        source,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&made);
    file.and_then(|file| file.set_len(size.as_u64()))
        .map_err(fail)?;
    // ext4's label has 16 bytes. All blocks are a user's, and tables that a hole reads as zeroes need not be written.
    let label: String = label.chars().take(16).collect();
    let line = tool(Tool::Mkfs)
        .words(["-q", "-F", "-b", "4096", "-m", "0", "-L", &label])
        .words(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"])
        .path(&made);
    line.run(Path::new("/"), None).await?;
    std::fs::File::open(&made)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(&made, disk))
        .map_err(fail)
}

/// Makes `disk` at least `size` long, and its file system as long as it is. Whoever holds `lock` goes on holding it
/// until this is done, even if this process is killed. Doing it again finishes one that was cut short.
pub async fn grow(disk: &Path, size: ByteSize, lock: BorrowedFd<'_>) -> Result<ByteSize, Error> {
    let fail = |source| Error::Grow {
        path: disk.into(),
        source,
    };
    let length = (|| {
        let file = OpenOptions::new().write(true).open(disk)?;
        let length = file.metadata()?.len();
        if length < size.as_u64() {
            file.set_len(size.as_u64())?;
        }
        Ok(length.max(size.as_u64()))
    })()
    .map_err(fail)?;
    // resize2fs wants a file system that was checked since it was last mounted. One that never was is as it was made.
    if !is_known_good(disk).map_err(fail)? {
        let check = tool(Tool::E2fsck).words(["-f", "-p"]).path(disk);
        check.run_to_the_end(lock, &MENDED).await?;
    }
    let grow = tool(Tool::Resize2fs).path(disk);
    grow.run_to_the_end(lock, &[0]).await?;
    Ok(ByteSize::bytes(length))
}

/// Whether the file system has been made, or checked, since it was last mounted, and says that it is whole: what
/// resize2fs(8) asks of one. It is read from the superblock
/// (<https://docs.kernel.org/filesystems/ext4/globals.html#super-block>).
fn is_known_good(disk: &Path) -> std::io::Result<bool> {
    const AT: u64 = 1024;
    const MAGIC: u16 = 0xef53;
    /// It was unmounted cleanly, and no error is noted.
    const CLEAN: u16 = 1;
    /// The journal is to be replayed.
    const RECOVER: u32 = 4;
    let mut bytes = [0; 0x64];
    let read = std::fs::File::open(disk)?.read_exact_at(&mut bytes, AT);
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let long = |at: usize| u32::from(short(at)) | u32::from(short(at + 2)) << 16;
    let (mounted, checked) = (long(0x2c), long(0x40));
    Ok(short(0x38) == MAGIC
        && short(0x3a) == CLEAN
        && long(0x60) & RECOVER == 0
        && checked >= mounted)
}

fn tool(tool: Tool) -> CommandLine {
    let program = tool.find().unwrap_or_else(|| tool.program().into());
    CommandLine::new([program.display().to_string()])
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn what_was_mounted_or_is_damaged_is_not_taken_for_good() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let disk = folder.path().join("disk");
        make(&disk, ByteSize::mib(16), "data").await.unwrap();
        assert!(is_known_good(&disk).unwrap());
        let change = |request: &str| {
            let done = std::process::Command::new("debugfs")
                .args(["-w", "-R", request])
                .arg(&disk)
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        for (spoil, mend) in [
            ("ssv mtime 20400101000000", "ssv mtime 0"),
            ("ssv state 3", "ssv state 1"),
            ("ssv state 0", "ssv state 1"),
            ("feature needs_recovery", "feature -needs_recovery"),
        ] {
            change(spoil);
            assert!(!is_known_good(&disk).unwrap(), "{spoil}");
            change(mend);
            assert!(is_known_good(&disk).unwrap(), "{mend}");
        }
        std::fs::write(&disk, "not a disk").unwrap();
        assert!(!is_known_good(&disk).unwrap());
    }

    #[tokio::test]
    async fn a_file_system_grows_whether_or_not_it_was_mounted() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let lock = tempfile::tempfile().unwrap();
        for mounted in [false, true] {
            let disk = folder.path().join("disk");
            make(&disk, ByteSize::mib(16), "data").await.unwrap();
            if mounted {
                let ago = ["-w", "-R", "ssv mtime 20400101000000"];
                let mut debugfs = std::process::Command::new("debugfs");
                let done = debugfs.args(ago).arg(&disk).output().unwrap();
                assert!(done.status.success(), "{done:?}");
            }
            let size = ByteSize::mib(64);
            assert_eq!(grow(&disk, size, lock.as_fd()).await.unwrap(), size);
            let check = std::process::Command::new("e2fsck")
                .args(["-f", "-n"])
                .arg(&disk)
                .output();
            let check = check.unwrap();
            assert!(check.status.success(), "{check:?}");
            assert!(
                String::from_utf8_lossy(&check.stdout).contains("/16384 blocks"),
                "{check:?}"
            );
        }
    }
}
