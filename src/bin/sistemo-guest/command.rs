//! Running an application image's command as PID 1: start it, reap every orphan, start it again as told, and power off.

use std::convert::Infallible;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use sistemo::guest::words::{Command, Config, Restart};

use crate::{Outcome, accounts, environment, mounts, power, say};

/// How long a command may take to heed its stop signal.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait before a command that keeps failing is started again.
const SLOWEST: Duration = Duration::from_secs(60);

/// Runs the configured command; without one, the machine is there for those who enter it.
pub(crate) fn run(config: &Config) -> Outcome<Infallible> {
    mounts::late();
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGALRM,
        power::WISH,
    ] {
        signals.add(signal);
    }
    let _ = signals.thread_block();
    let mut keeper = config.command.as_ref().map(Keeper::new);
    if let Some(keeper) = &mut keeper {
        keeper.start();
    }
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                for (pid, success) in reap() {
                    if let Some(keeper) = keeper.as_mut().filter(|keeper| keeper.pid == Some(pid))
                        && !keeper.ended(success)
                    {
                        return stop(None);
                    }
                }
            }
            Ok(Signal::SIGALRM) => {
                if let Some(keeper) = &mut keeper {
                    keeper.start();
                }
            }
            Ok(_) => return stop(keeper.as_ref()),
            Err(_) => {}
        }
    }
}

/// Keeps one command running.
struct Keeper<'a> {
    command: &'a Command,
    pid: Option<Pid>,
    begun: Instant,
    pause: Duration,
}

impl<'a> Keeper<'a> {
    fn new(command: &'a Command) -> Self {
        Keeper {
            command,
            pid: None,
            begun: Instant::now(),
            pause: Duration::from_secs(1),
        }
    }

    fn start(&mut self) {
        self.begun = Instant::now();
        match spawn(self.command) {
            Ok(pid) => self.pid = Some(pid),
            Err(why) => {
                say(&format!(
                    "sistemo-guest: {}: {why}",
                    self.command.argv.join(" ")
                ));
                self.pid = None;
                self.again_later();
            }
        }
    }

    /// Notes that the command has ended; says whether it will be started again.
    fn ended(&mut self, success: bool) -> bool {
        let again = match self.command.restart {
            Restart::No => false,
            Restart::OnFailure => !success,
            Restart::Always => true,
        };
        self.pid = None;
        let how = if success { "ended" } else { "failed" };
        say(&format!(
            "sistemo-guest: {} {how}",
            self.command.argv.join(" ")
        ));
        if again {
            self.again_later();
        }
        again
    }

    /// Waits longer each time, unless the command had run for a while.
    fn again_later(&mut self) {
        if self.begun.elapsed() > SLOWEST {
            self.pause = Duration::from_secs(1);
        }
        let seconds = u32::try_from(self.pause.as_secs()).unwrap_or(60);
        nix::unistd::alarm::set(seconds);
        self.pause = (self.pause * 2).min(SLOWEST);
    }
}

fn spawn(command: &Command) -> Outcome<Pid> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err("there is nothing to run".into());
    };
    let who = accounts::resolve(&command.user).map_err(|error| error.to_string())?;
    let mut variables = environment::Environment::new();
    variables.insert(
        "PATH".into(),
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
    );
    variables.insert("HOME".into(), who.home.to_string_lossy().into_owned());
    for pair in &command.env {
        if let Some((name, value)) = pair.split_once('=') {
            variables.insert(name.into(), value.into());
        }
    }
    let _ = std::fs::create_dir_all(&command.cwd);
    let console = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/console");
    let mut process = Process::new(program);
    process
        .args(arguments)
        .env_clear()
        .envs(&variables)
        .current_dir(&command.cwd);
    if let Ok(console) = console
        && let (Ok(out), Ok(err)) = (console.try_clone(), console.try_clone())
    {
        process
            .stdin(std::process::Stdio::null())
            .stdout(out)
            .stderr(err);
    }
    crate::ssh::process::become_user(&mut process, who.uid, who.gid, who.groups.clone(), None);
    let child = process.spawn().map_err(|error| error.to_string())?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// Collects every child that has ended, orphans of others among them.
fn reap() -> Vec<(Pid, bool)> {
    let mut ended = Vec::new();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended.push((pid, code == 0)),
            Ok(WaitStatus::Signaled(pid, ..)) => ended.push((pid, false)),
            Ok(WaitStatus::StillAlive) | Err(_) => return ended,
            Ok(_) => {}
        }
    }
}

/// Stops the command, then everything else, and powers off.
fn stop(keeper: Option<&Keeper<'_>>) -> Outcome<Infallible> {
    if let Some((pid, signal)) =
        keeper.and_then(|keeper| Some((keeper.pid?, keeper.command.stop_signal)))
    {
        // SAFETY: kill takes two integers; the pid is a child that has not been reaped.
        unsafe { nix::libc::kill(pid.as_raw(), signal) };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && !reap().iter().any(|(ended, _)| *ended == pid) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let everyone = Pid::from_raw(-1);
    let _ = kill(everyone, Signal::SIGTERM);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2)
        && waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok()
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = kill(everyone, Signal::SIGKILL);
    nix::unistd::sync();
    let read_only = nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY;
    let _ = nix::mount::mount(None::<&str>, "/", None::<&str>, read_only, None::<&str>);
    power::halt()?;
    Err("the machine did not power off".into())
}
