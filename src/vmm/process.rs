//! Which process runs a machine. A pid is reused by the kernel, so identity is the pid with the time it began and the
//! boot it belongs to; signals go through a pidfd, which cannot come to mean another process (pidfd_open(2)).

use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use tokio::io::unix::AsyncFd;

use super::Error;
use crate::store::machines::ProcessRow;

/// A hypervisor's process, alive or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    started: u64,
    boot_id: String,
}

impl Process {
    /// The process with that pid now; `None` when there is none.
    pub fn of_pid(pid: i32) -> Option<Process> {
        Some(Process {
            pid,
            started: started(pid)?,
            boot_id: boot_id(),
        })
    }

    /// The process that was written down.
    pub fn from_row(row: &ProcessRow) -> Process {
        Process {
            pid: row.pid,
            started: row.started,
            boot_id: row.boot_id.clone(),
        }
    }

    /// What to write down.
    pub fn row(&self) -> ProcessRow {
        ProcessRow {
            pid: self.pid,
            started: self.started,
            boot_id: self.boot_id.clone(),
        }
    }

    /// Process identifier.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it belongs to this boot of the host.
    pub fn is_of_this_boot(&self) -> bool {
        self.boot_id == boot_id()
    }

    /// Whether it runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        self.is_of_this_boot() && started(self.pid) == Some(self.started)
    }

    /// Comes back when it has ended; at once when it is not there.
    pub async fn wait_exit(&self) {
        let Some(pidfd) = self.pidfd() else { return };
        // A pidfd becomes readable when its process ends.
        // SAFETY: the descriptor is owned by what waits for it.
        if let Ok(pidfd) = unsafe { AsyncFd::register(pidfd) } {
            let _ = pidfd.readable().await;
        }
    }

    /// Ends it and waits until it is gone, so that its disks and taps are free. One that has ended is no failure.
    pub async fn kill(&self) -> Result<(), Error> {
        let Some(pidfd) = self.pidfd() else {
            return Ok(());
        };
        // SAFETY: the descriptor is open; the call takes no pointer but a null one.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                std::os::fd::AsRawFd::as_raw_fd(&pidfd),
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match Errno::result(sent) {
            Ok(_) => {}
            Err(Errno::ESRCH) => return Ok(()),
            Err(source) => {
                return Err(Error::Kill {
                    pid: self.pid,
                    source,
                });
            }
        }
        drop(pidfd);
        self.wait_exit().await;
        Ok(())
    }

    /// A descriptor for it, when it is alive and the one that was meant.
    fn pidfd(&self) -> Option<OwnedFd> {
        // SAFETY: pidfd_open takes two integers and gives a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, libc::PIDFD_NONBLOCK) };
        let fd = Errno::result(fd).ok()?;
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).ok()?) };
        // Asked after it was opened: had the pid been reused, the start time would differ.
        self.is_alive().then_some(fd)
    }
}

/// When a process began, in clock ticks since boot (proc_pid_stat(5), field 22); `None` when it is not there or is a
/// zombie (field 3).
fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses that may itself hold any letter.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// This boot's identifier (random(4)).
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_string())
        .unwrap_or_default()
}

/// The word on a hypervisor's command line that says whose it is.
pub(super) fn marker(machine: &str) -> String {
    format!("sistemo-{machine}")
}

/// Every process that carries the machine's marker: also one whose starter was killed before it wrote its pid down.
pub fn find_strays(machine: &str) -> Vec<Process> {
    let marker = marker(machine);
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|word| word == marker.as_bytes())
        })
        .filter_map(Process::of_pid)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_known_until_it_ends_and_its_pid_alone_is_not_enough() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let process = Process::of_pid(child.id().cast_signed()).unwrap();
        assert!(process.is_alive());
        let impostor = Process {
            started: process.started + 1,
            ..process.clone()
        };
        assert!(!impostor.is_alive());
        impostor.kill().await.unwrap();
        assert!(
            process.is_alive(),
            "another process with the same pid was killed"
        );
        let earlier = Process {
            boot_id: "another boot".into(),
            ..process.clone()
        };
        assert!(!earlier.is_alive());
        process.kill().await.unwrap();
        assert!(!process.is_alive());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_stray_is_found_by_its_marker() {
        let machine = crate::value::MachineId::new().to_string();
        let mut child = std::process::Command::new("sh")
            .args(["-c", "echo; read line", &marker(&machine)])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The kernel shows a command line a moment after the program begins.
        std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut [0]).unwrap();
        let found = find_strays(&machine);
        assert_eq!(
            found.iter().map(Process::pid).collect::<Vec<_>>(),
            [child.id().cast_signed()]
        );
        found[0].kill().await.unwrap();
        child.wait().unwrap();
        assert!(find_strays(&machine).is_empty());
    }
}
