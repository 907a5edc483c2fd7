//! The way to a machine: the engine's, or one that a test makes up.

use async_trait::async_trait;
use sistemo::error::Error;
use sistemo::guest::client::{self, Event, Exec, Exit, Io, Pty};
use sistemo::machine::{Machines, Session};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};

use super::Size;

/// What a guest's programs are told of the terminal by `TERM`: a terminal type that every system knows.
pub(crate) const TERM: &str = "xterm-256color";

/// What they are told besides. That there are 24-bit colours has no place in terminfo that programs look at, and says
/// COLORTERM by convention; that characters are UTF-8 is true of this terminal whatever the guest's language is.
pub(crate) const ENVIRONMENT: [(&str, &str); 2] =
    [("COLORTERM", "truecolor"), ("LC_CTYPE", "C.UTF-8")];

/// What the user types. A user who does not type is waited for; an end of it is told to the shell.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Where a shell's output goes. While it takes none the shell is held up.
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// A terminal's ends of a shell.
pub(crate) struct Ends {
    /// What the user types.
    pub input: Input,
    /// Where the output goes.
    pub output: Output,
    /// The size now, to be asked when the shell is opened.
    pub size: watch::Receiver<Size>,
    /// The sizes after that.
    pub events: mpsc::Receiver<Event>,
    /// To be told when the machine has let us in.
    pub entered: oneshot::Sender<()>,
}

/// Why there is no shell, or none any more.
#[derive(Debug)]
pub(crate) struct Broken {
    pub message: String,
    pub hint: Option<String>,
    /// Whether trying again would fail again.
    pub lasting: bool,
}

/// Opens shells.
#[async_trait]
pub(crate) trait Transport: Send + Sync + 'static {
    /// Runs a shell in a machine, named by its id, until it ends. Dropping the future ends the shell.
    async fn shell(&self, machine: &str, ends: Ends) -> Result<Exit, Broken>;
}

#[async_trait]
impl Transport for Machines {
    async fn shell(&self, machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let session = self.enter(machine, None, None).await?;
        run_over(&session, ends).await
    }
}

/// Runs a shell over a connection.
pub(crate) async fn run_over(session: &Session, ends: Ends) -> Result<Exit, Broken> {
    let (cols, rows) = *ends.size.borrow();
    let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let shell = Exec {
        command: None,
        env: ENVIRONMENT.map(variable).to_vec(),
        pty: Some(Pty {
            term: TERM.into(),
            cols: cols.into(),
            rows: rows.into(),
        }),
    };
    // Whoever asked may have gone.
    let _ = ends.entered.send(());
    let io = Io {
        stdin: ends.input,
        stdout: ends.output,
        stderr: tokio::io::sink(),
    };
    let exit = session.exec(shell, io, ends.events).await;
    exit.map_err(|error| Broken {
        message: error.to_string(),
        hint: None,
        lasting: is_lasting(&error),
    })
}

impl From<Error> for Broken {
    fn from(error: Error) -> Broken {
        let because = std::error::Error::source(&error);
        let known = because.and_then(|because| because.downcast_ref::<client::Error>());
        Broken {
            message: error.report(),
            hint: error.hint(),
            lasting: known.is_some_and(is_lasting),
        }
    }
}

/// Whether the guest would say the same again.
fn is_lasting(error: &client::Error) -> bool {
    use client::Error::{HostKey, Key, Refused, Request};
    matches!(error, HostKey | Key(_) | Refused(_) | Request(_))
}
