//! Powering off: asking whatever is PID 1, and, when that is this program, doing it.

use std::path::Path;
use std::process::Command;

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Doing, Outcome};

/// What this program, as PID 1, takes for the wish to power off; busybox's init takes the same (busybox init/init.c).
pub(crate) const WISH: Signal = Signal::SIGUSR2;

/// Asks PID 1 to power the machine off in its own way.
pub(crate) fn ask() -> Outcome {
    let program = std::fs::read_link("/proc/1/exe").doing("looking at PID 1")?;
    let name = program
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let init = Pid::from_raw(1);
    match name {
        "systemd" => {
            // SIGRTMIN+4 starts poweroff.target (systemd(1), "Signals").
            // SAFETY: kill takes two integers.
            let sent = unsafe { nix::libc::kill(1, nix::libc::SIGRTMIN() + 4) };
            nix::errno::Errno::result(sent)
                .map(drop)
                .doing("asking systemd")
        }
        _ if name.starts_with("busybox") || is_ours(&program) => {
            kill(init, WISH).doing("asking PID 1")
        }
        _ => by_command(),
    }
}

/// The same program as this one, though its file is gone since the initramfs was emptied.
fn is_ours(program: &Path) -> bool {
    std::fs::read_link("/proc/self/exe").is_ok_and(|own| own == program)
}

/// Other inits bring a command of their own.
fn by_command() -> Outcome {
    let commands: [&[&str]; 3] = [
        &["/sbin/openrc-shutdown", "-p", "now"],
        &["/sbin/poweroff"],
        &["/usr/sbin/poweroff"],
    ];
    for command in commands {
        if Path::new(command[0]).exists() {
            let mut child = Command::new(command[0])
                .args(&command[1..])
                .spawn()
                .doing(command[0])?;
            return child.wait().map(drop).doing(command[0]);
        }
    }
    Err("this image's init has no command to power off".into())
}

/// Powers the machine off at once; file systems are written first. Only PID 1 calls it.
pub(crate) fn halt() -> Outcome {
    nix::unistd::sync();
    match reboot(RebootMode::RB_POWER_OFF) {
        Err(error) => Err(error).doing("powering off"),
        Ok(_) => Ok(()),
    }
}
