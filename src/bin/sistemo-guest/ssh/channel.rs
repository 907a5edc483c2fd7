//! One session channel: its requests, then its process (RFC 4254 §6).

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelWriteHalf};
use sistemo::guest::words;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::exit::{End, end_of, requested};
use super::{Shared, process};
use crate::accounts::{self, Account};
use crate::{environment, power};

/// What the client has asked for before its command.
struct Wishes {
    env: environment::Environment,
    pty: Option<OpenptyResult>,
}

/// Serves a channel until it closes.
pub(super) async fn serve(
    mut channel: Channel<Msg>,
    handle: Handle,
    user: Account,
    shared: Arc<Shared>,
) {
    let id = channel.id();
    let mut wishes = Wishes {
        env: environment::Environment::new(),
        pty: None,
    };
    while let Some(message) = channel.wait().await {
        let (answer, granted) = match message {
            ChannelMsg::SetEnv {
                want_reply,
                variable_name,
                variable_value,
            } => {
                let good = environment::is_name(&variable_name) && !variable_value.contains('\0');
                if good {
                    wishes.env.insert(variable_name, variable_value);
                }
                (want_reply, good)
            }
            ChannelMsg::RequestPty {
                want_reply,
                term,
                col_width,
                row_height,
                ..
            } => {
                wishes.pty = openpty(&size(col_width, row_height), None).ok();
                wishes.env.insert("TERM".into(), term);
                (want_reply, wishes.pty.is_some())
            }
            ChannelMsg::RequestShell { .. } => {
                return run(channel, handle, &user, &shared, wishes, None).await;
            }
            ChannelMsg::Exec { command, .. } => {
                let line = String::from_utf8_lossy(&command).into_owned();
                return run(channel, handle, &user, &shared, wishes, Some(line)).await;
            }
            ChannelMsg::RequestSubsystem { want_reply, name } => {
                if let Some(status) = subsystem(&name, &user).await {
                    let _ = handle.channel_success(id).await;
                    let _ = handle.exit_status_request(id, status).await;
                    let _ = handle.eof(id).await;
                    let _ = handle.close(id).await;
                    return;
                }
                (want_reply, false)
            }
            ChannelMsg::Close => return,
            _ => continue,
        };
        if answer {
            let _ = match granted {
                true => handle.channel_success(id).await,
                false => handle.channel_failure(id).await,
            };
        }
    }
}

