//! Which of this program's descriptors the programs have that it starts.

use std::io;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};

/// The first descriptor that is not one of the standard three.
const FIRST: RawFd = 3;

/// What no process has more descriptors than unless an administrator raises it (proc_sys_fs(5), `nr_open`). In containers
/// limits may be far beyond what anybody uses, and each number costs a call on an old kernel.
const MOST: RawFd = 1 << 20;

/// Below which number the descriptors of this process lie: its limit of open files (getrlimit(2)).
pub fn bound() -> io::Result<RawFd> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(RawFd::try_from(limit).unwrap_or(MOST).min(MOST))
}

/// Has all descriptors but the standard three close when another program is executed, whoever opened them. Kernels before
/// 5.11 have to be told of each (close_range(2)), and container engines that do not know the call refuse it; then those
/// below `bound` are meant, which is [`bound`].
///
/// May be called between fork and exec: it makes system calls alone.
pub fn close_at_exec(bound: RawFd) -> io::Result<()> {
    // SAFETY: it marks descriptors and touches no memory.
    let marked = unsafe {
        libc::close_range(
            FIRST as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_int,
        )
    };
    if marked == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS | libc::EPERM) => {
            close_each_at_exec(FIRST, bound);
            Ok(())
        }
        _ => Err(error),
    }
}

fn close_each_at_exec(first: RawFd, bound: RawFd) {
    for descriptor in first..bound {
        // SAFETY: it marks a descriptor, or fails because there is none.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn descriptors_are_marked_one_by_one_too() {
        let file = File::open("/dev/null").unwrap();
        // Beyond what other tests of this program open.
        let at_least = |least: RawFd| {
            // SAFETY: the descriptor is new and nobody else's.
            unsafe {
                let number = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, least);
                assert!(number >= least);
                OwnedFd::from_raw_fd(number)
            }
        };
        let (below, above) = (at_least(900), at_least(950));
        close_each_at_exec(900, 950);
        let flags = |file: &OwnedFd| fcntl(file, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags(&below), FdFlag::FD_CLOEXEC.bits());
        assert_eq!(flags(&above), 0);
        close_at_exec(bound().unwrap()).unwrap();
        assert_eq!(flags(&above), FdFlag::FD_CLOEXEC.bits());
    }
}
