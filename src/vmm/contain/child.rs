//! The last moments before a hypervisor is executed: in the child, after the fork, where only system calls may be made
//! (signal-safety(7)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::write;

use super::enclosure::{Enclosure, Limits};
use super::error::Error;

/// What is left to be done in the child. Its descriptors stay open until the fork.
pub(in crate::vmm) struct Last {
    owner: u32,
    limits: Limits,
    group: Option<OwnedFd>,
    /// `/proc` of the host.
    proc: OwnedFd,
}

/// The same for the child: numbers alone.
#[derive(Clone, Copy)]
pub(in crate::vmm) struct LastNumbers {
    owner: u32,
    limits: Limits,
    group: Option<RawFd>,
    pub(in crate::vmm) proc: RawFd,
}

impl Last {
    /// Moves this thread behind the enclosure's root; what is left is for the process that it starts next.
    pub(in crate::vmm) fn enter(enclosure: &Enclosure, has_network: bool) -> Result<Last, Error> {
        let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let proc = open("/proc", how, Mode::empty()).map_err(Error::act("open /proc"))?;
        let group = enclosure.prepare()?;
        enclosure.enter(has_network)?;
        Ok(Last {
            owner: enclosure.owner.number(),
            limits: enclosure.limits,
            group: group.map(OwnedFd::from),
            proc,
        })
    }

    pub(in crate::vmm) fn numbers(&self) -> LastNumbers {
        LastNumbers {
            owner: self.owner,
            limits: self.limits,
            group: self.group.as_ref().map(AsRawFd::as_raw_fd),
            proc: self.proc.as_raw_fd(),
        }
    }
}

impl LastNumbers {
    /// Into the control group, under the limits, to the machine's user, without any capability.
    pub(in crate::vmm) fn act(&self) -> io::Result<()> {
        if let Some(group) = self.group {
            // SAFETY: the parent's descriptor is open across the fork.
            let group = unsafe { BorrowedFd::borrow_raw(group) };
            // 0 is whoever writes it (cgroups(7)).
            write(group, b"0")?;
        }
        let Limits {
            processes,
            open_files,
            file_size,
            data,
            ..
        } = self.limits;
        limit(Resource::RLIMIT_NPROC, processes)?;
        limit(Resource::RLIMIT_NOFILE, open_files)?;
        limit(Resource::RLIMIT_FSIZE, file_size)?;
        limit(Resource::RLIMIT_DATA, data)?;
        // A file that would grow too large is an error to whoever writes it, and not its end, unless it has other wishes.
        // SAFETY: it sets how a signal is taken, to what is no function of this program's.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        drop_bounding_set()?;
        become_user(self.owner)?;
        // Keys of whoever started it are not its own (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING). A kernel without keys has
        // none to hide.
        // SAFETY: the call takes a number and a null pointer.
        unsafe { libc::syscall(libc::SYS_keyctl, 1, 0) };
        Ok(())
    }
}

fn limit(what: Resource, most: u64) -> io::Result<()> {
    let (_, hard) = nix::sys::resource::getrlimit(what)?;
    let most = most.min(hard);
    Ok(setrlimit(what, most, most)?)
}

/// Nothing that is executed from here on gets a capability, whatever its file says (capabilities(7)).
fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: the call takes numbers.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        if dropped != 0 {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                // There are no more.
                Some(libc::EINVAL) => break,
                _ => return Err(error),
            }
        }
    }
    Ok(())
}

/// By system calls and not the C library's functions, which would speak to the other threads of a program that this
/// process is only a copy of.
fn become_user(owner: u32) -> io::Result<()> {
    let done = |returned: libc::c_long| match returned {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: each call takes numbers, or a pointer to a local value of the form that the kernel reads: version 3 of
    // capset(2) is a header of two numbers, and two times three sets.
    unsafe {
        done(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        done(libc::syscall(libc::SYS_setresgid, owner, owner, owner))?;
        done(libc::syscall(libc::SYS_setresuid, owner, owner, owner))?;
        let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
        done(libc::syscall(
            libc::SYS_capset,
            header.as_ptr(),
            none.as_ptr(),
        ))
    }
}
