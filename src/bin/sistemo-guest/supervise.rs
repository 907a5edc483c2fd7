//! PID 1 for an image without an init: runs its application, reaps what is left over, and ends the machine.
//!
//! ```text
//!             ┌──────── ended, to be restarted ───────┐
//!             ▼                                       │
//!   start ─▶ running ── ended for good ─────────────▶ ending ─▶ power off
//!             │                                         ▲
//!             └── asked to stop ─▶ stopping ── ended ───┘
//! ```
//!
//! An image that has neither an init nor a command stays up all the same, for those who log in.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use sistemo::guest::words::{Command, Restart};

use crate::power::{self, Ending};
use crate::{command, console, mounts};

/// How long the application may take to stop, and then everything else; the host's own patience is 30 s.
const STOP_TIME: Duration = Duration::from_secs(20);
const REST_TIME: Duration = Duration::from_secs(3);
/// The pause before a restart doubles from the first to the second, and is back at the first after a run that lasted
/// longer than the second.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Who asks PID 1 to do what. As busybox's init understands them (init/init.c), since an image's own `poweroff` and
/// `reboot` are likely busybox's; SIGINT is the kernel's for Ctrl-Alt-Del, SIGPWR is a power supply's.
const REQUESTS: [(Signal, Ending); 5] = [
    (Signal::SIGUSR2, Ending::PowerOff),
    (Signal::SIGUSR1, Ending::PowerOff),
    (Signal::SIGPWR, Ending::PowerOff),
    (Signal::SIGTERM, Ending::Reboot),
    (Signal::SIGINT, Ending::Reboot),
];

/// Runs until the machine ends. Returns only if the kernel refuses to end it.
pub fn run<E>(command: Option<&Command>) -> Result<ExitCode, E> {
    mounts::cgroups();
    let waited: SigSet = REQUESTS
        .iter()
        .map(|(signal, _)| *signal)
        .chain([Signal::SIGCHLD])
        .collect();
    // Blocked, so that they stay pending until they are waited for; PID 1 ignores any other (signal(7)).
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&waited), None);
    let ending = match command {
        Some(command) => Application::new(command).run(&waited),
        None => idle(&waited),
    };
    end_all(&waited);
    mounts::settle();
    power::end(ending);
    Ok(ExitCode::FAILURE)
}

/// What woke PID 1.
enum Woken {
    Asked(Ending),
    ChildEnded,
    TimeIsUp,
}

/// Waits for a signal, at most until `end`.
fn wait(signals: &SigSet, end: Option<Instant>) -> Woken {
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match next_signal(signals, left) {
            Ok(Signal::SIGCHLD) => return Woken::ChildEnded,
            Ok(signal) => {
                if let Some((_, ending)) = REQUESTS.iter().find(|(request, _)| *request == signal) {
                    return Woken::Asked(*ending);
                }
            }
            Err(Errno::EAGAIN) => return Woken::TimeIsUp,
            Err(_) => {}
        }
    }
}

fn next_signal(signals: &SigSet, left: Option<Duration>) -> Result<Signal, Errno> {
    let Some(left) = left else {
        return signals.wait();
    };
    let left = nix::sys::time::TimeSpec::from_duration(left);
    // SAFETY: both pointers are to values that outlive the call; nothing is asked back.
    let number =
        unsafe { libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), left.as_ref()) };
    Signal::try_from(Errno::result(number)?)
}

/// Reaps all that has ended, and says how `watched` did if it was among them.
fn reap(watched: Option<Pid>) -> Option<WaitStatus> {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return found,
            Ok(status) => {
                if status.pid().is_some() && status.pid() == watched {
                    found = Some(status);
                }
            }
        }
    }
}

fn idle(signals: &SigSet) -> Ending {
    loop {
        reap(None);
        if let Woken::Asked(ending) = wait(signals, None) {
            return ending;
        }
    }
}

struct Application<'a> {
    command: &'a Command,
    pause: Duration,
}

