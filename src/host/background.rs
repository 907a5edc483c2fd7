//! Starting a program that goes on when its starter has ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;

use nix::libc;
use nix::unistd::setsid;
use tokio::process::{Child, Command};

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
    // SAFETY: setsid(2) and close_range(2) are async-signal-safe, and no memory is touched.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            let flag = libc::CLOSE_RANGE_CLOEXEC as libc::c_int;
            match libc::close_range(3, libc::c_uint::MAX, flag) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    command.spawn()
}
