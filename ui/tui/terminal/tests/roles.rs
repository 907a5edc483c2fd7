//! What this test program does when it is started again on a terminal.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, tcsetpgrp};
use tokio::signal::unix::{SignalKind, signal};

use super::super::{Events, Guard, Input, Options, Output, life};
use crate::tui::theme::{Background, background};

/// The variable that names the role.
const ROLE: &str = "SISTEMO_TERMINAL_ROLE";

/// The status of who noticed that the terminal is gone.
pub(super) const SEEN_OFF: i32 = 7;

/// This test program, in a role.
pub(super) fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "tui::terminal::tests::roles::plays_its_role";
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command
        .env(ROLE, role)
        .env("TERM", "xterm-256color")
        .env_remove("RUST_BACKTRACE");
    command
}

/// The way in for those that are started by other tests; nothing by itself.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "shell" => shell(),
            "listen" => listen().await,
            // Longer than an answer takes on a computer that is busy.
            "ask first" => ask_first(Duration::from_secs(60)).await,
            "ask first, in a hurry" => ask_first(Duration::from_millis(10)).await,
            "flood" => flood().await,
            "panic" => panics(),
            "panic in a thread" => panics_in_a_thread().await,
            "watch, deaf to hang-ups" => {
                watch().await;
                // The harness could not tell how it went.
                std::process::exit(SEEN_OFF);
            }
            _ => watch().await,
        }
    });
}

fn enter() -> Guard {
    let environment = |key: &str| std::env::var(key).ok();
    Guard::enter(Options::detect(&environment, true)).unwrap()
}

fn draw(text: &str) {
    let mut output = Output::new();
    // A terminal that is gone is told by the events.
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}

/// Shows what comes, and does what single keys say.
async fn watch() {
    let guard = enter();
    let events = Events::new(&guard).unwrap();
    draw("READY");
    watch_on(guard, events).await;
}

async fn watch_on(guard: Guard, mut events: Events) {
    let mut mouse = true;
    'all: while let Some(input) = events.next().await {
        for input in events.with_ready(input) {
            let key = match &input {
                Input::Event(Event::Key(key)) if key.modifiers.is_empty() => key.code,
                _ => KeyCode::Null,
            };
            match key {
                KeyCode::Char('q') => break 'all,
                KeyCode::Char('s') => guard.suspend().unwrap(),
                KeyCode::Char('m') => {
                    mouse = !mouse;
                    guard.set_mouse(mouse).unwrap();
                    draw(if mouse { "[mouse on]" } else { "[mouse off]" });
                }
                KeyCode::Char('t') => {
                    guard.set_title("we\u{1b}b\u{9b}\u{7}[2J").unwrap();
                    draw("[title]");
                }
                KeyCode::Char('b') => events.ask_background().unwrap(),
                _ => draw(&shown(&input)),
            }
        }
    }
    drop(guard);
    // Nobody reads it where the terminal is gone.
    let _ = writeln!(std::io::stdout(), "end of role");
}

/// Asks for the background before it takes the terminal, as the console does.
async fn ask_first(wait: Duration) {
    let background = background(wait);
    println!("{background:?}");
    let guard = enter();
    let mut events = Events::new(&guard).unwrap();
    if background == Background::Late {
        events.expect_background();
    }
    draw("READY");
    watch_on(guard, events).await;
}

fn shown(input: &Input) -> String {
    match input {
        Input::Event(Event::Key(KeyEvent {
            code: KeyCode::Char(c),
            modifiers,
            ..
        })) => match *modifiers {
            KeyModifiers::CONTROL => format!("[ctrl-{c}]"),
            KeyModifiers::ALT => format!("[alt-{c}]"),
            _ => format!("[{c}]"),
        },
        Input::Event(Event::Mouse(mouse)) => {
            format!("[mouse {:?} {},{}]", mouse.kind, mouse.column, mouse.row)
        }
        Input::Event(Event::Resize(columns, rows)) => format!("[{columns}x{rows}]"),
        Input::Event(Event::Paste(text)) => format!("[paste {text:?}]"),
        Input::Event(other) => format!("[{other:?}]"),
        Input::Resumed => "[resumed]".into(),
        Input::Background([r, g, b]) => format!("[background {r:02x} {g:02x} {b:02x}]"),
    }
}

fn panics() {
    let _guard = enter();
    draw("READY");
    panic!("on purpose");
}

async fn panics_in_a_thread() {
    let guard = enter();
    let mut events = Events::new(&guard).unwrap();
    draw("READY");
    let panicked = std::thread::spawn(|| panic!("on purpose")).join();
    assert!(panicked.is_err());
    draw("ghost");
    assert_eq!(events.next().await, None);
}

/// Ends in good order when it is told to.
async fn listen() {
    let mut told = signal(SignalKind::terminate()).unwrap();
    let guard = enter();
    draw("READY");
    told.recv().await;
    draw("ghost");
    drop(guard);
    println!("goodbye");
}

/// Draws for as long as the terminal is its own, and ends in good order when it is told to. A byte at a time, so that
/// nothing of the last one was taken when the terminal is full.
async fn flood() {
    let mut told = signal(SignalKind::terminate()).unwrap();
    let guard = enter();
    draw("READY");
    while life::is_ours() {
        draw("x");
    }
    told.recv().await;
    drop(guard);
    // The harness would want to tell how it went, and nobody reads it.
    std::process::exit(SEEN_OFF);
}

/// What a shell with job control does: it starts a job in front, and when that stops, is in front itself and starts it
/// again.
fn shell() {
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal).unwrap();
    // SAFETY: no handler is installed. Whoever is not in front is stopped otherwise when it asks to be.
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
    let mut job = command("watch");
    // SAFETY: all of these are async-signal-safe.
    unsafe {
        job.pre_exec(|| {
            let own = Pid::this();
            nix::unistd::setpgid(own, own)?;
            tcsetpgrp(std::io::stdin(), own)?;
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            println!("shell: started {own}");
            Ok(())
        });
    }
    let mut child = job.spawn().unwrap();
    let job = Pid::from_raw(i32::try_from(child.id()).unwrap());
    loop {
        let status = waitpid(job, Some(WaitPidFlag::WUNTRACED)).unwrap();
        tcsetpgrp(&terminal, getpgrp()).unwrap();
        let mine = match tcgetattr(&terminal).unwrap() == before {
            true => "the terminal is mine",
            false => "the terminal is changed",
        };
        let WaitStatus::Stopped(_, signal) = status else {
            println!("shell: ended, {mine}");
            // Which the library does not know.
            let _ = child.wait();
            return;
        };
        println!("shell: stopped by {signal}, {mine}");
        tcsetattr(&terminal, SetArg::TCSANOW, &before).unwrap();
        tcsetpgrp(&terminal, job).unwrap();
        kill(job, Signal::SIGCONT).unwrap();
    }
}
