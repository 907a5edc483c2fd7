//! What ours is compared with: a minimal relay between a WebSocket and a PTY that speaks ttyd's protocol, and its page.
//!
//! Of ttyd's protocol (<https://github.com/tsl0922/ttyd/blob/main/src/server.h>) it has what a measurement needs: output
//! and input (`0`), and that the page pauses (`2`) and resumes (`3`) the output. The page draws with the same libraries
//! as ours.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use bytes::Bytes;
use nix::libc;
use nix::pty::{Winsize, openpty};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::Outcome;
use crate::lab::run;

/// What is read from the PTY at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the socket.
const WAITING: usize = 4;

/// The page's libraries: those of our own page.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/web/page");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ratios/web/relay.js");

/// A relay; the command that it runs for every page.
#[derive(Clone)]
pub(super) struct Relay {
    command: Arc<str>,
    script: Bytes,
    style: Bytes,
}

impl Relay {
    /// Builds the page in a folder.
    pub(super) fn build(folder: &Path, command: &str) -> Outcome<Relay> {
        fs::create_dir_all(folder)?;
        for name in ["package.json", "package-lock.json"] {
            fs::copy(Path::new(PACKAGE).join(name), folder.join(name))?;
        }
        fs::copy(SCRIPT, folder.join("relay.js"))?;
        let npm = |words: &[&str]| run(Command::new("npm").args(words).current_dir(folder));
        npm(&["ci", "--prefer-offline", "--no-audit", "--no-fund"])?;
        npm(&[
            "exec",
            "--offline",
            "--",
            "esbuild",
            "relay.js",
            "--bundle",
            "--minify",
            "--outfile=out.js",
        ])?;
        let style = folder.join("node_modules/@xterm/xterm/css/xterm.css");
        Ok(Relay {
            command: command.into(),
            script: fs::read(folder.join("out.js"))?.into(),
            style: fs::read(style)?.into(),
        })
    }

    /// Serves it on a port of its own, until the runtime ends.
    pub(super) async fn serve(self) -> Outcome<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let page = "<!doctype html><meta charset=utf-8><link rel=stylesheet href=/style.css>\
             <div id=terminal style=height:95vh></div><script src=/script.js></script>";
        let router = Router::new()
            .route("/", get(async move || Html(page)))
            .route("/script.js", get(script))
            .route("/style.css", get(style))
            .route("/ws", get(upgrade))
            .with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(port)
    }
}

async fn script(State(relay): State<Relay>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript")], relay.script)
}

async fn style(State(relay): State<Relay>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css")], relay.style)
}

async fn upgrade(State(relay): State<Relay>, upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade.protocols(["tty"]).on_upgrade(async move |socket| {
        if let Err(error) = pass(socket, &relay.command).await {
            eprintln!("  the relay ended: {error}");
        }
    })
}

/// Whether the output pauses.
#[derive(Default)]
struct Pause(Mutex<bool>, Condvar);

impl Pause {
    fn set(&self, paused: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = paused;
        self.1.notify_all();
    }

    fn wait(&self) {
        let paused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.1.wait_while(paused, |paused| *paused));
    }
}

async fn pass(mut socket: WebSocket, command: &str) -> Outcome<()> {
    let (mut child, master) = start(command)?;
    let (pause, mut input) = (Arc::new(Pause::default()), master.try_clone()?);
    let (send, mut output) = mpsc::channel::<Vec<u8>>(WAITING);
    let reader = {
        let (pause, mut master) = (pause.clone(), master);
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE];
            // Its end is an error (pty(7)).
            while let Ok(count @ 1..) = master.read(&mut piece) {
                pause.wait();
                if send.blocking_send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        })
    };
    loop {
        tokio::select! {
            data = output.recv() => {
                let Some(data) = data else { break };
                let frame = [b"0", &data[..]].concat();
                socket.send(Message::Binary(frame.into())).await?;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(frame))) => match frame.split_first() {
                    Some((b'0', typed)) => input.write_all(typed)?,
                    Some((b'2', _)) => pause.set(true),
                    Some((b'3', _)) => pause.set(false),
                    _ => {}
                },
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    pause.set(false);
    drop(output);
    child.kill()?;
    child.wait()?;
    // It ends with what it reads from.
    let _ = tokio::task::spawn_blocking(move || reader.join()).await;
    Ok(())
}

/// A shell's command on a terminal of its own.
fn start(command: &str) -> Outcome<(Child, File)> {
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(Some(&size), None)?;
    let slave = File::from(pty.slave);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::from(slave.try_clone()?))
        .stdout(Stdio::from(slave.try_clone()?))
        .stderr(Stdio::from(slave));
    // SAFETY: both are system calls that are safe between fork and exec, and the closure allocates nothing.
    unsafe {
        shell.pre_exec(|| {
            nix::unistd::setsid()?;
            match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    Ok((shell.spawn()?, File::from(pty.master)))
}
