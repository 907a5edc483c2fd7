//! Asking init to end the machine, in the words of each init.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use super::init::{Init, OPENRC_PIPE, SYSV_PIPES, is_pipe, running_init};
use super::{Ending, can_power_off};

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

/// Asks init to end the machine, cleanly. Returns once it has been told. Of how many seconds that may take only this
/// program itself wants to know; other inits have settings for it.
pub fn ask_to_power_off(within: Option<u32>) -> Result<(), PowerError> {
    let ending = if can_power_off() {
        Ending::PowerOff
    } else {
        Ending::Reboot
    };
    ask(&running_init(), ending, within)
}

fn ask(init: &Init, ending: Ending, within: Option<u32>) -> Result<(), PowerError> {
    let off = ending == Ending::PowerOff;
    match init {
        // systemd(1), SIGNALS: SIGRTMIN+4 starts poweroff.target, SIGRTMIN+5 reboot.target.
        Init::Systemd => signal_init(libc::SIGRTMIN() + if off { 4 } else { 5 }, None),
        // As `poweroff` and `reboot` of busybox do it.
        Init::Busybox => signal_init(if off { libc::SIGUSR2 } else { libc::SIGTERM }, None),
        Init::Guest => signal_init(if off { libc::SIGUSR2 } else { libc::SIGTERM }, within),
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

/// By number: nix knows no real-time signals.
fn signal_init(number: libc::c_int, value: Option<u32>) -> Result<(), PowerError> {
    let sent = match value {
        // SAFETY: kill(2) takes two integers.
        None => unsafe { libc::kill(1, number) },
        Some(value) => {
            let value = libc::sigval {
                sival_ptr: std::ptr::without_provenance_mut(value.max(1) as usize),
            };
            // SAFETY: sigqueue(3) takes two integers and a value that nobody takes for an address.
            unsafe { libc::sigqueue(1, number, value) }
        }
    };
    if sent == -1 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_sysvinit_has_its_form() {
        let request = runlevel_request(b'0');
        assert_eq!(request[..4], 0x0309_1969_u32.to_ne_bytes());
        assert_eq!(request[4], 1);
        assert_eq!(request[8], b'0');
        assert!(request[16..].iter().all(|byte| *byte == 0));
    }
}
