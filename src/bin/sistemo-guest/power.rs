//! Ending the machine: asking whatever init runs to do it cleanly, or doing it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sistemo::guest::words::FATAL_PREFIX;
use tokio::net::UnixStream;

use crate::{console, mounts};

/// How a machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    PowerOff,
    Reboot,
}

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

/// Why init cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    #[error("cannot signal init")]
    Signal(#[source] io::Error),
    #[error("cannot write to init's pipe {path}")]
    Pipe {
        path: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "the init {0:?} is not known here, and the image has no program {1:?} that would tell it"
    )]
    NoProgram(String, &'static str),
    #[error("cannot run {0}")]
    Program(&'static str, #[source] io::Error),
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
const OPENRC_PIPE: &str = "/run/openrc/init.ctl";
/// sysvinit's init(8) reads requests here.
const SYSV_PIPES: [&str; 2] = ["/run/initctl", "/dev/initctl"];

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

fn is_pipe(path: &str) -> bool {
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

/// Asks init to end the machine, cleanly. Returns once it has been told.
pub fn ask_to_power_off() -> Result<(), PowerError> {
    ask(
        &running_init(),
        if can_power_off() {
            Ending::PowerOff
        } else {
            Ending::Reboot
        },
    )
}

fn ask(init: &Init, ending: Ending) -> Result<(), PowerError> {
    let off = ending == Ending::PowerOff;
    match init {
        // systemd(1), SIGNALS: SIGRTMIN+4 starts poweroff.target, SIGRTMIN+5 reboot.target.
        Init::Systemd => signal_init(libc::SIGRTMIN() + if off { 4 } else { 5 }),
        // As `poweroff` and `reboot` of busybox do it.
        Init::Busybox | Init::Guest => signal_init(if off { libc::SIGUSR2 } else { libc::SIGTERM }),
        Init::OpenRc => tell(OPENRC_PIPE, if off { b"poweroff" } else { b"reboot" }),
        Init::SysV => {
            let pipe = SYSV_PIPES
                .into_iter()
                .find(|pipe| is_pipe(pipe))
                .unwrap_or(SYSV_PIPES[0]);
            tell(pipe, &runlevel_request(if off { b'0' } else { b'6' }))
        }
        Init::Other(name) => run_program(name, if off { "poweroff" } else { "reboot" }),
    }
}

fn signal_init(number: libc::c_int) -> Result<(), PowerError> {
    // SAFETY: kill(2) takes two integers. By number: nix knows no real-time signals.
    if unsafe { libc::kill(1, number) } == -1 {
        return Err(PowerError::Signal(io::Error::last_os_error()));
    }
    Ok(())
}

/// Writes to a pipe that init reads, without waiting for a reader that is not there.
fn tell(path: &'static str, words: &[u8]) -> Result<(), PowerError> {
    let opened = File::options()
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened
        .and_then(|mut pipe| pipe.write_all(words))
        .map_err(|source| PowerError::Pipe { path, source })
}

/// sysvinit's `struct init_request` (initreq.h): magic, command, run level, sleep time, then unused to 384 bytes.
fn runlevel_request(level: u8) -> [u8; 384] {
    const MAGIC: u32 = 0x0309_1969;
    const CHANGE_RUNLEVEL: u32 = 1;
    const KILL_AFTER: u32 = 5;
    let mut request = [0; 384];
    for (place, value) in [MAGIC, CHANGE_RUNLEVEL, u32::from(level), KILL_AFTER]
        .into_iter()
        .enumerate()
    {
        request[place * 4..place * 4 + 4].copy_from_slice(&value.to_ne_bytes());
    }
    request
}

/// An init that is not known here comes with the programs that tell it (runit, s6, dinit, finit).
fn run_program(init: &str, name: &'static str) -> Result<(), PowerError> {
    let folders = ["/sbin", "/usr/sbin", "/bin", "/usr/bin", "/usr/local/sbin"].map(Path::new);
    let program = folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    let program = program.ok_or_else(|| PowerError::NoProgram(init.to_owned(), name))?;
    tokio::process::Command::new(program)
        .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
        .spawn()
        .map(drop)
        .map_err(|source| PowerError::Program(name, source))
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
    let Err(error) = reboot(mode);
    console::say(&format!("sistemo-guest: cannot end the machine: {error}"));
}

/// How long programs may take to end by themselves when there is no init that would see to it.
const REST_TIME: Duration = Duration::from_secs(3);

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
    fn inits_are_known_by_their_programs() {
        let other = |name: &str| Init::Other(name.into());
        assert_eq!(of_program("systemd", "init", true), Init::Systemd);
        assert_eq!(of_program("busybox.static", "init", false), Init::Busybox);
        assert_eq!(of_program("busybox", "sh", false), other("busybox"));
        assert_eq!(of_program("openrc-init", "init", false), Init::OpenRc);
        assert_eq!(of_program("init", "init", true), Init::SysV);
        assert_eq!(of_program("runit", "init", false), other("runit"));
    }

    #[test]
    fn a_request_to_sysvinit_has_its_form() {
        let request = runlevel_request(b'0');
        assert_eq!(request[..4], 0x0309_1969_u32.to_ne_bytes());
        assert_eq!(request[4], 1);
        assert_eq!(request[8], b'0');
        assert!(request[16..].iter().all(|byte| *byte == 0));
    }

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