/// The subsystems by which the host talks to its guest. `None` for one that is not served.
async fn subsystem(name: &str, user: &Account) -> Option<u32> {
    match name {
        words::READY_SUBSYSTEM => {
            // PID 1 is still this program until it has handed over, unless it is to stay.
            let own = std::fs::read_link("/proc/self/exe").ok();
            for _ in 0..200 {
                let first = std::fs::read_link("/proc/1/exe").ok();
                if first != own || std::fs::read("/proc/1/cmdline").is_ok_and(|l| l.is_empty()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Some(0)
        }
        words::POWER_OFF_SUBSYSTEM if user.uid == 0 => Some(u32::from(power::ask().is_err())),
        _ => None,
    }
}

fn size(cols: u32, rows: u32) -> Winsize {
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Winsize {
        ws_col: short(cols),
        ws_row: short(rows),
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// The user's shell, or the first one that the image has.
fn shell_of(user: &Account) -> Option<PathBuf> {
    let others = ["/bin/bash", "/bin/sh", "/bin/ash"].map(PathBuf::from);
    std::iter::once(user.shell.clone())
        .chain(others)
        .find(|path| path.is_file())
}

/// Runs a command line, or a login shell, and closes the channel when it has ended.
async fn run(
    channel: Channel<Msg>,
    handle: Handle,
    user: &Account,
    shared: &Shared,
    wishes: Wishes,
    line: Option<String>,
) {
    let id = channel.id();
    let started = prepare(user, shared, &wishes, line.as_deref()).and_then(|mut command| {
        let pty = wishes.pty.map(|pty| (pty.master, pty.slave));
        let child = command.spawn().map_err(|error| format!("{error}"))?;
        Ok((child, pty))
    });
    let (mut read, write) = channel.split();
    let write = Arc::new(write);
    let (child, pty) = match started {
        Ok(started) => started,
        Err(why) => {
            let _ = handle.channel_success(id).await;
            let _ = write
                .extended_data_bytes(1, format!("sistemo-guest: {why}\r\n").into_bytes())
                .await;
            let _ = handle.exit_status_request(id, 127).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
            return;
        }
    };
    let _ = handle.channel_success(id).await;
    let group = child.id().map(|pid| Pid::from_raw(pid.cast_signed()));
    let (window, input, outputs) = streams(child, pty, &write);
    let (mut ended, outputs) = outputs;
    let mut input = Some(input);
    let mut finished = None;
    loop {
        tokio::select! {
            message = read.wait() => match message {
                Some(ChannelMsg::Data { data }) => {
                    if let Some(input) = &input { let _ = input.send(data).await; }
                }
                Some(ChannelMsg::Eof) => input = None,
                Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                    if let Some(window) = &window { resize(window, &size(col_width, row_height)); }
                }
                Some(ChannelMsg::Signal { signal }) => {
                    if let (Some(group), Some(signal)) = (group, requested(&signal)) {
                        let _ = killpg(group, signal);
                    }
                }
                Some(ChannelMsg::Close) | None => {
                    if let Some(group) = group.filter(|_| finished.is_none()) {
                        let _ = killpg(group, Signal::SIGHUP);
                    }
                    return;
                }
                Some(_) => {}
            },
            end = &mut ended, if finished.is_none() => {
                finished = Some(end.unwrap_or(End::Status(255)));
                break;
            }
        }
    }
    drop(input);
    for output in outputs {
        let _ = output.await;
    }
    let _ = match finished {
        Some(End::Status(status)) => handle.exit_status_request(id, status).await,
        Some(End::Signal { name, core_dumped }) => {
            handle
                .exit_signal_request(id, name, core_dumped, String::new(), String::new())
                .await
        }
        None => Ok(()),
    };
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

/// The process that a request stands for, ready to be started.
fn prepare(
    user: &Account,
    shared: &Shared,
    wishes: &Wishes,
    line: Option<&str>,
) -> Result<tokio::process::Command, String> {
    let shell = shell_of(user);
    let named = shell.clone().unwrap_or_default();
    let mut env = environment::of_account(user, &named, &shared.env);
    let _ = environment::add_file(&mut env, Path::new("/etc/environment"));
    env.extend(wishes.env.clone());
    let mut command = match (&shell, line) {
        (Some(shell), Some(line)) => {
            let mut command = std::process::Command::new(shell);
            command.arg("-c").arg(line);
            command
        }
        (Some(shell), None) => {
            let mut command = std::process::Command::new(shell);
            // A dash in front of its name tells a shell that it is a login shell (bash(1), "INVOCATION").
            let name = shell.file_name().unwrap_or_default().to_string_lossy();
            std::os::unix::process::CommandExt::arg0(&mut command, format!("-{name}"));
            command
        }
        (None, Some(line)) => {
            // No shell to read the line: split it into words as one would.
            let words = shlex::split(line).ok_or("the command's quotes do not match")?;
            let (program, arguments) = words.split_first().ok_or("there is no command")?;
            let mut command = std::process::Command::new(program);
            command.args(arguments);
            command
        }
        (None, None) => return Err("this image has no shell; run a program with exec".into()),
    };
    command.env_clear().envs(&env);
    let home = if user.home.is_dir() {
        user.home.as_path()
    } else {
        Path::new("/")
    };
    command.current_dir(home);
    let groups = accounts::groups_of(user).map_err(|error| error.to_string())?;
    match &wishes.pty {
        Some(pty) => {
            let end = || {
                pty.slave
                    .try_clone()
                    .map(Stdio::from)
                    .map_err(|error| error.to_string())
            };
            command.stdin(end()?).stdout(end()?).stderr(end()?);
            // The terminal belongs to its user.
            let _ = nix::unistd::fchown(&pty.slave, Some(user.uid.into()), None);
            process::become_user(&mut command, user.uid, user.gid, groups, Some(0));
        }
        None => {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            process::become_user(&mut command, user.uid, user.gid, groups, None);
        }
    }
    Ok(command.into())
}

type Ended = tokio::sync::oneshot::Receiver<End>;
type Outputs = (Ended, Vec<tokio::task::JoinHandle<()>>);

/// Connects a process's streams with the channel: the terminal to resize, the way in, and the ways out.
fn streams(
    mut child: tokio::process::Child,
    pty: Option<(OwnedFd, OwnedFd)>,
    write: &Arc<ChannelWriteHalf<Msg>>,
) -> (Option<File>, mpsc::Sender<bytes::Bytes>, Outputs) {
    let (input, feed) = mpsc::channel(4);
    let (tell, ended) = tokio::sync::oneshot::channel();
    let mut outputs = Vec::new();
    let mut window = None;
    if let Some((master, slave)) = pty {
        drop(slave);
        window = master.try_clone().ok().map(File::from);
        if let Ok(terminal) = Terminal::new(master) {
            let terminal = Arc::new(terminal);
            outputs.push(tokio::spawn(terminal.clone().read_all(write.make_writer())));
            tokio::spawn(terminal.write_all(feed));
        }
    } else {
        if let Some(stdout) = child.stdout.take() {
            outputs.push(tokio::spawn(copy(stdout, write.make_writer())));
        }
        if let Some(stderr) = child.stderr.take() {
            outputs.push(tokio::spawn(copy(stderr, write.make_writer_ext(Some(1)))));
        }
        if let Some(stdin) = child.stdin.take() {
            tokio::spawn(fill(stdin, feed));
        }
    }
    tokio::spawn(async move {
        let end = child.wait().await.map_or(End::Status(255), end_of);
        let _ = tell.send(end);
    });
    (window, input, (ended, outputs))
}

async fn copy(mut from: impl AsyncRead + Unpin, to: impl AsyncWrite) {
    let mut to = std::pin::pin!(to);
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn fill(mut stdin: impl AsyncWrite + Unpin, mut feed: mpsc::Receiver<bytes::Bytes>) {
    while let Some(data) = feed.recv().await {
        if stdin.write_all(&data).await.is_err() {
            return;
        }
    }
}

fn resize(window: &File, size: &Winsize) {
    // SAFETY: the descriptor is open and the pointer leads to a window size.
    unsafe { nix::libc::ioctl(window.as_raw_fd(), nix::libc::TIOCSWINSZ, size) };
}

/// The host's end of a pseudo-terminal.
struct Terminal(AsyncFd<OwnedFd>);

impl Terminal {
    fn new(master: OwnedFd) -> std::io::Result<Terminal> {
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFL(flags))?;
        // SAFETY: the descriptor is owned by what waits for it.
        Ok(Terminal(unsafe { AsyncFd::register(master) }?))
    }

    /// Reads until every process has let go of the terminal.
    async fn read_all(self: Arc<Self>, to: impl AsyncWrite) {
        let mut to = std::pin::pin!(to);
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                return;
            };
            let read = ready.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), &mut buffer)?));
            match read {
                Ok(Ok(count @ 1..)) => {
                    if to.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
                Ok(_) => return, // EIO: nobody is left at the other end
                Err(_) => {}
            }
        }
    }

    async fn write_all(self: Arc<Self>, mut feed: mpsc::Receiver<bytes::Bytes>) {
        while let Some(data) = feed.recv().await {
            let mut left = &data[..];
            while !left.is_empty() {
                let Ok(mut ready) = self.0.writable().await else {
                    return;
                };
                match ready.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), left)?)) {
                    Ok(Ok(count)) => left = &left[count..],
                    Ok(Err(_)) => return,
                    Err(_) => {}
                }
            }
        }
    }
}
