//! A hypervisor's process, named so that a recycled process number is never mistaken for it.
//!
//! A number is reused once its process is gone; the number, the time at which the process began and the boot it began in
//! are not. Whatever is done to a process is done through a pidfd (pidfd_open(2)), opened first and proved second: a
//! descriptor keeps naming the process that it was opened for.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process of this boot or an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process number.
    pub pid: u32,
    /// When it began, in clock ticks since boot (proc(5), `/proc/PID/stat` field 22).
    pub started: u64,
    /// The boot that it belongs to (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Alive,
    /// It has ended (its parent may not have noticed yet), or was of another boot.
    Dead,
}

impl Process {
    /// The process that has `pid` now. Fails with `NotFound` when there is none.
    pub fn with_pid(pid: u32) -> io::Result<Self> {
        let stat = Stat::of(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Process {
            pid,
            started: stat.started,
            boot_id: boot_id()?.into(),
        })
    }

    /// Whether it still runs.
    pub fn current_state(&self) -> io::Result<State> {
        Ok(self.open()?.map_or(State::Dead, |_| State::Alive))
    }

    /// Waits until it has ended; returns at once when it has. It need not be a child of this program.
    pub async fn wait_exit(&self) -> io::Result<()> {
        let Some(handle) = self.open()? else {
            return Ok(());
        };
        // A pidfd becomes readable when its process ends.
        // SAFETY: an OwnedFd keeps its descriptor, and the AsyncFd keeps the OwnedFd.
        let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?;
        handle.readable().await?.retain_ready();
        Ok(())
    }

    /// Ends it with SIGKILL and waits until it has ended. Does nothing when it has.
    pub async fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_exit().await
    }

    /// Asks it to end, with SIGTERM. Does nothing when it has.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Sends `signal` unless the process has ended.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(handle) = self.open()? else {
            return Ok(());
        };
        match pidfd_send_signal(handle.as_fd(), signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// A descriptor of this very process, `None` when it has ended.
    fn open(&self) -> io::Result<Option<OwnedFd>> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else {
            return Ok(None);
        };
        if boot_id()? != self.boot_id {
            return Ok(None);
        }
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            handle => handle?,
        };
        // The descriptor is open: if what /proc shows now is ours, so is what the descriptor names.
        let ours = Stat::of(self.pid)?.is_some_and(|s| s.started == self.started && !s.ended);
        Ok(ours.then_some(handle))
    }
}

/// What `/proc/PID/stat` says.
pub(super) struct Stat {
    pub(super) started: u64,
    pub(super) ended: bool,
    pub(super) threads: u64,
    pub(super) resident_pages: u64,
}

impl Stat {
    /// `None` when there is no such process.
    pub(super) fn of(pid: u32) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(text) => text,
            // ESRCH: it was there when the file was opened.
            Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(3) => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        Stat::parse(&text)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not understood")))
    }

    /// The second field is the program's name in parentheses and may hold anything, so fields count from the last `)`.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?; // field 3
        let threads = fields.nth(16)?.parse().ok()?; // field 20
        let started = fields.nth(1)?.parse().ok()?; // field 22
        let resident_pages = fields.nth(1)?.parse().ok()?; // field 24
        Some(Stat {
            started,
            // A process whose first thread has ended is a zombie by name, and lives as long as any other thread does:
            // with its files, and so its locks.
            ended: match state {
                "Z" => threads <= 1,
                _ => matches!(state, "X" | "x"),
            },
            threads,
            resident_pages,
        })
    }
}

/// The identifier of this boot. It is read once: a process never lives to see another.
pub fn boot_id() -> io::Result<&'static str> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known);
    }
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT.get_or_init(|| text.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap()
    }

    #[test]
    fn fields_are_found_behind_a_name_with_parentheses() {
        let text = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.started, stat.ended), (987_654, false));
        assert_eq!((stat.threads, stat.resident_pages), (1, 2));
        assert!(Stat::parse("").is_none());
    }

    #[test]
    fn a_process_has_ended_with_its_last_thread() {
        let ended = |state: &str, threads: u8| {
            let text = format!("7 (a) {state} 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 {threads} 0 1 1 2");
            Stat::parse(&text).unwrap().ended
        };
        assert!(ended("Z", 1) && ended("Z", 0) && ended("X", 1));
        assert!(!ended("Z", 2) && !ended("S", 1));
    }

    #[tokio::test]
    async fn a_killed_process_is_dead_even_before_it_is_reaped() {
        let mut child = sleeper();
        let process = Process::with_pid(child.id()).unwrap();
        assert_eq!(process.current_state().unwrap(), State::Alive);
        process.kill().await.unwrap();
        assert_eq!(process.current_state().unwrap(), State::Dead);
        process.kill().await.unwrap();
        child.wait().unwrap();
        assert_eq!(process.current_state().unwrap(), State::Dead);
        process.wait_exit().await.unwrap();
    }

    #[tokio::test]
    async fn an_exit_is_seen_by_whoever_waits() {
        let mut child = sleeper();
        let process = Process::with_pid(child.id()).unwrap();
        let waiter = tokio::spawn(async move { process.wait_exit().await });
        child.kill().unwrap();
        waiter.await.unwrap().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_recycled_number_is_not_the_process() {
        let mut child = sleeper();
        let real = Process::with_pid(child.id()).unwrap();
        let earlier = Process {
            started: real.started - 1,
            ..real.clone()
        };
        let other_boot = Process {
            boot_id: "another".into(),
            ..real.clone()
        };
        for stranger in [earlier, other_boot] {
            assert_eq!(stranger.current_state().unwrap(), State::Dead);
            stranger.kill().await.unwrap();
        }
        assert_eq!(real.current_state().unwrap(), State::Alive);
        real.kill().await.unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn no_process_is_an_error() {
        let error = Process::with_pid(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
