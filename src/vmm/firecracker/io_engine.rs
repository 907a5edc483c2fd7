//! Which engine reads and writes disks: io_uring where the host's kernel has it and lets us.
//!
//! Firecracker wants 5.10.51 for it (docs/api_requests/block-io-engine.md) and calls it a preview; that it may be used
//! proves nothing less than using it, since administrators switch it off (`/proc/sys/kernel/io_uring_disabled`) and
//! container engines filter it.

use std::os::fd::{FromRawFd, OwnedFd};

use nix::libc;

use super::body::IoEngine;

/// The first kernel whose io_uring Firecracker uses.
const FIRST: (u32, u32, u32) = (5, 10, 51);

/// The best engine that this host has.
pub(super) fn best() -> IoEngine {
    let release = nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    match numbers(&release) >= FIRST && can_set_up() {
        true => IoEngine::Async,
        false => IoEngine::Sync,
    }
}

/// `5.10.0-21-amd64` is (5, 10, 0): a distribution's own numbers do not count.
fn numbers(release: &str) -> (u32, u32, u32) {
    let mut parts = release
        .split(['.', '-', '+'])
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// Sets a ring up and lets go of it (io_uring_setup(2)).
fn can_set_up() -> bool {
    // `struct io_uring_params` has 120 bytes, all zero for a ring without wishes.
    let mut parameters = [0_u64; 15];
    // SAFETY: the kernel reads and writes that structure, which lives until the call has returned.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    let Ok(ring) = i32::try_from(ring) else {
        return false;
    };
    if ring < 0 {
        return false;
    }
    // SAFETY: the descriptor is new and nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(ring) });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(numbers("6.1.0-56-cloud-amd64"), (6, 1, 0));
        assert!(numbers("5.10.50") < FIRST && numbers("5.10.51-x") >= FIRST);
        assert!(numbers("5.9.100") < FIRST && numbers("6.0") >= FIRST);
        assert_eq!(numbers("odd"), (0, 0, 0));
    }
}
