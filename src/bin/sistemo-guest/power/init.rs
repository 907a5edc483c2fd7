//! Which init PID 1 is, and since when it can be told things.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use tokio::net::UnixStream;

/// The inits that are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// This program itself.
    Guest,
    Systemd,
    Busybox,
    OpenRc,
    SysV,
    /// Any other, by its program's name.
    Other(String),
}

impl Init {
    /// A word for it, for the host.
    pub fn name(&self) -> &str {
        match self {
            Init::Guest => "sistemo-guest",
            Init::Systemd => "systemd",
            Init::Busybox => "busybox",
            Init::OpenRc => "openrc",
            Init::SysV => "sysvinit",
            Init::Other(name) => name,
        }
    }
}

/// openrc-init(8) reads commands here.
pub(super) const OPENRC_PIPE: &str = "/run/openrc/init.ctl";
/// sysvinit's init(8) reads requests here.
pub(super) const SYSV_PIPES: [&str; 2] = ["/run/initctl", "/dev/initctl"];

/// What PID 1 is.
pub fn running_init() -> Init {
    let same = |a: &str, b: &str| {
        matches!((Path::new(a).metadata(), Path::new(b).metadata()),
            (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
    };
    if same("/proc/1/exe", "/proc/self/exe") {
        return Init::Guest;
    }
    let program = std::fs::read_link("/proc/1/exe").unwrap_or_default();
    let name = program
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let line = std::fs::read("/proc/1/cmdline").unwrap_or_default();
    let called = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let called = String::from_utf8_lossy(called);
    let called = called.rsplit('/').next().unwrap_or_default();
    of_program(&name, called, SYSV_PIPES.iter().any(|pipe| is_pipe(pipe)))
}

/// The init that a program of this name is when it was called so: busybox is a shell, too, that may run a script.
fn of_program(name: &str, called: &str, sysv_pipe: bool) -> Init {
    match name {
        "systemd" => Init::Systemd,
        "openrc-init" => Init::OpenRc,
        "init" if sysv_pipe => Init::SysV,
        busybox if busybox.starts_with("busybox") && ["init", "linuxrc"].contains(&called) => {
            Init::Busybox
        }
        other => Init::Other(other.to_owned()),
    }
}

pub(super) fn is_pipe(path: &str) -> bool {
    Path::new(path)
        .metadata()
        .is_ok_and(|meta| meta.file_type().is_fifo())
}

/// Where systemd's manager listens for its own tools, from before its first unit starts.
const SYSTEMD_SOCKET: &str = "/run/systemd/private";
/// How often the socket is looked for, and for how long: it appears on a file system that systemd mounts itself, so
/// there is nothing to watch before.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOK_FOR: Duration = Duration::from_secs(60);

/// Comes back when init can be told things. The kernel drops signals that PID 1 has no handler for yet, so one that is
/// sent too early is lost; and a user who enters expects `systemctl` to work.
pub async fn init_listens() {
    let init = running_init();
    let begun = Instant::now();
    while begun.elapsed() < LOOK_FOR {
        let listens = match init {
            Init::Systemd => UnixStream::connect(SYSTEMD_SOCKET).await.is_ok(),
            Init::Busybox => heeds(libc::SIGUSR2),
            // Made by openrc-init itself, once /run is mounted.
            Init::OpenRc => is_pipe(OPENRC_PIPE),
            _ => true,
        };
        if listens {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether PID 1 has a handler for a signal or collects it: bits of `SigBlk` and `SigCgt` (proc_pid_status(5)).
fn heeds(signal: libc::c_int) -> bool {
    let status = std::fs::read_to_string("/proc/1/status").unwrap_or_default();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let masks = mask("SigBlk:").unwrap_or(0) | mask("SigCgt:").unwrap_or(0);
    masks & (1 << (signal - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inits_are_known_by_their_programs() {
        let other = |name: &str| Init::Other(name.into());
        assert_eq!(of_program("systemd", "init", true), Init::Systemd);
        assert_eq!(of_program("busybox.static", "init", false), Init::Busybox);
        assert_eq!(of_program("busybox", "sh", false), other("busybox"));
        assert_eq!(of_program("openrc-init", "init", false), Init::OpenRc);
        assert_eq!(of_program("init", "init", true), Init::SysV);
        assert_eq!(of_program("runit", "init", false), other("runit"));
    }
}
