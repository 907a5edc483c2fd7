//! The SSH client to a guest (RFC 4252 to 4254, by way of russh): commands, shells, subsystems, forwarded ports and the
//! user's agent.
//!
//! The guest's host key is pinned, since the host made it: no trust on first use, no known_hosts file. Knows nothing of
//! networks: it is given a connected stream.
//!
//! ```text
//! connect ─► Client ─┬─ exec ──────────► Exit       command or shell, with or without a terminal
//!                    ├─ subsystem ─────► a stream   sftp
//!                    ├─ ask ───────────► Exit       sistemo-ready, sistemo-poweroff
//!                    └─ forward_local, forward_dynamic, forward_remote
//! ```
//!
//! One task reads the connection for all of its channels and waits for whoever is slow to take what has arrived (a
//! hundred packets wait per channel, few where the connection is a modest one), so memory stays bounded, and **a channel that is not read holds up the others**.
//! Give forwarded ports a connection of their own when a terminal must stay alive beside them.

mod error;
mod exec;
mod forward;
mod handler;
mod outbox;
mod socks;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{Channel, Preferred, cipher, kex};
use tokio::io::{AsyncRead, AsyncWrite};

pub use error::Error;
pub use exec::{Event, Exec, Exit, Io, Pty};
pub use forward::Listener;

use super::keys::{self, Keys};
use handler::{Pinned, Shared};
use outbox::Outboxed;

/// The largest payload of a packet, in bytes: what the guest takes. With 32,768, which every SSH program takes (RFC 4253
/// §6.1), an emulated guest passes 5 % less.
const PACKET: usize = 65_535;
/// What a connection may keep of what is under way.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Bytes on their way that the guest need not wait for.
    window: u32,
    /// What is read at once from the socket and from a command's input, and written at once to its output, in bytes.
    ahead: usize,
    /// Packets that have arrived and nobody has taken, for each channel.
    packets: usize,
}

/// Enough to keep a local link busy: several packets at once, each of which would cost a system call or two and a change
/// of threads.
const AMPLE: Room = Room {
    window: 8 << 20,
    ahead: 256 << 10,
    packets: 100,
};
/// For one of hundreds of terminals, whose readers are slower than any guest: at most 600 KiB wait when nobody takes
/// anything.
const MODEST: Room = Room {
    window: 512 << 10,
    ahead: 64 << 10,
    packets: 4,
};

/// How long logging in may take. An emulated guest under load needs seconds; one that needs this long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long a silence the guest is asked whether it is there; three silences in a row are the end.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Whom to log in as, with what, and to whom.
#[derive(Clone, Debug)]
pub struct Target {
    user: String,
    key: Arc<PrivateKey>,
    host_key: PublicKey,
    emulated: bool,
    agent: Option<PathBuf>,
    room: Room,
}

impl Target {
    /// `host_key` is the public half of the guest's host key, one OpenSSH line.
    ///
    /// # Errors
    ///
    /// When that line is not a key.
    pub fn new(user: &str, keys: &Keys, host_key: &str) -> Result<Target, Error> {
        let host_key = keys::parse_host_key(host_key)?;
        Ok(Target {
            user: user.into(),
            key: keys.private.clone(),
            host_key,
            emulated: false,
            agent: None,
            room: AMPLE,
        })
    }

    /// Says whether the guest's processor is emulated in software. The cipher that suits is another: measured with ring
    /// 0.17, AES-128-GCM runs at 3,000 MiB/s natively and ChaCha20-Poly1305 at 1,260; under QEMU's TCG they run at 27
    /// and 40, since AES instructions are emulated one byte at a time.
    pub fn emulated(self, emulated: bool) -> Target {
        Target { emulated, ..self }
    }

    /// Lets programs in the guest use the user's SSH agent, whose socket is at `agent` (`$SSH_AUTH_SOCK`).
    pub fn agent(self, agent: Option<PathBuf>) -> Target {
        Target { agent, ..self }
    }

