//! The file systems on volumes: made, checked and grown by the tools of e2fsprogs, while no machine has the disk.
//!
//! Growing is the one thing here that must not be cut short. Its tools run in a process group of their own, which a
//! Ctrl-C at the terminal does not reach, and they inherit the volume's lock: if the command that started them is
//! killed they finish, and nobody takes the volume before they have.

use std::fs::OpenOptions;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
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
    // resize2fs wants a file system that was checked since it was last mounted.
    let check = tool(Tool::E2fsck).words(["-f", "-p"]).path(disk);
    check.run_to_the_end(lock, &MENDED).await?;
    let grow = tool(Tool::Resize2fs).path(disk);
    grow.run_to_the_end(lock, &[0]).await?;
    Ok(ByteSize::bytes(length))
}

fn tool(tool: Tool) -> CommandLine {
    let program = tool.find().unwrap_or_else(|| tool.program().into());
    CommandLine::new([program.display().to_string()])
}
