//! `sistemo machine ssh` and `exec`: streams between the user's terminal and a guest's.

use std::io::{ErrorKind, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use sistemo::error::Kind;
use sistemo::guest::client::{self, Event, Exec as Command, Exit, Io, Pty};
use sistemo::machine::Session;
use tokio::signal::unix::SignalKind;
use tokio::sync::mpsc;

use crate::cli::Context;
use crate::cli::output::complain;
use crate::cli::report::{self, Failure};
use crate::cli::terminal::{self, Raw};

/// The status of a command line whose connection failed, as ssh(1) has it.
const CONNECTION_FAILED: u8 = 255;

/// Open a shell in a machine
#[derive(clap::Args)]
pub(crate) struct Ssh {
    /// Name or identifier
    name: String,

    /// Log in as this user
    #[arg(short = 'l', long, value_name = "USER", default_value = "root")]
    login: String,
}

/// Run a command in a machine
///
/// Everything after the name is the command, flags included. A single word is a shell line; several
/// are passed on word by word, as they are. Standard input, output and error are streamed
/// separately, and the exit status is the command's.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine exec web df -h\n  \
    sistemo machine exec web 'ps aux | wc -l'\n  \
    sistemo machine exec web -t -- top\n  \
    tar c . | sistemo machine exec web -- tar x -C /srv")]
pub(crate) struct Exec {
    #[command(flatten)]
    options: Options,

    /// Name or identifier
    name: String,

    /// The command
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

#[derive(clap::Args, Default)]
struct Options {
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,

    /// Set an environment variable; repeatable
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Run it in this directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// Run it as this user
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
}

/// Options between the name and a `--`, as in `exec web -t -- top`.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Between {
    #[command(flatten)]
    options: Options,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("wants KEY=VALUE".into()),
    }
}

impl Exec {
    /// Takes options that stand between the name and `--` out of the command. What is not an option of ours belongs to
    /// the command.
    fn settle(mut self) -> Self {
        let Some(dashes) = self.command.iter().position(|word| word == "--") else {
            return self;
        };
        let Ok(between) = Between::try_parse_from(&self.command[..dashes]) else {
            return self;
        };
        let rest = self.command.split_off(dashes + 1);
        if rest.is_empty() {
            return self;
        }
        let options = between.options;
        self.command = rest;
        self.options.tty |= options.tty;
        self.options.env.extend(options.env);
        self.options.workdir = options.workdir.or(self.options.workdir);
        self.options.user = options.user.or(self.options.user);
        self
    }

    /// The line that the guest's shell runs.
    fn line(&self) -> String {
        let command = match self.command.as_slice() {
            [line] => line.clone(),
            words => words
                .iter()
                .map(|word| quote(word))
                .collect::<Vec<_>>()
                .join(" "),
        };
        match &self.options.workdir {
            Some(dir) => format!("cd {} && {command}", quote(dir)),
            None => command,
        }
    }
}

/// A word that a POSIX shell reads back as it is.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        exec: Exec,
    }

    fn parse(words: &str) -> Exec {
        let words = std::iter::once("exec").chain(words.split_whitespace());
        Line::try_parse_from(words).unwrap().exec.settle()
    }

    #[test]
    fn everything_after_the_name_is_the_command() {
        assert_eq!(parse("web df -h").line(), "df -h");
        assert_eq!(
            parse("web -- cat /etc/os-release").line(),
            "cat /etc/os-release"
        );
        assert_eq!(parse("web ls -- -t").line(), "ls -- -t");
        assert_eq!(parse("web uname --version").line(), "uname --version");
        assert_eq!(parse("web -la").line(), "-la");
    }

    #[test]
    fn options_stand_before_the_name_or_before_dashes() {
        for words in [
            "-t -u www -w /srv web ls -t",
            "web -t -u www -w /srv -- ls -t",
        ] {
            let exec = parse(words);
            assert!(exec.options.tty, "{words}");
            assert_eq!(exec.options.user.as_deref(), Some("www"));
            assert_eq!(exec.line(), "cd /srv && ls -t");
        }
        let exec = parse("-e A=1 web -e B=2 -- env");
        assert_eq!(
            exec.options.env,
            [("A".into(), "1".into()), ("B".into(), "2".into())]
        );
    }

    #[test]
    fn words_arrive_as_they_were_typed_and_one_word_is_a_shell_line() {
        let line = |words: &[&str]| Exec {
            options: Options::default(),
            name: "web".into(),
            command: words.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(line(&["a | b"]).line(), "a | b");
        assert_eq!(
            line(&["echo", "a  b", "$HOME", "it's", ""]).line(),
            r"echo 'a  b' '$HOME' 'it'\''s' ''"
        );
    }
}
