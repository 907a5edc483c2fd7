//! Which engine reads and writes disks: io_uring where Firecracker saves its state whole, and where the host's kernel has
//! it and lets whoever runs Firecracker use it.
//!
//! Firecracker wants 5.10.51 for it (docs/api_requests/block-io-engine.md) and calls it a preview. That it may be used
//! proves nothing less than using it, since administrators switch it off and container engines filter it. What is asked
//! here is asked by root, though, and a contained Firecracker has a user of its own, for whom there is more to it.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::libc;

use super::body::IoEngine;
use super::version::Features;

/// The first kernel whose io_uring Firecracker uses.
const FIRST: (u32, u32, u32) = (5, 10, 51);
/// The first kernel that does not count a ring as locked memory, of which a user may have 64 KiB (io_uring_setup(2)).
const FIRST_FOR_USERS: (u32, u32, u32) = (5, 12, 0);
/// Who may use io_uring: `0` all, `1` root and a group, `2` nobody (Documentation/admin-guide/sysctl/kernel.rst).
const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";

/// The best engine that a Firecracker with these features has on this host; `is_contained` if it runs as a user of its
/// own.
pub(super) fn best(features: Features, is_contained: bool) -> IoEngine {
    match features.drained_io && has_io_uring(is_contained) {
        true => IoEngine::Async,
        false => IoEngine::Sync,
    }
}

/// Whether whoever runs Firecracker on this host has an io_uring that is good enough for it.
fn has_io_uring(is_contained: bool) -> bool {
    let release = nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    let disabled = fs::read_to_string(DISABLED).ok();
    is_open(&release, disabled.as_deref(), is_contained) && can_set_up()
}

/// Whether a kernel lets whoever runs Firecracker use io_uring. Kernels before 6.6 have no such switch.
fn is_open(release: &str, disabled: Option<&str>, is_contained: bool) -> bool {
    let first = match is_contained {
        true => FIRST_FOR_USERS,
        false => FIRST,
    };
    let for_all = disabled.is_none_or(|value| value.trim() == "0");
    numbers(release) >= first && (for_all || !is_contained)
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
    use super::super::version::Version;
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(numbers("6.1.0-56-cloud-amd64"), (6, 1, 0));
        assert!(numbers("5.10.50") < FIRST && numbers("5.10.51-x") >= FIRST);
        assert!(numbers("5.9.100") < FIRST && numbers("6.0") >= FIRST);
        assert_eq!(numbers("odd"), (0, 0, 0));
    }

    #[test]
    fn what_root_may_is_not_what_a_user_may() {
        for (release, disabled, root, user) in [
            ("5.10.50", None, false, false),
            ("5.10.51", None, true, false),
            ("5.12.0", None, true, true),
            ("6.6.0", Some("0\n"), true, true),
            // Root is asked by setting a ring up.
            ("6.6.0", Some("1\n"), true, false),
            ("6.6.0", Some("2\n"), true, false),
        ] {
            let is_open = |is_contained| is_open(release, disabled, is_contained);
            assert_eq!(
                (is_open(false), is_open(true)),
                (root, user),
                "{release} {disabled:?}"
            );
        }
    }

    #[test]
    fn a_firecracker_whose_states_would_lack_something_works_in_turn() {
        let of = |minor| Version::new(1, minor, 0).features();
        assert_eq!(best(of(14), false), IoEngine::Sync);
        let newer = match has_io_uring(false) {
            true => IoEngine::Async,
            false => IoEngine::Sync,
        };
        assert_eq!(best(of(15), false), newer);
    }
}
