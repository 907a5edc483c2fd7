//! The machine's clock. It stands still while the machine is paused or lies in a snapshot, and nothing in the guest
//! notices.

use std::time::Instant;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

/// Why the clock stays wrong.
#[derive(Debug, thiserror::Error)]
#[error("cannot set the clock")]
pub struct ClockError(#[source] nix::Error);

/// Sets it to so many nanoseconds since 1970, UTC, and as many more as have gone by since that was `told`.
pub fn set(nanoseconds: u64, told: Instant) -> Result<(), ClockError> {
    const SECOND: u64 = 1_000_000_000;
    let since = u64::try_from(told.elapsed().as_nanos()).unwrap_or(0);
    let nanoseconds = nanoseconds.saturating_add(since);
    let part = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let time = TimeSpec::new(part(nanoseconds / SECOND), part(nanoseconds % SECOND));
    clock_settime(ClockId::CLOCK_REALTIME, time).map_err(ClockError)
}
