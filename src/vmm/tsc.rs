//! The rate of this computer's time-stamp counter, for guests under software emulation.
//!
//! QEMU's translator passes the host's counter through (`cpu_get_tsc` reads the host's `rdtsc`), but the microvm machine
//! has no timer that a guest could measure it against: without `tsc_early_khz` the guest stalls over it, and with a
//! wrong value its clock drifts by as much.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How long the measurement lasts: two readings, each right to about 50 ns, over this long are right to a few parts in
/// a million, which is what the kernel rounds to.
const SPAN: Duration = Duration::from_millis(40);
/// Readings of which the tightest counts, at either end.
const TRIES: usize = 16;

/// The counter's rate in kHz against CLOCK_MONOTONIC_RAW, which no time server bends. `None` when the two clocks cannot
/// be compared. Blocks for 40 ms.
pub fn measure() -> Option<u32> {
    let (ticks, time) = reading()?;
    std::thread::sleep(SPAN);
    let (later_ticks, later_time) = reading()?;
    let nanoseconds = later_time.checked_sub(time)?.as_nanos();
    let ticks = u128::from(later_ticks.checked_sub(ticks)?);
    let khz = (ticks * 1_000_000 + nanoseconds / 2).checked_div(nanoseconds)?;
    u32::try_from(khz).ok().filter(|khz| *khz > 0)
}

/// Whether this kernel trusts the counter, so that a guest may: it is, or could be, a source of the host's clock.
pub fn trusted() -> bool {
    fs::read_to_string("/sys/devices/system/clocksource/clocksource0/available_clocksource")
        .is_ok_and(|names| {
            // Clocks that are the counter with a scale: clocksource names in arch/x86 and drivers/clocksource.
            let counters = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"];
            names
                .split_whitespace()
                .any(|name| counters.contains(&name))
        })
}

/// The counter and the clock at the same moment, as nearly as can be told.
fn reading() -> Option<(u64, Duration)> {
    let now = || {
        clock_gettime(ClockId::CLOCK_MONOTONIC_RAW)
            .ok()
            .map(Duration::from)
    };
    (0..TRIES)
        .filter_map(|_| {
            let before = now()?;
            // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it (prctl PR_SET_TSC).
            let ticks = unsafe { core::arch::x86_64::_rdtsc() };
            let gap = now()?.checked_sub(before)?;
            Some((gap, ticks, before + gap / 2))
        })
        .min_by_key(|(gap, ..)| *gap)
        .map(|(_, ticks, time)| (ticks, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree_to_a_few_parts_in_a_million() {
        let (one, two) = (measure().unwrap(), measure().unwrap());
        assert!(one > 500_000, "{one}");
        assert!(one.abs_diff(two) < one / 20_000, "{one} {two}");
    }
}
