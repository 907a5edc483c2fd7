//! What a hypervisor takes of its host, as the kernel counts it: two small files and a clock for each, no matter how much
//! memory it has.

use std::fs;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::process::{Process, Stat};

/// What a process has taken by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of processors, of all its threads, also of those that have ended.
    pub cpu: Duration,
    /// Memory that is in the host's: the guest's as far as it was ever touched, and the hypervisor's own. What is shared
    /// with other processes, a few MiB of program text, counts in full: to share it out the kernel would have to look at
    /// every page (`smaps_rollup`), which takes longer the more memory there is.
    pub resident_bytes: u64,
    pub threads: u64,
    /// What was read from and written to the host's disks on its behalf. What the host had in its memory was not read.
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// How long it has been running.
    pub uptime: Duration,
}

impl Process {
    /// What it has taken; nothing when it has ended.
    ///
    /// # Errors
    ///
    /// When what the kernel shows cannot be read.
    pub fn usage(&self) -> io::Result<Option<Usage>> {
        let Some(io) = gone_is_none(fs::read_to_string(format!("/proc/{}/io", self.pid)))? else {
            return Ok(None);
        };
        let Some(cpu) = cpu_time(self.pid)? else {
            return Ok(None);
        };
        // Last, since it proves that the others are about this process too: a number is not used again before its process
        // is gone.
        let Some(stat) = Stat::of(self.pid)? else {
            return Ok(None);
        };
        if stat.started != self.started || stat.ended {
            return Ok(None);
        }
        let (page, ticks) = (system(SysconfVar::PAGE_SIZE)?, system(SysconfVar::CLK_TCK)?);
        let up: Duration = clock_gettime(ClockId::CLOCK_BOOTTIME)?.into();
        let started = Duration::from_millis(stat.started * 1000 / ticks);
        Ok(Some(Usage {
            cpu,
            resident_bytes: stat.resident_pages * page,
            threads: stat.threads,
            read_bytes: field(&io, "read_bytes"),
            written_bytes: field(&io, "write_bytes"),
            uptime: up.saturating_sub(started),
        }))
    }
}

/// To the nanosecond, where `/proc/PID/stat` counts ticks of 10 ms.
fn cpu_time(pid: u32) -> io::Result<Option<Duration>> {
    let Ok(pid) = i32::try_from(pid) else {
        return Ok(None);
    };
    match clock_getcpuclockid(Pid::from_raw(pid)).and_then(clock_gettime) {
        Ok(time) => Ok(Some(time.into())),
        Err(Errno::ESRCH | Errno::EINVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn system(variable: SysconfVar) -> io::Result<u64> {
    let value = sysconf(variable)?.and_then(|value| u64::try_from(value).ok());
    Ok(value
        .filter(|value| *value > 0)
        .ok_or(io::ErrorKind::Unsupported)?)
}

/// A line `NAME: NUMBER` (proc(5), `/proc/PID/io`).
fn field(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn gone_is_none<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        // ESRCH: it was there when the file was opened.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(nix::libc::ESRCH) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_until_it_has_ended() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let process = Process::with_pid(child.id()).unwrap();
        let mut usage = process.usage().unwrap().unwrap();
        while usage.cpu < Duration::from_millis(20) {
            let now = process.usage().unwrap().unwrap();
            assert!(now.cpu >= usage.cpu && now.uptime >= usage.uptime);
            usage = now;
        }
        assert_eq!(usage.threads, 1);
        assert!(usage.resident_bytes > 100_000, "{usage:?}");
        assert!(usage.uptime < Duration::from_secs(600), "{usage:?}");
        let another = Process {
            started: process.started - 1,
            ..process.clone()
        };
        assert_eq!(another.usage().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.usage().unwrap(), None);
    }

    #[test]
    fn what_was_written_is_counted() {
        let own = Process::with_pid(std::process::id()).unwrap();
        let before = own.usage().unwrap().unwrap().written_bytes;
        let mut file = tempfile::tempfile_in("/var/tmp").unwrap();
        std::io::Write::write_all(&mut file, &vec![1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        let after = own.usage().unwrap().unwrap().written_bytes;
        assert!(after >= before + (1 << 20), "{before} {after}");
    }
}
