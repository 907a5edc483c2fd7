//! The SSH server: public keys only, shell, commands, terminals, SFTP, forwarding. Beside it the host's orders.
//!
//! One thread, and a process of its own: it goes on when PID 1 becomes the image's init. The host made the host key
//! and pins it. Who holds the host's key may log in as any user of the image, since it owns the machine.

mod client;
mod descriptors;
mod exit;
mod flow;
mod forward;
mod keys;
mod login;
mod orders;
mod privilege;
mod process;
mod pty;
mod session;
mod shared;
mod stage;
mod start;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::sockopt;
use russh::keys::PrivateKey;
use russh::server::Config as ServerConfig;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use sistemo::guest::words::{Config, ORDERS_PORT, SSH_PORT};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use self::client::Client;
use self::flow::{Connection, Flow, WINDOW};
use self::login::{Deadline, Login, Logins};
use self::shared::{Facts, Shared};
use self::stage::{Stage, Stages};
use crate::gate::{Gate, GateError};
use crate::power;

/// How long the server outlives the request to end, in which connections go on.
const FAREWELL: Duration = Duration::from_millis(250);
/// Largest packet that a client may send, in bytes; russh warns beyond 65535.
const PACKET: u32 = 65_535;
/// The well-known port, served when the image has no server of its own.
const WELL_KNOWN_PORT: u16 = 22;
/// SSH servers of images; one that is there has port 22.
const SERVERS: [&str; 5] = [
    "/usr/sbin/sshd",
    "/usr/bin/sshd",
    "/sbin/sshd",
    "/usr/sbin/dropbear",
    "/usr/bin/dropbear",
];

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot read the host key")]
    HostKey(#[source] russh::keys::ssh_key::Error),
    #[error("none of the authorized keys can be used; Ed25519 and ECDSA keys can")]
    NoKeys,
    #[error("cannot start the event loop")]
    Runtime(#[source] io::Error),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot follow the machine's start")]
    Gate(#[source] GateError),
}

/// Serves the machine until it is told to end (SIGTERM). `gate` tells of the machine's start, `listening` is called
/// once the server answers.
pub fn serve_machine(
    config: &Config,
    gate: OwnedFd,
    listening: impl FnOnce(),
) -> Result<(), ServeError> {
    let (sender, stages) = Stages::new(Stage::Waiting);
    let server = Server::new(config, stages, true)?;
    protect();
    descriptors::extend();
    server.run(async |server| {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let everywhere = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let listener = listen(everywhere(SSH_PORT)).await?;
        let orders = listen(everywhere(ORDERS_PORT)).await?;
        listening();
        let start = async {
            let mut gate = Gate::new(gate).map_err(ServeError::Gate)?;
            gate.rooted().await.map_err(ServeError::Gate)?;
            sender.send_replace(Stage::Rooted);
            gate.mounted().await.map_err(ServeError::Gate)?;
            sender.send_replace(Stage::Mounted);
            gate.handed_over().await;
            power::init_listens().await;
            sender.send_replace(Stage::Ready);
            // Only now is it known what the image holds. Taken already is as good as served.
            if !SERVERS
                .iter()
                .any(|server| process::is_program(server.as_ref()))
                && let Ok(listener) = listen(everywhere(WELL_KNOWN_PORT)).await
            {
                server.accept(&listener).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            failed = start => failed,
            () = server.accept(&listener) => Ok(()),
            () = orders::take(&orders, &server.shared) => Ok(()),
            _ = terminate.recv() => {
                // The machine ends. Whoever asked for that over this server still gets the answer.
                tokio::time::sleep(FAREWELL).await;
                Ok(())
            }
        }
    })
}

/// Serves `address` until it is told to end; for trying the server on a running system, with that system's users.
pub fn serve_here(
    config: &Config,
    address: SocketAddr,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let (_sender, stages) = Stages::new(Stage::Ready);
    Server::new(config, stages, false)?.run(async |server| {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let listener = listen(address).await?;
        listening(listener.local_addr().unwrap_or(address));
        tokio::select! {
            () = server.accept(&listener) => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Out of memory must not cut the way into the machine. What the server starts is back to normal.
fn protect() {
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

struct Server {
    shared: Arc<Shared>,
    logins: Logins,
}

impl Server {
    fn new(config: &Config, stages: Stages, machine: bool) -> Result<Server, ServeError> {
        let facts = Facts::new(config)?;
        Ok(Server {
            shared: Arc::new(Shared::new(facts, stages, machine)),
            logins: Logins::default(),
        })
    }

    fn run(
        self,
        body: impl AsyncFnOnce(&Server) -> Result<(), ServeError>,
    ) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Runtime)?;
        runtime.block_on(body(&self))
    }

    async fn accept(&self, listener: &TcpListener) {
        descriptors::raise();
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // No place: dropped. A client tries again; a stranger may.
                    let Some(login) = self.logins.begin() else {
                        continue;
                    };
                    tokio::spawn(attend(Arc::clone(&self.shared), login, stream, peer));
                }
                // Out of descriptors or memory, or a client that left already: others may still be served.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Serves one client.
async fn attend(shared: Arc<Shared>, login: Arc<Login>, stream: TcpStream, peer: SocketAddr) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let _ = nix::sys::socket::setsockopt(&stream, sockopt::KeepAlive, &true);
    let flow = Arc::new(Flow::default());
    let deadline = Deadline::new(Arc::clone(&login));
    let connection = Connection::new(stream, Arc::clone(&flow), deadline, shared.renewed());
    let config = Arc::clone(&shared.facts().server);
    let client = Client::new(shared, flow, login, peer, local);
    // A client that breaks the protocol or vanishes is its own affair.
    if let Ok(session) = russh::server::run_stream(config, connection, client).await {
        let _ = session.await;
    }
    // The C library keeps what a busy client needed for the next one; a machine's memory has better uses.
    // SAFETY: gives free memory back and touches no other.
    unsafe { nix::libc::malloc_trim(0) };
}

fn server_config(host_key: PrivateKey) -> ServerConfig {
    ServerConfig {
        server_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-sistemo_",
            env!("CARGO_PKG_VERSION")
        ))),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // Delays hide which passwords are near; keys have nothing of the kind, and every client begins with "none".
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // An agent may offer many keys before the right one.
        max_auth_attempts: 64,
        keys: vec![host_key],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        inactivity_timeout: None,
        // TCP's own: a client that is merely paused keeps its sessions, one whose host is gone does not.
        keepalive_interval: None,
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::MLKEM768X25519_SHA256,
                kex::EXTENSION_SUPPORT_AS_SERVER,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
            ]),
            cipher: Cow::Borrowed(&[
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]),
            mac: Cow::Borrowed(&[
                mac::HMAC_SHA256_ETM,
                mac::HMAC_SHA512_ETM,
                mac::HMAC_SHA256,
                mac::HMAC_SHA512,
            ]),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::default()
        },
        ..ServerConfig::default()
    }
}
