//! The kernel's command line.
//!
//! Parameters are described in the kernel's Documentation/admin-guide/kernel-parameters.txt.

use super::accelerator::Accelerator;
use super::tsc;

/// What every guest is booted with: its console on the first serial port and not quiet, because users read it; a panic
/// or a restart ends the hypervisor at once; the one interface is called `eth0` whatever the image's udev would do.
const ALWAYS: &str = "console=ttyS0 reboot=t panic=-1 8250.nr_uarts=1 net.ifnames=0 biosdevname=0";

/// The command line for a guest. `tsc_khz` is the probe's; it matters under software emulation only, where the guest
/// has nothing to measure its time-stamp counter against and would stall trying.
pub fn command_line(accelerator: Accelerator, tsc_khz: Option<u32>) -> String {
    with(accelerator, tsc_khz, tsc::trusted())
}

fn with(accelerator: Accelerator, tsc_khz: Option<u32>, trusted: bool) -> String {
    let mut line = ALWAYS.to_string();
    if let (Accelerator::Tcg, Some(khz)) = (accelerator, tsc_khz) {
        line.push_str(&format!(" tsc_early_khz={khz}"));
        if trusted {
            // All virtual processors read the host's one counter. Without this a guest with two of them calls the
            // counter unsynchronised and falls back to a clock that ticks 250 times a second.
            line.push_str(" tsc=reliable");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_told_only_under_emulation() {
        let kvm = with(Accelerator::Kvm, Some(2_596_134), true);
        assert!(!kvm.contains("tsc"), "{kvm}");
        let tcg = with(Accelerator::Tcg, Some(2_596_134), true);
        assert!(
            tcg.ends_with(" tsc_early_khz=2596134 tsc=reliable"),
            "{tcg}"
        );
        let shaky = with(Accelerator::Tcg, Some(2_596_134), false);
        assert!(!shaky.contains("reliable"), "{shaky}");
        assert!(!tcg.contains("quiet"));
    }
}
