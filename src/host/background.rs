//! Starting a program that goes on when its starter has ended.

use std::fs::File;
use std::io;
use std::process::Stdio;

use nix::libc;
use nix::unistd::setsid;
use tokio::process::{Child, Command};

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
