//! A program in a pseudo-terminal of its own: the console, for a page.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use pty_process::{OwnedReadPty, OwnedWritePty, Pty};
use sistemo::guest::client::{Event, Exit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::shell::{Broken, ENVIRONMENT, Ends, Input, Output, Size, TERM, Transport};

/// How long a program may take to end once its terminal is gone.
const GRACE: Duration = Duration::from_secs(2);
/// What is read at once, in bytes. Linux gives no more than a page of it.
const PIECE: usize = 4 << 10;

/// What the console is given of the daemon's environment, besides the settings (`SISTEMO_…`) and where users keep theirs
/// (`XDG_…`): who its user is, what language and time zone they have, and how the outside is reached.
const HANDED_ON: [&str; 19] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TZ",
    "USER",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "CONTAINER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_HOST",
];

/// A program to run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Program {
    /// One with no environment but what says what terminal it has.
    pub(super) fn new(path: impl Into<PathBuf>) -> Program {
        let told = [("TERM", TERM)].into_iter().chain(ENVIRONMENT);
        Program {
            path: path.into(),
            arguments: Vec::new(),
            environment: told
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    /// The console on a data directory, as the daemon's user.
    ///
    /// # Errors
    ///
    /// When the running program cannot be found.
    pub(super) fn console(data_dir: &std::path::Path) -> io::Result<Program> {
        let console = Program::new(std::env::current_exe()?);
        let handed_on = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("SISTEMO_")
                || name.starts_with("XDG_")
                || HANDED_ON.contains(&name.as_ref())
        });
        Ok(handed_on
            .fold(console, |console, (name, value)| console.env(name, value))
            .arg("--data-dir")
            .arg(data_dir))
    }

    pub(super) fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Program {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts it as the leader of a session whose terminal has this size.
    fn start(&self, size: Size) -> Result<(Pty, Running), pty_process::Error> {
        let (pty, inside) = pty_process::open()?;
        pty.resize(of(size))?;
        let command = pty_process::Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        // SAFETY: signal(2) is safe between fork and exec, and the closure allocates nothing.
        let command = unsafe { command.pre_exec(heed_keys) };
        let child = command.spawn(inside)?;
        Ok((pty, Running(Some(child))))
    }
}

#[async_trait]
impl Transport for Program {
    async fn shell(&self, _machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let size = *ends.size.borrow();
        let (pty, running) = self.start(size).map_err(|error| Broken {
            message: format!("cannot run {}: {error}", self.path.display()),
            hint: None,
            lasting: true,
        })?;
        // Whoever asked may have gone.
        let _ = ends.entered.send(());
        // That is heard before the first of what it says.
        tokio::task::yield_now().await;
        let (from, to) = pty.into_split();
        tokio::select! {
            () = say(from, ends.output) => {}
            never = hear(ends.input, ends.events, to) => match never {},
        }
        running.end().await.map_err(|error| Broken {
            message: format!("cannot tell how {} ended: {error}", self.path.display()),
            hint: None,
            lasting: true,
        })
    }
}

/// Has signals that keys and terminals send do what they usually do. A daemon that a script has put into the background
/// ignores some of them, and so would whatever it starts.
fn heed_keys() -> io::Result<()> {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTSTP] {
        // SAFETY: SIG_DFL is no code of ours.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn of((cols, rows): Size) -> pty_process::Size {
    pty_process::Size::new(rows, cols)
}

/// Passes on what a program says until nobody has its terminal any more: reading then fails with EIO (tty_io.c,
/// `hung_up_tty_read`).
async fn say(mut from: OwnedReadPty, mut output: Output) {
    let mut piece = BytesMut::with_capacity(PIECE);
    while let Ok(1..) = from.read_buf(&mut piece).await {
        if output.write_all(&piece).await.is_err() {
            return;
        }
        piece.clear();
    }
}

/// Passes on what is typed and sizes, for ever.
async fn hear(
    mut input: Input,
    mut events: mpsc::Receiver<Event>,
    mut to: OwnedWritePty,
) -> std::convert::Infallible {
    let mut typed = BytesMut::with_capacity(PIECE);
    loop {
        let event = if typed.is_empty() {
            tokio::select! {
                read = input.read_buf(&mut typed) => match read {
                    Ok(1..) => continue,
                    // Nothing is typed for it any more.
                    Ok(0) | Err(_) => break,
                },
                event = events.recv() => event,
            }
        } else {
            tokio::select! {
                written = to.write(&typed) => match written {
                    Ok(length) => {
                        typed.advance(length);
                        continue;
                    }
                    // Nobody has the terminal any more.
                    Err(_) => break,
                },
                event = events.recv() => event,
            }
        };
        match event {
            Some(Event::Resize { cols, rows }) => {
                let clamp = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
                // A terminal that has no size any more has nobody either.
                let _ = to.resize(of((clamp(cols), clamp(rows))));
            }
            // A terminal's user has none to send but those that are keys.
            Some(Event::Signal(_)) => {}
            // There are sizes for as long as there is a terminal.
            None => break,
        }
    }
    std::future::pending().await
}

/// A program that is seen off when this is dropped.
struct Running(Option<Child>);

impl Running {
    /// How it ended. One that lives on without a terminal is seen off.
    async fn end(mut self) -> io::Result<Exit> {
        let Some(child) = &mut self.0 else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let status = match timeout(GRACE, child.wait()).await {
            Ok(status) => status,
            Err(_) => see_off(child).await,
        };
        // It is reaped, and its number is somebody else's.
        self.0 = None;
        let status = status?;
        use std::os::unix::process::ExitStatusExt;
        Ok(match (status.code(), status.signal()) {
            (None, Some(number)) => Exit::Signal {
                name: name_of(number),
                core_dumped: status.core_dumped(),
                message: String::new(),
            },
            (code, _) => Exit::Status(code.unwrap_or_default().cast_unsigned()),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { see_off(&mut child).await });
        } else {
            signal(&child, Signal::SIGHUP);
        }
    }
}

/// Tells a program and all in its group that the terminal is gone, and kills whoever does not mind.
async fn see_off(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    signal(child, Signal::SIGHUP);
    if let Ok(status) = timeout(GRACE, child.wait()).await {
        return status;
    }
    signal(child, Signal::SIGKILL);
    child.wait().await
}

/// It leads a group of its own number, which is its as long as it has not been reaped.
fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// A signal's name without `SIG`.
fn name_of(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().trim_start_matches("SIG").into(),
        Err(_) => number.to_string(),
    }
}
