//! The SSH client to a guest (RFC 4252 to 4254, by way of russh).
//!
//! The guest's host key is pinned, since the host made it: no trust on first use, no known_hosts file.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelWriteHalf, Preferred, Sig, cipher, kex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::keys::{self, Keys};
use crate::error::Advice;

/// What is read from standard input at once; a packet holds no more (RFC 4253 §6.1 asks for 32,768 at least).
const CHUNK: usize = 32 << 10;
/// Bytes on their way that the guest need not wait for: enough to keep a local link busy.
const WINDOW: u32 = 8 << 20;

/// A failure between the host and a guest's SSH server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Key(#[from] keys::Error),
    #[error("the guest shows another host key than the one it was given")]
    HostKey,
    #[error("the guest does not let {0} in")]
    Refused(String),
    #[error("the guest refused {0}")]
    Request(&'static str),
    #[error("the connection to the guest was lost")]
    Lost,
    #[error("SSH failed")]
    Ssh(#[from] russh::Error),
    #[error("cannot write the command's output")]
    Output(#[source] std::io::Error),
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::HostKey => {
                Some("something else answers at its address; restart the machine".into())
            }
            Error::Refused(_) => Some("name a user that the machine has, with -l or -u".into()),
            _ => None,
        }
    }
}

/// Whom to log in as, with what, and to whom.
#[derive(Clone, Debug)]
pub struct Target {
    user: String,
    key: Arc<PrivateKey>,
    host_key: PublicKey,
}

impl Target {
    /// `host_key` is the public half of the guest's host key, one OpenSSH line.
    pub fn new(user: &str, keys: &Keys, host_key: &str) -> Result<Target, Error> {
        let host_key = keys::parse_host_key(host_key)?;
        Ok(Target {
            user: user.into(),
            key: keys.private.clone(),
            host_key,
        })
    }
}

/// A command for the guest.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// A line for the user's shell; the shell itself when absent.
    pub command: Option<String>,
    pub env: Vec<(String, String)>,
    /// A terminal for the command.
    pub pty: Option<Pty>,
}

/// A terminal's kind and size in characters.
#[derive(Clone, Debug)]
pub struct Pty {
    pub term: String,
    pub cols: u32,
    pub rows: u32,
}

/// What happens on the user's side while a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Resize {
        cols: u32,
        rows: u32,
    },
    /// A signal by its name without `SIG` (RFC 4254 §6.9).
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

/// An authenticated connection to a guest.
pub struct Client {
    handle: Handle<Pinned>,
}

/// Knows the one host key that is right.
#[derive(Debug)]
struct Pinned(PublicKey);

impl client::Handler for Pinned {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Error> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. }
                if key.key_data() == self.0.key_data() =>
            {
                Ok(true)
            }
            _ => Err(Error::HostKey),
        }
    }
}

