//! Files in folders that somebody else may write to.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

/// Opens a file to read it where somebody else may have put anything in its place: a link is not followed, and nobody is
/// waited for (open(2), `O_NOFOLLOW`, `O_NONBLOCK`). What it is has still to be looked at.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}
