//! Starts a hypervisor so that it stands on its own.
//!
//! It becomes a session leader without a terminal, in the network namespace it is given, with nothing of the starter's:
//! no descriptors but those passed on purpose, no environment, no core dumps (they would hold the
//! guest's memory), no way to more privileges. When memory runs out the kernel ends a machine before it ends the host's
//! own services. What it gets of its host beyond that is the affair of `contain`.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{setsid, write};
use tokio::process::Child;

use super::contain::{Enclosure, Last, LastNumbers};
use super::process::Process;
use crate::host::descriptors::{self, close_at_exec};

/// Preference for being ended when the host's memory runs out (proc(5), `oom_score_adj`, -1000..=1000; 0 is usual).
const OOM_SCORE: &[u8] = b"100";

/// A program and what it is given.
pub(super) struct Spawn<'a> {
    pub(super) program: &'a Path,
    /// Where it works, as it sees it.
    pub(super) directory: &'a Path,
    pub(super) arguments: Vec<OsString>,
    /// The network namespace to enter.
    pub(super) namespace: Option<&'a File>,
    /// Standard error, and standard output unless the next says otherwise.
    pub(super) output: File,
    /// Standard output of a program that writes there what its guest prints.
    pub(super) console: Option<File>,
    /// Descriptors that the program keeps, under the numbers that they have here.
    pub(super) keep: Vec<OwnedFd>,
    /// What it gets of its host; without, what this program has. The program's path is one without links then.
    pub(super) enclosure: Option<Enclosure>,
}

/// Starts it and returns its identity. Must be called within a tokio runtime, which waits for the child so that it does
/// not stay behind as a zombie while this program lives.
pub(super) fn spawn(spawn: Spawn<'_>) -> io::Result<Process> {
    let mut child = match &spawn.enclosure {
        None => start(&spawn, None)?,
        Some(enclosure) => enclosed(&spawn, enclosure)?,
    };
    // The number is the child's until it is waited for, even when it has ended already.
    let process = child
        .id()
        .ok_or_else(|| io::ErrorKind::NotFound.into())
        .and_then(Process::with_pid);
    if process.is_err() {
        child.start_kill()?;
    }
    tokio::spawn(async move { child.wait().await });
    process
}

/// Starts it from a thread that goes where it is to be, and ends: a thread cannot come back.
fn enclosed(spawn: &Spawn<'_>, enclosure: &Enclosure) -> io::Result<Child> {
    let runtime = tokio::runtime::Handle::current();
    let go = || {
        let _within = runtime.enter();
        if let Some(namespace) = spawn.namespace {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
        }
        let last = Last::enter(enclosure, spawn.namespace.is_some())?;
        start(spawn, Some(&last))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("encloses".into())
            .spawn_scoped(scope, go)?;
        match thread.join() {
            Ok(started) => started,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn start(spawn: &Spawn<'_>, last: Option<&Last>) -> io::Result<Child> {
    // A thread that encloses is in the namespace already.
    let namespace = match last {
        None => spawn.namespace.map(AsRawFd::as_raw_fd),
        Some(_) => None,
    };
    let keep: Vec<RawFd> = spawn.keep.iter().map(AsRawFd::as_raw_fd).collect();
    // Before it is lowered for the program: descriptors above it stay.
    let bound = descriptors::bound()?;
    let last = last.map(Last::numbers);
    let mut command = tokio::process::Command::new(spawn.program);
    command
        .args(&spawn.arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir(spawn.directory)
        .stdin(Stdio::null())
        .stdout(
            spawn
                .console
                .as_ref()
                .unwrap_or(&spawn.output)
                .try_clone()?,
        )
        .stderr(spawn.output.try_clone()?);
    // SAFETY: between fork and exec only async-signal-safe calls are made (signal-safety(7)): system calls, and reads
    // of memory allocated before the fork.
    unsafe { command.pre_exec(move || stand_alone(namespace, &keep, bound, last)) };
    command.spawn()
}

/// Runs in the child, just before the program is executed.
fn stand_alone(
    namespace: Option<RawFd>,
    keep: &[RawFd],
    bound: RawFd,
    last: Option<LastNumbers>,
) -> io::Result<()> {
    setsid()?;
    if let Some(descriptor) = namespace {
        // SAFETY: the parent's file is open across the fork.
        let file = unsafe { BorrowedFd::borrow_raw(descriptor) };
        setns(file, CloneFlags::CLONE_NEWNET)?;
    }
    umask(Mode::from_bits_truncate(0o077));
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // A starter that is not root may not lower what it has inherited; then the inherited value stays.
    let how = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let score = match last {
        None => open(c"/proc/self/oom_score_adj", how, Mode::empty()),
        Some(last) => {
            // SAFETY: the parent's descriptor is open across the fork.
            let proc = unsafe { BorrowedFd::borrow_raw(last.proc) };
            openat(proc, c"self/oom_score_adj", how, Mode::empty())
        }
    };
    if let Ok(file) = score {
        let _ = write(file, OOM_SCORE);
    }
    if let Some(last) = last {
        last.act()?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    // Everything above standard error closes at exec, whoever opened it, except what is kept on purpose.
    close_at_exec(bound)?;
    for descriptor in keep {
        // SAFETY: the parent's descriptor is open across the fork.
        let file = unsafe { BorrowedFd::borrow_raw(*descriptor) };
        fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    Ok(())
}
