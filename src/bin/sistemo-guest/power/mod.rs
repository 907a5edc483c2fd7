//! Ending the machine: by asking whatever init runs to do it cleanly, or without it.

mod ask;
mod init;

use std::time::{Duration, Instant};

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sistemo::guest::words::{FATAL_PREFIX, SWITCHLESS_LINE};

pub use self::ask::ask_to_power_off;
pub use self::init::{init_listens, running_init};
use crate::{console, mounts};

/// How a machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    PowerOff,
    Reboot,
}

/// Whether the machine's hardware has a switch. A hypervisor without one (Firecracker) ends when the guest reboots.
fn can_power_off() -> bool {
    std::fs::read("/sys/firmware/acpi/tables/FACP").is_ok_and(|table| has_switch(&table))
}

/// ACPI 6.5 §5.2.9: a machine of reduced hardware (flag 20) sleeps by its sleep control register, if it has one; any
/// other by its PM1a control block.
fn has_switch(fadt: &[u8]) -> bool {
    let word = |at: usize| {
        fadt.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_le_bytes)
    };
    let reduced = word(112) & (1 << 20) != 0;
    if reduced {
        // Generic address structure: four bytes of form, eight of address.
        word(244 + 4) != 0 || word(244 + 8) != 0
    } else {
        word(64) != 0
    }
}

/// Ends the machine now. Returns only if the kernel refuses.
pub fn end(ending: Ending) {
    let off = ending == Ending::PowerOff && can_power_off();
    let mode = if off {
        RebootMode::RB_POWER_OFF
    } else {
        RebootMode::RB_AUTOBOOT
    };
    if ending == Ending::PowerOff && !off {
        console::say(SWITCHLESS_LINE);
    }
    let Err(error) = reboot(mode);
    console::say(&format!("sistemo-guest: cannot end the machine: {error}"));
}

/// How long programs may take to end by themselves when there is no init that would see to it, and how often it is
/// looked whether they have.
const REST_TIME: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends the machine in the stead of an init that cannot be asked: programs are told to end and then ended, disks are
/// written out and made read-only. Returns only if the kernel refuses.
pub async fn end_without_init() {
    let everyone_else = Pid::from_raw(-1);
    let begun = Instant::now();
    let _ = kill(everyone_else, Signal::SIGTERM);
    while others_run() && begun.elapsed() < REST_TIME {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let _ = kill(everyone_else, Signal::SIGKILL);
    mounts::settle();
    end(Ending::PowerOff);
}

/// Whether any program runs beside PID 1 and this one. Kernel threads have no command line (proc_pid_cmdline(5)), nor
/// have zombies.
fn others_run() -> bool {
    let own = std::process::id();
    let pids = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != 1 && *pid != own)
        .any(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()))
}

/// Says why the machine cannot start, and ends it: the host's hypervisor does not start it again.
pub fn give_up(reason: &str) -> ! {
    console::say(&format!("{FATAL_PREFIX}{reason}"));
    nix::unistd::sync();
    end(Ending::Reboot);
    // Without the right to reboot PID 1 can only end, which the kernel answers with a panic; the host reads it.
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_where_acpi_says() {
        let mut fadt = [0_u8; 276];
        assert!(!has_switch(&fadt));
        fadt[64] = 4;
        assert!(has_switch(&fadt));
        fadt[112 + 2] = 1 << 4;
        assert!(!has_switch(&fadt));
        fadt[248] = 0x10;
        assert!(has_switch(&fadt));
        assert!(!has_switch(&[]));
    }
}
