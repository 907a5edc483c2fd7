//! Acting as a user for a moment, in the server's own process.
//!
//! The server is root. What it opens for a user by name (a Unix socket, say) it must open with that user's rights, or
//! whoever may log in as anyone could reach what is root's alone, such as the private socket of systemd or of Docker.

use std::io;

use nix::libc;
use nix::unistd::{Uid, getgroups};

use crate::accounts::Account;

/// Leaves the number that it stands for as it is (setresuid(2)).
const KEEP: u32 = u32::MAX;

/// Calls `act` with the effective user, group and groups of `account`. It must not wait: the server has one thread.
/// A server that is not root has one user only and acts as that.
pub fn as_user<T>(
    account: &Account,
    groups: &[u32],
    act: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if !Uid::effective().is_root() || account.uid == 0 {
        return act();
    }
    let own_groups: Vec<u32> = getgroups()?.iter().map(|group| group.as_raw()).collect();
    let own_gid = nix::unistd::getegid().as_raw();
    let result = become_user(account.uid, account.gid, groups).and_then(|()| act());
    // The user first: only root may set groups.
    if set_uid(0).is_err() || set_groups(&own_groups).is_err() || set_gid(own_gid).is_err() {
        // Neither the user nor root: nothing that follows would be right.
        std::process::abort();
    }
    result
}

fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    set_groups(groups)?;
    set_gid(gid)?;
    set_uid(uid)
}

// System calls by number: those of the C library change every thread of the process.

fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: takes three integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, KEEP, uid, KEEP) })
}

fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: takes three integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, KEEP, gid, KEEP) })
}

fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads as many numbers as the slice holds.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_user_does_what_the_user_may_and_root_is_back_afterwards() {
        if !Uid::effective().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("secret"), "x").unwrap();
        let mode = |path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(path("secret"), 0o600);
        mode(dir.path().to_path_buf(), 0o777);
        let user = Account {
            name: "user".into(),
            uid: 4242,
            gid: 4243,
            home: "/".into(),
            shell: "".into(),
        };
        let read = as_user(&user, &[4243], || std::fs::read(path("secret")));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        as_user(&user, &[4243], || std::fs::write(path("own"), "x")).unwrap();
        let meta = path("own").metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4243));
        std::fs::write(path("again"), "x").unwrap();
        let meta = path("again").metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (0, 0));
    }
}
