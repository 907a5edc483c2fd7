//! Becoming a user in a child that is about to run a program.

use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;

use nix::libc;

/// Has the child begin a session of its own, take `terminal` for its controlling one, and run as that user and those
/// groups.
pub(crate) fn become_user(
    command: &mut std::process::Command,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    terminal: Option<RawFd>,
) {
    let change = uid != nix::unistd::Uid::effective().as_raw() || uid == 0;
    // SAFETY: only system calls between fork and exec, on numbers and a list made before the fork.
    unsafe {
        command.pre_exec(move || {
            check(libc::setsid())?;
            if let Some(terminal) = terminal {
                check(libc::ioctl(terminal, libc::TIOCSCTTY, 0))?;
            }
            if change {
                check(libc::setgroups(groups.len(), groups.as_ptr()))?;
                check(libc::setgid(gid))?;
                check(libc::setuid(uid))?;
            }
            Ok(())
        });
    }
}

fn check(outcome: i32) -> std::io::Result<()> {
    nix::errno::Errno::result(outcome)
        .map(drop)
        .map_err(Into::into)
}