    /// Has the connection keep little: for one of hundreds of terminals, not for copying.
    pub fn modest(self) -> Target {
        Target {
            room: MODEST,
            ..self
        }
    }

    fn config(&self) -> client::Config {
        let ciphers: &'static [cipher::Name] = match self.emulated {
            false => &[cipher::AES_128_GCM, cipher::CHACHA20_POLY1305],
            true => &[cipher::CHACHA20_POLY1305, cipher::AES_128_GCM],
        };
        client::Config {
            preferred: Preferred {
                // The link is one hop on the host itself: no reason to pay for post-quantum key exchange. The others
                // are RFC 8731's older name and OpenSSH's strict key exchange (PROTOCOL §1.10, against Terrapin).
                kex: Cow::Borrowed(&[
                    kex::CURVE25519,
                    kex::CURVE25519_PRE_RFC_8731,
                    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
                ]),
                cipher: Cow::Borrowed(ciphers),
                ..Preferred::default()
            },
            window_size: self.room.window,
            channel_buffer_size: self.room.packets,
            maximum_packet_size: PACKET as u32,
            keepalive_interval: Some(KEEPALIVE),
            ..client::Config::default()
        }
    }
}

/// An authenticated connection to a guest. It ends when this is dropped.
pub struct Client {
    handle: Handle<Pinned>,
    shared: Arc<Shared>,
    room: Room,
}

impl Client {
    /// Logs in over a connected stream. For a TCP stream set `TCP_NODELAY`, as
    /// [`Home::connect`](crate::network::Home::connect) does.
    ///
    /// # Errors
    ///
    /// [`Error::HostKey`] when whoever answers is not this guest, [`Error::Refused`] when it does not know the user or
    /// the key, [`Error::Silent`] when it does not answer.
    pub async fn connect<S>(stream: S, target: &Target) -> Result<Client, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let log_in = Client::log_in(stream, target);
        tokio::time::timeout(PATIENCE, log_in)
            .await
            .unwrap_or(Err(Error::Silent(PATIENCE)))
    }

    async fn log_in<S>(stream: S, target: &Target) -> Result<Client, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::new(Shared::new(target.agent.clone()));
        let handler = Pinned::new(target.host_key.clone(), shared.clone());
        let stream = Outboxed::new(stream, target.room.ahead);
        let config = Arc::new(target.config());
        let mut handle = client::connect_stream(config, stream, handler).await?;
        let key = PrivateKeyWithHashAlg::new(target.key.clone(), None);
        let answer = handle.authenticate_publickey(&target.user, key).await;
        match answer {
            Ok(answer) if answer.success() => Ok(Client {
                handle,
                shared,
                room: target.room,
            }),
            Ok(_) => Err(Error::Refused(target.user.clone())),
            Err(error) => Err(shared.loss(error)),
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Starts a subsystem and gives the stream to and from it. Dropping the stream closes it.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the guest has no such subsystem.
    pub async fn subsystem(
        &self,
        name: &str,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Error> {
        let mut channel = self.session().await?;
        let asked = channel.request_subsystem(true, name).await;
        asked.map_err(|error| self.shared.loss(error))?;
        self.granted(&mut channel, "the subsystem").await?;
        Ok(channel.into_stream())
    }

    async fn session(&self) -> Result<Channel<client::Msg>, Error> {
        let opened = self.handle.channel_open_session().await;
        opened.map_err(|error| self.shared.loss(error))
    }

    /// Waits for the answer to a request.
    async fn granted(
        &self,
        channel: &mut Channel<client::Msg>,
        request: &'static str,
    ) -> Result<(), Error> {
        loop {
            match channel.wait().await {
                Some(russh::ChannelMsg::Success) => return Ok(()),
                Some(russh::ChannelMsg::Failure) => return Err(Error::Request(request)),
                Some(russh::ChannelMsg::Close) => return Err(Error::Request(request)),
                Some(_) => {}
                None => return Err(self.shared.lost()),
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}