impl Client {
    /// Logs in over a connected socket.
    pub async fn connect<S>(stream: S, target: &Target) -> Result<Client, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let preferred = Preferred {
            // The guest is one hop away on a link that nobody else is on, and its processor may be emulated: the
            // cheapest of the good algorithms.
            kex: Cow::Borrowed(&[kex::CURVE25519, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT]),
            cipher: Cow::Borrowed(&[cipher::AES_128_GCM, cipher::CHACHA20_POLY1305]),
            ..Preferred::default()
        };
        let config = client::Config {
            preferred,
            window_size: WINDOW,
            maximum_packet_size: CHUNK as u32,
            keepalive_interval: Some(Duration::from_secs(15)),
            ..client::Config::default()
        };
        let handler = Pinned(target.host_key.clone());
        let mut handle = client::connect_stream(Arc::new(config), stream, handler).await?;
        let key = PrivateKeyWithHashAlg::new(target.key.clone(), None);
        if !handle
            .authenticate_publickey(&target.user, key)
            .await?
            .success()
        {
            return Err(Error::Refused(target.user.clone()));
        }
        Ok(Client { handle })
    }

    /// Runs a command, or a shell, until it ends. Input is read only as fast as the guest takes it, and the guest is
    /// held up by a slow reader of the output; input that ends is passed on, and the command may go on after it.
    pub async fn exec<I, O, E>(
        &self,
        exec: Exec,
        io: Io<I, O, E>,
        mut events: mpsc::Receiver<Event>,
    ) -> Result<Exit, Error>
    where
        I: AsyncRead + Unpin + Send + 'static,
        O: AsyncWrite + Unpin,
        E: AsyncWrite + Unpin,
    {
        let channel = self.handle.channel_open_session().await?;
        for (name, value) in &exec.env {
            channel.set_env(false, name, value).await?;
        }
        if let Some(pty) = &exec.pty {
            channel
                .request_pty(false, &pty.term, pty.cols, pty.rows, 0, 0, &[])
                .await?;
        }
        match &exec.command {
            Some(command) => channel.exec(true, command.as_str()).await?,
            None => channel.request_shell(true).await?,
        }
        let (mut incoming, outgoing) = channel.split();
        let outgoing = Arc::new(outgoing);
        let input = Guard(tokio::spawn(pump(io.stdin, outgoing.clone())));
        let (mut stdout, mut stderr) = (io.stdout, io.stderr);
        let (mut exit, mut listening) = (None, true);
        loop {
            let message = tokio::select! {
                biased;
                message = incoming.wait() => message,
                event = events.recv(), if listening => {
                    match event {
                        Some(event) => pass_on(&event, &outgoing).await?,
                        None => listening = false,
                    }
                    continue;
                }
            };
            match message {
                Some(ChannelMsg::Data { data }) => {
                    stdout.write_all(&data).await.map_err(Error::Output)?;
                    stdout.flush().await.map_err(Error::Output)?;
                }
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    stderr.write_all(&data).await.map_err(Error::Output)?;
                    stderr.flush().await.map_err(Error::Output)?;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    exit = Some(Exit::Status(exit_status));
                }
                Some(ChannelMsg::ExitSignal {
                    signal_name,
                    core_dumped,
                    error_message,
                    ..
                }) => {
                    let name = name_of(&signal_name);
                    exit = Some(Exit::Signal {
                        name,
                        core_dumped,
                        message: error_message,
                    });
                }
                Some(ChannelMsg::Failure) => return Err(Error::Request("the command")),
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
        }
        drop(input);
        exit.ok_or(Error::Lost)
    }

    /// Asks a subsystem that answers with its exit alone.
    pub async fn ask(&self, subsystem: &str) -> Result<Exit, Error> {
        let mut channel = self.handle.channel_open_session().await?;
        channel.request_subsystem(true, subsystem).await?;
        let mut exit = None;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::ExitStatus { exit_status } => exit = Some(Exit::Status(exit_status)),
                ChannelMsg::Failure => return Err(Error::Request("a subsystem")),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        exit.ok_or(Error::Lost)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// Ends a task when dropped.
struct Guard(tokio::task::JoinHandle<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends the input on until it ends, and says that it has.
async fn pump(mut stdin: impl AsyncRead + Unpin, outgoing: Arc<ChannelWriteHalf<client::Msg>>) {
    let mut buffer = bytes::BytesMut::with_capacity(CHUNK);
    loop {
        buffer.reserve(CHUNK);
        match stdin.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                while !buffer.is_empty() {
                    let piece = buffer.split_to(buffer.len().min(CHUNK)).freeze();
                    if outgoing.data_bytes(piece).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
    // A command that has ended meanwhile has no use for it.
    let _ = outgoing.eof().await;
}

async fn pass_on(event: &Event, outgoing: &ChannelWriteHalf<client::Msg>) -> Result<(), Error> {
    match event {
        Event::Resize { cols, rows } => outgoing.window_change(*cols, *rows, 0, 0).await?,
        Event::Signal(name) => outgoing.signal(Sig::Custom(name.clone())).await?,
    }
    Ok(())
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT".into(),
        Sig::ALRM => "ALRM".into(),
        Sig::FPE => "FPE".into(),
        Sig::HUP => "HUP".into(),
        Sig::ILL => "ILL".into(),
        Sig::INT => "INT".into(),
        Sig::KILL => "KILL".into(),
        Sig::PIPE => "PIPE".into(),
        Sig::QUIT => "QUIT".into(),
        Sig::SEGV => "SEGV".into(),
        Sig::TERM => "TERM".into(),
        Sig::USR1 => "USR1".into(),
        Sig::Custom(name) => name.clone(),
    }
}
