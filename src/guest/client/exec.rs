//! Commands and shells (RFC 4254 §6).

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use super::error::Error;
use super::{Client, PACKET};

/// A command for the guest.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// A line for the user's shell; the shell itself, as a login shell, when absent.
    pub command: Option<String>,
    /// Variables to set. The guest may refuse some; it does not say which.
    pub env: Vec<(String, String)>,
    /// A terminal for the command. Its output then comes as one stream, the standard output.
    pub pty: Option<Pty>,
}

/// A terminal's kind and size in characters.
#[derive(Clone, Debug)]
pub struct Pty {
    /// The value of `TERM`.
    pub term: String,
    pub cols: u32,
    pub rows: u32,
}

/// What happens on the user's side while a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The terminal's new size in characters.
    Resize { cols: u32, rows: u32 },
    /// A signal for the command, by its name without `SIG` (RFC 4254 §6.9).
    Signal(String),
}

/// The user's ends of a command's streams.
#[derive(Debug)]
pub struct Io<I, O, E> {
    pub stdin: I,
    pub stdout: O,
    pub stderr: E,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(u32),
    /// By a signal (RFC 4254 §6.10); its name has no `SIG` in front.
    Signal {
        name: String,
        core_dumped: bool,
        message: String,
    },
}

impl Exit {
    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        *self == Exit::Status(0)
    }
}

impl Client {
    /// Runs a command, or a shell, until it ends. Input is read only as fast as the guest takes it, and the guest is
    /// held up by a slow reader of the output. Input that ends is passed on, and the command may go on after it;
    /// `events` may end at any time.
    ///
    /// Dropping the future closes the channel, which hangs up on the command.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] when the connection ends first, [`Error::Request`] when the guest does not start the command,
    /// [`Error::Output`] when the output cannot be passed on (`BrokenPipe` when nobody reads it any more).
    pub async fn exec<I, O, E>(
        &self,
        exec: Exec,
        io: Io<I, O, E>,
        events: mpsc::Receiver<Event>,
    ) -> Result<Exit, Error>
    where
        I: AsyncRead + Unpin,
        O: AsyncWrite + Unpin,
        E: AsyncWrite + Unpin,
    {
        let channel = self.session().await?;
        self.start(&channel, &exec)
            .await
            .map_err(|error| self.shared.loss(error))?;
        let (mut incoming, outgoing) = channel.split();
        let open = Open::new(outgoing);
        // Neither way may wait for the other: a guest whose output nobody takes stops taking input.
        let sending = join(
            send(io.stdin, &open.channel, self.room.ahead),
            pass_on(events, &open.channel),
        );
        let receiving = receive(&mut incoming, io.stdout, io.stderr, self.room.ahead);
        let outcome = tokio::select! {
            outcome = receiving => outcome?,
            never = async { sending.await; std::future::pending().await } => never,
        };
        match outcome {
            End::Closed(exit) => {
                open.closed();
                exit.ok_or(Error::NoExit)
            }
            End::Lost => Err(self.shared.lost()),
        }
    }

    /// Asks a subsystem that answers with its exit alone.
    ///
    /// # Errors
    ///
    /// As [`Client::exec`].
    pub async fn ask(&self, subsystem: &str) -> Result<Exit, Error> {
        let channel = self.session().await?;
        let asked = channel.request_subsystem(true, subsystem).await;
        asked.map_err(|error| self.shared.loss(error))?;
        let (mut incoming, outgoing) = channel.split();
        let open = Open::new(outgoing);
        let (nowhere, either) = (tokio::io::sink(), tokio::io::sink());
        match receive(&mut incoming, nowhere, either, self.room.ahead).await? {
            End::Closed(exit) => {
                open.closed();
                exit.ok_or(Error::NoExit)
            }
            End::Lost => Err(self.shared.lost()),
        }
    }

    /// Sends all requests in one go; the guest's answers come before its output.
    async fn start(&self, channel: &Channel<Msg>, exec: &Exec) -> Result<(), russh::Error> {
        if self.shared.agent.is_some() {
            channel.agent_forward(false).await?;
        }
        for (name, value) in &exec.env {
            channel.set_env(false, name, value).await?;
        }
        if let Some(pty) = &exec.pty {
            channel
                .request_pty(false, &pty.term, pty.cols, pty.rows, 0, 0, &[])
                .await?;
        }
        match &exec.command {
            Some(command) => channel.exec(true, command.as_str()).await,
            None => channel.request_shell(true).await,
        }
    }
}

