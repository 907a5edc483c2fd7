//! PID 1 for an image without an init: runs its application, reaps what is left over, and ends the machine.
//!
//! ```text
//!             ┌──────── ended, to be restarted ───────┐
//!             ▼                                       │
//!   start ─▶ running ── ended for good ─────────────▶ ending ─▶ power off
//!    │        │                                         ▲
//!    │        └── asked to stop ─▶ stopping ── ended ───┤
//!    └── cannot be started at all ──────────────────────┘
//! ```
//!
//! An image that has neither an init nor a command stays up all the same, for those who log in.
//!
//! A command that fails for good is said in a line that the host looks for ([`FAILED_PREFIX`]). What cannot be started
//! at the machine's start, since there is no such program or user, will not be there a minute later either.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use sistemo::guest::words::{Command, DONE_LINE, FAILED_PREFIX, Restart};

use crate::power::{self, Ending};
use crate::{command, console, mounts, surroundings};

/// How long the application may take to stop when whoever asks does not say, and then everything else.
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

/// Runs until the machine ends. `started` is called once the command runs. Returns only if the kernel refuses to end it.
pub fn run(command: Option<&Command>, started: impl FnOnce()) {
    surroundings::prepare();
    let waited: SigSet = REQUESTS
        .iter()
        .map(|(signal, _)| *signal)
        .chain([Signal::SIGCHLD])
        .collect();
    // Blocked, so that they stay pending until they are waited for; PID 1 ignores any other (signal(7)).
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&waited), None);
    // Kept here: that it is dropped would be taken for word that the command runs.
    let mut started = Some(started);
    let ending = match command {
        Some(command) => Application::new(command).run(&waited, &mut started),
        None => {
            tell(&mut started);
            idle(&waited)
        }
    };
    end_all(&waited);
    mounts::settle();
    power::end(ending);
}

fn tell(started: &mut Option<impl FnOnce()>) {
    if let Some(tell) = started.take() {
        tell();
    }
}

/// What woke PID 1.
enum Woken {
    /// The machine is to end, and the command may take so long to.
    Asked(Ending, Duration),
    ChildEnded,
    TimeIsUp,
}

/// Waits for a signal, at most until `end`.
fn wait(signals: &SigSet, end: Option<Instant>) -> Woken {
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match next_signal(signals, left) {
            Ok((Signal::SIGCHLD, _)) => return Woken::ChildEnded,
            Ok((signal, seconds)) => {
                if let Some((_, ending)) = REQUESTS.iter().find(|(request, _)| *request == signal) {
                    return Woken::Asked(*ending, seconds.map_or(STOP_TIME, Duration::from_secs));
                }
            }
            Err(Errno::EAGAIN) => return Woken::TimeIsUp,
            Err(_) => {}
        }
    }
}

/// The next signal, and the number that was sent along with it (sigqueue(3)).
fn next_signal(signals: &SigSet, left: Option<Duration>) -> Result<(Signal, Option<u64>), Errno> {
    let left = left.map(nix::sys::time::TimeSpec::from_duration);
    let left = left
        .as_ref()
        .map_or(std::ptr::null(), |left| std::ptr::from_ref(left.as_ref()));
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: all three pointers are to values that outlive the call; without a time it waits for ever.
    let number = unsafe { libc::sigtimedwait(signals.as_ref(), info.as_mut_ptr(), left) };
    let signal = Signal::try_from(Errno::result(number)?)?;
    // SAFETY: zeros are a valid value, and the kernel has filled it in.
    let info = unsafe { info.assume_init() };
    if info.si_code != libc::SI_QUEUE {
        return Ok((signal, None));
    }
    // SAFETY: with this code there is a value.
    let value = unsafe { info.si_value() }.sival_ptr.addr();
    Ok((
        signal,
        u64::try_from(value).ok().filter(|seconds| *seconds > 0),
    ))
}

