//! Starting a program that goes on when its starter has ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use nix::unistd::setsid;
use tokio::process::{Child, Command};

use super::descriptors;

/// A log that has grown beyond this is put aside when the next program is to write to it. In bytes.
const LONGEST_LOG: u64 = 4 << 20;

/// Opens the log of such a program to write on, for nobody else to read; a long one begins anew, and the one before is
/// kept.
///
/// # Errors
///
/// As `open(2)` and `rename(2)`.
pub fn log_at(path: &Path) -> io::Result<File> {
    if path.metadata().is_ok_and(|meta| meta.len() > LONGEST_LOG) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// Starts `command` in a session of its own, with nothing on its standard input, its words in `output`, and no other
/// descriptor of the starter's: whoever waits for the end of a pipe does not wait for it.
///
/// # Errors
///
/// As `execve(2)`.
pub fn background(command: &mut Command, output: File) -> io::Result<Child> {
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let bound = descriptors::bound()?;
    // SAFETY: both calls are async-signal-safe, and no memory is touched.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            descriptors::close_at_exec(bound)
        });
    }
    command.spawn()
}
