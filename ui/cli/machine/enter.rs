//! `sistemo machine exec`, and what it shares with `ssh`: streams between the user's terminal and a guest's.

use std::io::{ErrorKind, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use sistemo::error::Kind;
use sistemo::guest::client::{self, Event, Exec as Command, Exit, Io, Pty};
use sistemo::machine::Session;
use sistemo::store::machines::Status;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::escapes::Escapes;
use super::exec::Exec;
use crate::cli::Context;
use crate::cli::output::complain;
use crate::cli::report::{self, Failure};
use crate::cli::terminal::{self, Raw};

/// The status of a command line whose connection failed, as ssh(1) has it.
pub(super) const CONNECTION_FAILED: u8 = 255;

pub(crate) async fn exec(context: &Context, args: Exec) -> Result<ExitCode, Failure> {
    let args = args.settle();
    let session = enter(context, &args.name, args.options.user.as_deref(), None).await?;
    let command = Command {
        command: Some(args.line()),
        env: args.options.env,
        pty: args.options.tty.then(pty),
    };
    run(context, &args.name, &session, command).await
}

/// Connects. A connection that failed has a status of its own, lest it be taken for the command's.
pub(super) async fn enter(
    context: &Context,
    name: &str,
    user: Option<&str>,
    agent: Option<PathBuf>,
) -> Result<Session, Failure> {
    let engine = context.engine().await?;
    let entered = tokio::select! {
        entered = engine.machines().enter(name, user, agent) => entered,
        () = context.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    match entered {
        Err(error) if error.kind() == Kind::Failed => {
            report::failure(&Failure::Engine(error), context.format);
            Err(Failure::Reported(ExitCode::from(CONNECTION_FAILED)))
        }
        other => Ok(other?),
    }
}

pub(super) fn pty() -> Pty {
    let (cols, rows) = terminal::size();
    let term = std::env::var("TERM").unwrap_or_else(|_| "xterm-256color".into());
    Pty {
        term,
        cols: cols.into(),
        rows: rows.into(),
    }
}

/// Runs a command or a shell until it ends, and gives its status.
pub(super) async fn run(
    context: &Context,
    name: &str,
    session: &Session,
    command: Command,
) -> Result<ExitCode, Failure> {
    let (events, received) = mpsc::channel(8);
    let raw = match (&command.pty, std::io::stdin().is_terminal()) {
        (Some(_), true) => Raw::enter().ok(),
        _ => None,
    };
    pass_signals(&events, command.pty.is_some());
    let left = CancellationToken::new();
    let io = Io {
        stdin: Escapes::new(tokio::io::stdin(), raw.is_some(), left.clone()),
        stdout: tokio::io::stdout(),
        stderr: tokio::io::stderr(),
    };
    let outcome = tokio::select! {
        outcome = session.exec(command, io, received) => outcome,
        // The user's terminal is gone, and with it whoever the guest was talking to.
        () = hang_up() => return Ok(ExitCode::from(signal_status("HUP"))),
        () = left.cancelled() => {
            drop(raw);
            complain(&format!("left {name}\n"));
            return Ok(ExitCode::from(CONNECTION_FAILED));
        }
    };
    drop(raw);
    match outcome {
        Ok(Exit::Status(status)) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))),
        Ok(Exit::Signal { name, message, .. }) => {
            let message = message.trim();
            let colon = if message.is_empty() { "" } else { ": " };
            complain(&format!(
                "the command was ended by signal {name}{colon}{message}\n"
            ));
            Ok(ExitCode::from(signal_status(&name)))
        }
        // `exec … | head` has what it wanted. The status is the one of a program that the signal ended.
        Err(client::Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Ok(ExitCode::from(signal_status("PIPE")))
        }
        Err(error) => {
            let lost = matches!(error, client::Error::Lost(_));
            complain(&format!("error: {error}\n"));
            if lost && let Some(why) = why_lost(context, name).await {
                complain(&format!("hint: {why}\n"));
            }
            Ok(ExitCode::from(CONNECTION_FAILED))
        }
    }
}

/// What has become of a machine whose connection was lost, with the way back.
pub(super) async fn why_lost(context: &Context, name: &str) -> Option<String> {
    let machine = context.engine().await.ok()?.machines().show(name).ok()?;
    let name = &machine.name;
    Some(match machine.status {
        Status::Running => format!("it runs; see what it says: sistemo machine logs {name}"),
        Status::Stopping => "it is being stopped".into(),
        Status::Paused => format!("it is paused; let it go on: sistemo machine resume {name}"),
        Status::Stopped => format!("it was stopped; start it: sistemo machine start {name}"),
        Status::Failed => format!("it failed; see why: sistemo machine show {name}"),
        Status::Creating | Status::Starting | Status::Deleting => {
            format!("it is {}", machine.status)
        }
    })
}

/// The status that a shell gives for a command ended by a signal: 128 and the signal's number.
fn signal_status(name: &str) -> u8 {
    let number = format!("SIG{name}")
        .parse::<nix::sys::signal::Signal>()
        .map(|signal| signal as i32);
    128 + number
        .ok()
        .and_then(|number| u8::try_from(number).ok())
        .unwrap_or(0)
}

/// Comes back when the terminal that this runs on is closed.
pub(super) async fn hang_up() {
    if let Some(mut signals) = terminal::signals(SignalKind::hangup())
        && signals.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Passes a terminal's resizing on, and signals sent to this process. With a terminal of its own the guest makes the
/// signals out of the keys.
fn pass_signals(events: &mpsc::Sender<Event>, pty: bool) {
    let pass = |kind: SignalKind, event: fn() -> Event| {
        let Some(mut signals) = terminal::signals(kind) else {
            return;
        };
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() && events.send(event()).await.is_ok() {}
        });
    };
    if pty {
        pass(SignalKind::window_change(), || {
            let (cols, rows) = terminal::size();
            Event::Resize {
                cols: cols.into(),
                rows: rows.into(),
            }
        });
    }
    pass(SignalKind::interrupt(), || Event::Signal("INT".into()));
    pass(SignalKind::terminate(), || Event::Signal("TERM".into()));
}