/// How a channel ended.
enum End {
    /// In order: all output has come. How the command ended, if that was said.
    Closed(Option<Exit>),
    /// With the connection. The command's exit may have been told, but that is sent when it ends, before the last of its
    /// output, so it does not say that the output is whole.
    Lost,
}

/// A channel that is closed when this is dropped, unless the guest closed it.
struct Open {
    channel: Arc<ChannelWriteHalf<Msg>>,
    closed: bool,
}

impl Open {
    fn new(channel: ChannelWriteHalf<Msg>) -> Self {
        Open {
            channel: Arc::new(channel),
            closed: false,
        }
    }

    fn closed(mut self) {
        self.closed = true;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let channel = self.channel.clone();
            // If the connection is gone, so is the channel.
            runtime.spawn(async move { channel.close().await });
        }
    }
}

/// Takes what comes until the channel closes, and writes `ahead` bytes at once where there are as many.
async fn receive(
    incoming: &mut ChannelReadHalf,
    stdout: impl AsyncWrite + Unpin,
    stderr: impl AsyncWrite + Unpin,
    ahead: usize,
) -> Result<End, Error> {
    let mut stdout = BufWriter::with_capacity(ahead, stdout);
    let mut stderr = BufWriter::with_capacity(ahead, stderr);
    let mut exit = None;
    loop {
        // What has arrived already is written before anything is flushed.
        let message = match incoming.wait().now_or_never() {
            Some(message) => message,
            None => {
                stdout.flush().await.map_err(Error::Output)?;
                stderr.flush().await.map_err(Error::Output)?;
                incoming.wait().await
            }
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                stdout.write_all(&data).await.map_err(Error::Output)?;
            }
            // The only kind there is: SSH_EXTENDED_DATA_STDERR (RFC 4254 §5.2).
            Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                stderr.write_all(&data).await.map_err(Error::Output)?;
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => exit = Some(Exit::Status(exit_status)),
            Some(ChannelMsg::ExitSignal {
                signal_name,
                core_dumped,
                error_message,
                ..
            }) => {
                let name = name_of(&signal_name).to_owned();
                exit = Some(Exit::Signal {
                    name,
                    core_dumped,
                    message: error_message,
                });
            }
            Some(ChannelMsg::Failure) => return Err(Error::Request("to start it")),
            Some(ChannelMsg::Close) => break,
            Some(_) => {}
            None => {
                stdout.flush().await.map_err(Error::Output)?;
                stderr.flush().await.map_err(Error::Output)?;
                return Ok(End::Lost);
            }
        }
    }
    stdout.flush().await.map_err(Error::Output)?;
    stderr.flush().await.map_err(Error::Output)?;
    Ok(End::Closed(exit))
}

/// Sends the input on, of which it reads `ahead` bytes at once, until it ends, and says that it has. A command that has ended meanwhile has no use for it.
async fn send(mut stdin: impl AsyncRead + Unpin, outgoing: &ChannelWriteHalf<Msg>, ahead: usize) {
    let mut buffer = bytes::BytesMut::new();
    loop {
        buffer.reserve(ahead);
        match stdin.read_buf(&mut buffer).await {
            // An input that cannot be read, such as a terminal's that is gone, is at its end.
            Ok(0) | Err(_) => break,
            Ok(_) => {
                while !buffer.is_empty() {
                    let piece = buffer.split_to(buffer.len().min(PACKET)).freeze();
                    if outgoing.data_bytes(piece).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
    let _ = outgoing.eof().await;
}

/// Passes events on until there are no more.
async fn pass_on(mut events: mpsc::Receiver<Event>, outgoing: &ChannelWriteHalf<Msg>) {
    while let Some(event) = events.recv().await {
        let passed = match event {
            Event::Resize { cols, rows } => outgoing.window_change(cols, rows, 0, 0).await,
            Event::Signal(name) => outgoing.signal(Sig::Custom(name)).await,
        };
        if passed.is_err() {
            return;
        }
    }
}

/// A signal's name as it goes over the wire (RFC 4254 §6.10).
fn name_of(signal: &Sig) -> &str {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
}