/// Reaps all that has ended, and says how `watched` did if it was among them. By the number alone: nix knows no
/// real-time signals, of which an application may die.
fn reap(watched: Option<Pid>) -> Option<ExitStatus> {
    let mut found = None;
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a value that outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return found;
        }
        if Some(Pid::from_raw(pid)) == watched {
            found = Some(ExitStatus::from_raw(status));
        }
    }
}

fn idle(signals: &SigSet) -> Ending {
    loop {
        reap(None);
        if let Woken::Asked(ending, _) = wait(signals, None) {
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

    fn run(mut self, signals: &SigSet, started: &mut Option<impl FnOnce()>) -> Ending {
        loop {
            let begun = Instant::now();
            let (succeeded, how) = match command::start(self.command) {
                Ok(pid) => {
                    tell(started);
                    match self.watch(pid, signals) {
                        Ok(status) => (status.success(), describe(status)),
                        Err(ending) => return ending,
                    }
                }
                Err(error) => (false, console::report(&error)),
            };
            let never = started.is_some();
            if never || !restarts(self.command.restart, succeeded) {
                if succeeded {
                    console::say(DONE_LINE);
                } else {
                    console::say(&format!("{FAILED_PREFIX}{how}"));
                }
                return Ending::PowerOff;
            }
            if begun.elapsed() > BACK_OFF.1 {
                self.pause = BACK_OFF.0;
            }
            let seconds = self.pause.as_secs();
            console::say(&format!(
                "sistemo-guest: the command ended: {how}; it is started again in {seconds} s"
            ));
            if let Some(ending) = rest(signals, self.pause) {
                return ending;
            }
            self.pause = (self.pause * 2).min(BACK_OFF.1);
        }
    }

    /// Waits for the application's end; an error is the ending that was asked for meanwhile.
    fn watch(&self, pid: Pid, signals: &SigSet) -> Result<ExitStatus, Ending> {
        loop {
            match wait(signals, None) {
                Woken::ChildEnded => {
                    if let Some(status) = reap(Some(pid)) {
                        return Ok(status);
                    }
                }
                Woken::Asked(ending, time) => {
                    self.stop(pid, signals, time);
                    return Err(ending);
                }
                Woken::TimeIsUp => {}
            }
        }
    }

    /// Asks the application to stop, in its own way, and gives it time.
    fn stop(&self, pid: Pid, signals: &SigSet, time: Duration) {
        let end = Instant::now() + time;
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
            Woken::Asked(ending, _) => return Some(ending),
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

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("killed by {signal}"),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => "it is not known how".into(),
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
        let of = |raw| describe(ExitStatus::from_raw(raw));
        assert_eq!(of(3 << 8), "exit status 3");
        assert_eq!(of(11 | 0x80), "killed by SIGSEGV");
        assert_eq!(of(37), "killed by signal 37");
    }

    #[test]
    fn how_long_the_end_may_take_comes_along_with_the_signal() {
        // On a thread of its own, to which the signals are sent: they stay blocked in it.
        let thread = std::thread::spawn(|| {
            let mut waited = SigSet::empty();
            waited.add(Signal::SIGUSR2);
            waited.thread_block().unwrap();
            let send = |value: usize| {
                let value = libc::sigval {
                    sival_ptr: std::ptr::without_provenance_mut(value),
                };
                // SAFETY: takes this thread's own number and a value.
                unsafe { libc::pthread_sigqueue(libc::pthread_self(), libc::SIGUSR2, value) }
            };
            let mut asked = Vec::new();
            for value in [7, 0] {
                assert_eq!(send(value), 0);
                match wait(&waited, Some(Instant::now())) {
                    Woken::Asked(Ending::PowerOff, time) => asked.push(time),
                    _ => panic!("no power-off"),
                }
            }
            asked
        });
        assert_eq!(thread.join().unwrap(), [Duration::from_secs(7), STOP_TIME]);
    }
}
