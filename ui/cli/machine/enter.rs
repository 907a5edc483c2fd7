//! `sistemo machine ssh` and `exec`: streams between the user's terminal and a guest's.

use std::io::{ErrorKind, IsTerminal};
use std::process::ExitCode;

use sistemo::error::Kind;
use sistemo::guest::client::{self, Event, Exec as Command, Exit, Io, Pty};
use sistemo::machine::Session;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

use super::exec::Exec;
use crate::cli::output::complain;
use crate::cli::report::{self, Failure};
use crate::cli::terminal::{self, Raw};
use crate::cli::{Context, complete};

/// The status of a command line whose connection failed, as ssh(1) has it.
const CONNECTION_FAILED: u8 = 255;

/// Open a shell in a machine
#[derive(clap::Args)]
pub(crate) struct Ssh {
    /// Name or identifier
    #[arg(add = complete::machines())]
    name: String,

    /// Log in as this user
    #[arg(short = 'l', long, value_name = "USER", default_value = "root")]
    login: String,
}

pub(crate) async fn ssh(context: &Context, args: &Ssh) -> Result<ExitCode, Failure> {
    let session = enter(context, &args.name, Some(&args.login)).await?;
    let pty = std::io::stdin().is_terminal().then(pty);
    run(
        session,
        Command {
            command: None,
            env: Vec::new(),
            pty,
        },
    )
    .await
}

pub(crate) async fn exec(context: &Context, args: Exec) -> Result<ExitCode, Failure> {
    let args = args.settle();
    let session = enter(context, &args.name, args.options.user.as_deref()).await?;
    let command = Command {
        command: Some(args.line()),
        env: args.options.env,
        pty: args.options.tty.then(pty),
    };
    run(session, command).await
}

/// Connects. A connection that failed has a status of its own, lest it be taken for the command's.
async fn enter(context: &Context, name: &str, user: Option<&str>) -> Result<Session, Failure> {
    let engine = context.engine().await?;
    let entered = tokio::select! {
        entered = engine.machines().enter(name, user) => entered,
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

fn pty() -> Pty {
    let (cols, rows) = terminal::size();
    let term = std::env::var("TERM").unwrap_or_else(|_| "xterm-256color".into());
    Pty {
        term,
        cols: cols.into(),
        rows: rows.into(),
    }
}

/// Runs a command or a shell until it ends, and gives its status.
async fn run(session: Session, command: Command) -> Result<ExitCode, Failure> {
    let (events, received) = mpsc::channel(8);
    let raw = match (&command.pty, std::io::stdin().is_terminal()) {
        (Some(_), true) => Raw::enter().ok(),
        _ => None,
    };
    pass_signals(&events, command.pty.is_some());
    let io = Io {
        stdin: tokio::io::stdin(),
        stdout: tokio::io::stdout(),
        stderr: tokio::io::stderr(),
    };
    let outcome = tokio::select! {
        outcome = session.exec(command, io, received) => outcome,
        // The user's terminal is gone, and with it whoever the guest was talking to.
        () = hang_up() => return Ok(ExitCode::from(signal_status("HUP"))),
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
            complain(&format!("error: {error}\n"));
            Ok(ExitCode::from(CONNECTION_FAILED))
        }
    }
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
async fn hang_up() {
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
