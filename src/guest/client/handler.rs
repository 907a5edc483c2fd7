//! What a connection does on its own: checks the host key, serves what the guest opens towards the host, and notes why
//! it ended.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::forward::reach;
use crate::value::Reach;

/// What the client and the task that reads its connection both know.
pub(super) struct Shared {
    /// The socket of the user's agent, if programs in the guest may use it.
    pub agent: Option<PathBuf>,
    /// Where connections to the guest's listening ports go: by port in the guest, something here.
    forwards: Mutex<HashMap<u32, Reach>>,
    /// Why the connection ended.
    end: Mutex<Option<String>>,
    over: CancellationToken,
}

impl Shared {
    pub fn new(agent: Option<PathBuf>) -> Self {
        Shared {
            agent,
            forwards: Mutex::default(),
            end: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// Waits for the connection to end.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// The error for a connection that has ended.
    pub fn lost(&self) -> Error {
        Error::Lost(lock(&self.end).clone())
    }

    /// What an error of russh means on an established connection.
    pub fn loss(&self, error: russh::Error) -> Error {
        match error {
            russh::Error::SendError | russh::Error::Disconnect | russh::Error::RecvError => {
                self.lost()
            }
            russh::Error::ChannelOpenFailure(_) => Error::Request("another channel"),
            russh::Error::RequestDenied => Error::Request("to forward a port"),
            error => Error::Lost(Some(error.to_string())),
        }
    }

    pub fn forward(&self, port: u32, to: Reach) {
        lock(&self.forwards).insert(port, to);
    }

    fn forwarded(&self, port: u32) -> Option<Reach> {
        lock(&self.forwards).get(&port).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Knows the one host key that is right.
pub(super) struct Pinned {
    host_key: PublicKey,
    shared: Arc<Shared>,
}

impl Pinned {
    pub fn new(host_key: PublicKey, shared: Arc<Shared>) -> Self {
        Pinned { host_key, shared }
    }
}

/// The task that reads the connection owns this, and drops it when it ends.
impl Drop for Pinned {
    fn drop(&mut self) {
        self.shared.over.cancel();
    }
}

impl client::Handler for Pinned {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Error> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. }
                if key.key_data() == self.host_key.key_data() =>
            {
                Ok(true)
            }
            _ => Err(Error::HostKey),
        }
    }

    /// A connection to a port that the guest listens on for us.
    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _address: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let Some(to) = self.shared.forwarded(port) else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        // In a task of its own: this one reads the whole connection.
        tokio::spawn(async move {
            let Ok(mut target) = reach(&to).await else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
                return;
            };
            reply.accept().await;
            // However it ends, both sides see it end.
            let _ = copy_bidirectional(&mut channel.into_stream(), &mut target).await;
        });
        Ok(())
    }

    /// A program in the guest that wants the user's agent (draft-ietf-sshm-ssh-agent).
    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let Some(agent) = self.shared.agent.clone() else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        tokio::spawn(async move {
            let Ok(mut agent) = UnixStream::connect(agent).await else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
                return;
            };
            reply.accept().await;
            let _ = copy_bidirectional(&mut channel.into_stream(), &mut agent).await;
        });
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Error>) -> Result<(), Error> {
        let (why, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => (info.message, Ok(())),
            // The stream just ended: there is nothing to add to "lost".
            DisconnectReason::Error(Error::Ssh(russh::Error::Disconnect)) => return Ok(()),
            DisconnectReason::Error(Error::Ssh(error)) => (error.to_string(), Ok(())),
            DisconnectReason::Error(error) => (error.to_string(), Err(error)),
        };
        *lock(&self.shared.end) = Some(why);
        result
    }
}
