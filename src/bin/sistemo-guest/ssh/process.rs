//! Starting a process for a user: identity, session, terminal, and nothing of the server's left in it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::libc;
use nix::unistd::{Gid, Uid};
use tokio::process::{Child, Command};

use crate::accounts::Account;
use crate::environment::Environment;

/// All that a process needs.
#[derive(Debug)]
pub struct Launch<'a> {
    pub program: PathBuf,
    /// The name that the program sees as its own; a login shell's begins with `-`.
    pub name: OsString,
    pub arguments: Vec<OsString>,
    pub environment: &'a Environment,
    /// Whom to become; `None` stays root (a program that drops its privileges by itself).
    pub account: Option<(&'a Account, Vec<u32>)>,
    pub directory: PathBuf,
    /// The process's side of its terminal; without one it gets three pipes.
    pub terminal: Option<&'a OwnedFd>,
}

/// Starts it as the leader of a session and process group of its own.
pub fn start(launch: Launch<'_>) -> io::Result<Child> {
    let mut command = Command::new(&launch.program);
    command
        .arg0(&launch.name)
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment);
    match launch.terminal {
        Some(slave) => {
            command
                .stdin(slave.try_clone()?)
                .stdout(slave.try_clone()?)
                .stderr(slave.try_clone()?);
        }
        None => {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        }
    }
    let controlling = launch.terminal.is_some();
    let directory = std::ffi::CString::new(launch.directory.as_os_str().as_bytes())?;
    // Only root can become someone else; a server that a test runs as a user serves that user.
    let identity =
        launch
            .account
            .filter(|_| Uid::effective().is_root())
            .map(|(account, groups)| {
                let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
                (
                    Uid::from_raw(account.uid),
                    Gid::from_raw(account.gid),
                    groups,
                )
            });
    let before_exec = move || -> io::Result<()> {
        nix::unistd::setsid()?;
        if controlling {
            super::pty::control(io::stdin().as_fd())?;
        }
        restore_signals();
        restore_oom_score();
        super::descriptors::restore();
        // SAFETY: marks descriptors of this process only; the standard three are kept.
        unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                RawFd::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        if let Some((uid, gid, groups)) = &identity {
            nix::unistd::setgroups(groups)?;
            nix::unistd::setgid(*gid)?;
            nix::unistd::setuid(*uid)?;
        }
        // As the user, whose home may be closed to others. One that is missing is no reason to refuse.
        if nix::unistd::chdir(directory.as_c_str()).is_err() {
            nix::unistd::chdir("/")?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only and allocates nothing; the server has no other threads.
    unsafe { command.pre_exec(before_exec) };
    command.spawn()
}

/// What the server's own starter ignored, its processes do not: only handlers go with exec, not SIG_IGN (signal(7)).
fn restore_signals() {
    for number in 1..=libc::SIGSYS {
        // SAFETY: SIG_DFL is no code of ours. SIGKILL and SIGSTOP cannot be set, and need not be.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// The server is the last to be killed when memory runs out (see `super::protect`); what it starts is not.
fn restore_oom_score() {
    // A failure leaves the process harder to kill, no more; and there is nobody to tell here.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}

/// Where a bare program name lies on `path` (`PATH`'s form); `None` when it is nowhere. For an image without a shell.
pub fn look_up(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    path.split(':')
        .map(|folder| Path::new(if folder.is_empty() { "." } else { folder }).join(program))
        .find(|file| is_program(file))
}

/// Whether `file` is a regular file that someone may execute.
pub fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Makes a pipe large, so that bulk data needs fewer turns. Past the user's limit it stays as it is.
pub fn widen(pipe: &impl AsRawFd) {
    // SAFETY: F_SETPIPE_SZ takes an integer and touches no memory of ours.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, 256 * 1024) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        for folder in [&first, &second] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(first.join("tool"), "not executable").unwrap();
        std::fs::write(second.join("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(
            second.join("tool"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let path = format!("{}:{}", first.display(), second.display());
        assert_eq!(look_up("tool", &path), Some(second.join("tool")));
        assert_eq!(look_up("nothing", &path), None);
        assert_eq!(look_up("./x", &path), Some(PathBuf::from("./x")));
    }
}