impl Application<'_> {
    fn new(command: &Command) -> Application<'_> {
        Application {
            command,
            pause: BACK_OFF.0,
        }
    }

    fn run(mut self, signals: &SigSet) -> Ending {
        loop {
            let started = Instant::now();
            let succeeded = match command::start(self.command) {
                Ok(pid) => match self.watch(pid, signals) {
                    Ok(status) => {
                        console::say(&format!("sistemo-guest: {}", describe(status)));
                        matches!(status, WaitStatus::Exited(_, 0))
                    }
                    Err(ending) => return ending,
                },
                Err(error) => {
                    console::say(&format!("sistemo-guest: {}", console::report(&error)));
                    false
                }
            };
            if !restarts(self.command.restart, succeeded) {
                return Ending::PowerOff;
            }
            if started.elapsed() > BACK_OFF.1 {
                self.pause = BACK_OFF.0;
            }
            if let Some(ending) = rest(signals, self.pause) {
                return ending;
            }
            self.pause = (self.pause * 2).min(BACK_OFF.1);
        }
    }

    /// Waits for the application's end; an error is the ending that was asked for meanwhile.
    fn watch(&self, pid: Pid, signals: &SigSet) -> Result<WaitStatus, Ending> {
        loop {
            match wait(signals, None) {
                Woken::ChildEnded => {
                    if let Some(status) = reap(Some(pid)) {
                        return Ok(status);
                    }
                }
                Woken::Asked(ending) => {
                    self.stop(pid, signals);
                    return Err(ending);
                }
                Woken::TimeIsUp => {}
            }
        }
    }

    /// Asks the application to stop, in its own way, and gives it time.
    fn stop(&self, pid: Pid, signals: &SigSet) {
        let end = Instant::now() + STOP_TIME;
        // SAFETY: kill(2) takes two integers. By number, since an image may name a real-time signal.
        unsafe { libc::kill(pid.as_raw(), self.command.stop_signal) };
        while reap(Some(pid)).is_none() {
            if matches!(wait(signals, Some(end)), Woken::TimeIsUp) {
                return;
            }
        }
    }
}

/// Pauses before a restart; the ending, if one is asked for meanwhile.
fn rest(signals: &SigSet, pause: Duration) -> Option<Ending> {
    let end = Instant::now() + pause;
    loop {
        match wait(signals, Some(end)) {
            Woken::TimeIsUp => return None,
            Woken::Asked(ending) => return Some(ending),
            Woken::ChildEnded => {
                reap(None);
            }
        }
    }
}

fn restarts(policy: Restart, succeeded: bool) -> bool {
    match policy {
        Restart::No => false,
        Restart::OnFailure => !succeeded,
        Restart::Always => true,
    }
}

fn describe(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("the command ended with status {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("the command was killed by {signal}"),
        other => format!("the command ended: {other:?}"),
    }
}

/// Ends every other process: asked first, then by force.
fn end_all(signals: &SigSet) {
    let everyone = Pid::from_raw(-1);
    let end = Instant::now() + REST_TIME;
    if kill(everyone, Signal::SIGTERM).is_err() {
        return;
    }
    while waitpid(None, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD) {
        if matches!(wait(signals, Some(end)), Woken::TimeIsUp) {
            break;
        }
    }
    let _ = kill(everyone, Signal::SIGKILL);
    while waitpid(None, None).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_says_when_to_start_again() {
        let of = |policy| [restarts(policy, true), restarts(policy, false)];
        assert_eq!(of(Restart::No), [false, false]);
        assert_eq!(of(Restart::OnFailure), [false, true]);
        assert_eq!(of(Restart::Always), [true, true]);
    }

    #[test]
    fn an_end_is_described() {
        let pid = Pid::from_raw(7);
        assert_eq!(
            describe(WaitStatus::Exited(pid, 3)),
            "the command ended with status 3"
        );
        let killed = WaitStatus::Signaled(pid, Signal::SIGSEGV, true);
        assert_eq!(describe(killed), "the command was killed by SIGSEGV");
    }
}
