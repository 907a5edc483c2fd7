//! The kernel's command line.
//!
//! Parameters are described in the kernel's Documentation/admin-guide/kernel-parameters.txt.

use super::Hypervisor;
use super::accelerator::Accelerator;
use super::tsc;

/// What every guest is booted with: its console on the first serial port and not quiet, because users read it; the one
/// interface is called `eth0` whatever the image's udev would do.
const ALWAYS: &str = "console=ttyS0 8250.nr_uarts=1 net.ifnames=0 biosdevname=0";
/// A panic or a restart ends the hypervisor at once.
const QEMU: &str = "reboot=t panic=-1";
/// Firecracker ends when its keyboard controller resets the processor, and has nothing of a keyboard but Ctrl, Alt and
/// Delete, which takes time to look for (docs/api_requests/actions.md). Its devices are in ACPI's tables; there is no PCI
/// unless it is asked for, and probing takes time.
const FIRECRACKER: &str = "reboot=k panic=1 i8042.noaux i8042.nomux pci=off";

/// What a kernel does against the guesses of a processor does nothing against an emulated one, which makes none, and
/// costs it a good part of its time.
const EMULATED: &str = " mitigations=off";

/// The command line for a guest. `tsc_khz` is the probe's; it matters under software emulation only, where the guest
/// has nothing to measure its time-stamp counter against and would stall trying.
pub fn command_line(
    hypervisor: Hypervisor,
    accelerator: Accelerator,
    tsc_khz: Option<u32>,
) -> String {
    with(hypervisor, accelerator, tsc_khz, tsc::trusted())
}

fn with(
    hypervisor: Hypervisor,
    accelerator: Accelerator,
    tsc_khz: Option<u32>,
    trusted: bool,
) -> String {
    let own = match hypervisor {
        Hypervisor::Qemu => QEMU,
        Hypervisor::Firecracker => FIRECRACKER,
    };
    let mut line = format!("{ALWAYS} {own}");
    if accelerator == Accelerator::Tcg {
        line.push_str(EMULATED);
    }
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
        let qemu = Hypervisor::Qemu;
        let kvm = with(qemu, Accelerator::Kvm, Some(2_596_134), true);
        assert!(!kvm.contains("tsc") && !kvm.contains("off"), "{kvm}");
        let tcg = with(qemu, Accelerator::Tcg, Some(2_596_134), true);
        assert!(
            tcg.ends_with(" mitigations=off tsc_early_khz=2596134 tsc=reliable"),
            "{tcg}"
        );
        let shaky = with(qemu, Accelerator::Tcg, Some(2_596_134), false);
        assert!(!shaky.contains("reliable"), "{shaky}");
        assert!(!tcg.contains("quiet"));
    }

    #[test]
    fn each_hypervisor_is_ended_in_its_way() {
        let line = |hypervisor| with(hypervisor, Accelerator::Kvm, None, true);
        assert_eq!(
            line(Hypervisor::Qemu),
            "console=ttyS0 8250.nr_uarts=1 net.ifnames=0 biosdevname=0 reboot=t panic=-1"
        );
        assert_eq!(
            line(Hypervisor::Firecracker),
            "console=ttyS0 8250.nr_uarts=1 net.ifnames=0 biosdevname=0 \
             reboot=k panic=1 i8042.noaux i8042.nomux pci=off"
        );
    }
}
