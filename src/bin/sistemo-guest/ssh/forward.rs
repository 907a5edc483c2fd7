//! Forwarding: TCP and Unix sockets reached through the guest, ports of the guest led back to the client, and the
//! client's key agent.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, socket};
use russh::server::{ChannelOpenHandle, Handle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::AbortHandle;

use super::client::{Inboxes, MOST_CHANNELS};
use super::flow::Inbox;
use super::privilege;
use super::session::Writer;
use crate::accounts::{self, Account};
use crate::{resolve, seed};

/// How much is read from a socket at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Ports below this one are root's (ip(7), `ip_unprivileged_port_start`).
const PRIVILEGED: u16 = 1024;

/// Ports of the guest that are led back to the client, by address and port asked for; closed with the connection.
#[derive(Debug, Default)]
pub struct Listening(HashMap<(String, u32), AbortHandle>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}

/// Connects to `host:port` and answers the request to open the channel.
pub async fn tcp(
    host: String,
    port: u32,
    writer: Writer,
    reply: ChannelOpenHandle,
    inbox: Arc<Inbox>,
) {
    match connect(&host, port).await {
        Ok(stream) => {
            // Interactive protocols behind the tunnel suffer from Nagle's algorithm, as sshd knows.
            let _ = stream.set_nodelay(true);
            reply.accept().await;
            relay(stream, writer, inbox).await;
        }
        Err(_) => {
            inbox.close();
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    }
}

/// The same for a Unix socket (PROTOCOL §2.4, `direct-streamlocal@openssh.com`), with the rights of `account`: who
/// connects decides who may, and whom the other side takes it for.
pub async fn unix(
    account: Account,
    path: PathBuf,
    writer: Writer,
    reply: ChannelOpenHandle,
    inbox: Arc<Inbox>,
) {
    match connect_unix(&account, &path) {
        Ok(stream) => {
            reply.accept().await;
            relay(stream, writer, inbox).await;
        }
        Err(_) => {
            inbox.close();
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    }
}

async fn connect(host: &str, port: u32) -> io::Result<TcpStream> {
    let port = u16::try_from(port).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in resolve::addresses(host).await? {
        match TcpStream::connect((address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_unix(account: &Account, path: &Path) -> io::Result<UnixStream> {
    let groups = accounts::groups_of(account).map_err(io::Error::other)?;
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // A Unix socket connects at once or not at all (connect(2), EAGAIN).
    privilege::as_user(account, &groups, || {
        Ok(nix::sys::socket::connect(socket.as_raw_fd(), &address)?)
    })?;
    UnixStream::from_std(socket.into())
}

/// Carries bytes both ways until both ends are done or the connection is gone. When the client closes the channel, what it
/// sent before is carried to its end (RFC 4254 §5.3); nobody wants the other direction any more.
async fn relay(stream: impl AsyncRead + AsyncWrite, writer: Writer, inbox: Arc<Inbox>) {
    let (mut from, mut to) = tokio::io::split(stream);
    let inward = async {
        while let Some(data) = inbox.take().await {
            if to.write_all(&data).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
        while inbox.take().await.is_some() {}
    };
    let read = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK);
            match from.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(_) if writer.data_bytes(buffer.split().freeze()).await.is_err() => break,
                Ok(_) => {}
            }
        }
        let _ = writer.eof().await;
    };
    let outward = async {
        tokio::select! {
            () = read => {}
            () = inbox.until_left() => {}
        }
    };
    tokio::select! {
        _ = async { tokio::join!(inward, outward) } => {}
        () = inbox.until_closed() => {}
    }
    let _ = writer.close().await;
    inbox.close();
}

impl Listening {
    /// Listens for the client and returns the port, which the system chooses when it is asked for port 0.
    pub async fn add(
        &mut self,
        account: &Account,
        address: &str,
        port: u32,
        handle: Handle,
        inboxes: Inboxes,
    ) -> io::Result<u32> {
        let number =
            u16::try_from(port).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // The server may; the user behind it may not, as with sshd.
        if (1..PRIVILEGED).contains(&number) && account.uid != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if self.0.len() >= MOST_CHANNELS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let listener = TcpListener::bind(SocketAddr::new(bind_address(address)?, number)).await?;
        let bound = u32::from(listener.local_addr()?.port());
        let told = address.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let opening = handle.channel_open_forwarded_tcpip(
                    told.clone(),
                    bound,
                    peer.ip().to_string(),
                    u32::from(peer.port()),
                );
                if let Ok(channel) = opening.await {
                    carry(stream, channel, &inboxes);
                }
            }
        });
        self.0
            .insert((address.to_owned(), bound), task.abort_handle());
        Ok(bound)
    }

    /// Stops listening; `false` when nothing listened there.
    pub fn remove(&mut self, address: &str, port: u32) -> bool {
        self.0
            .remove(&(address.to_owned(), port))
            .inspect(AbortHandle::abort)
            .is_some()
    }
}

/// The address to bind for what RFC 4254 §7.1 lets a client say.
fn bind_address(address: &str) -> io::Result<IpAddr> {
    match address {
        "" | "*" | "0.0.0.0" => Ok([0, 0, 0, 0].into()),
        "localhost" => Ok([127, 0, 0, 1].into()),
        other => other
            .parse()
            .map_err(|_| io::Error::from(io::ErrorKind::AddrNotAvailable)),
    }
}

/// Relays a channel that this server opened.
fn carry(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    channel: Channel<Msg>,
    inboxes: &Inboxes,
) {
    // The handler made the inbox when the client confirmed the channel; the channel's own queue is not used.
    let (_, writer) = channel.split();
    let inbox = inboxes.get(writer.id());
    tokio::spawn(async move {
        match inbox {
            Some(inbox) => relay(stream, writer, inbox).await,
            // One channel too many.
            None => {
                let _ = writer.close().await;
            }
        }
    });
}

/// A socket in the guest behind which the client's key agent answers; removed when dropped.
#[derive(Debug)]
pub struct Agent {
    pub socket: PathBuf,
    folder: PathBuf,
    account: Account,
    task: AbortHandle,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever owns the folder may have removed them already, or put a link to somewhere else in their place.
        let _ = privilege::as_user(&self.account, &[self.account.gid], || {
            std::fs::remove_file(&self.socket)?;
            std::fs::remove_dir(&self.folder)
        });
    }
}

impl Agent {
    /// Makes the socket in a folder that only `account` can enter.
    pub fn listen(account: &Account, handle: Handle, inboxes: Inboxes) -> io::Result<Agent> {
        let folder = private_folder()?;
        let socket = folder.join("agent");
        let listener = UnixListener::bind(&socket)?;
        if nix::unistd::Uid::effective().is_root() {
            for path in [&socket, &folder] {
                chown(path, Some(account.uid), Some(account.gid))?;
            }
        }
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(channel) = handle.channel_open_agent().await {
                    carry(stream, channel, &inboxes);
                }
            }
        });
        Ok(Agent {
            socket,
            folder,
            account: account.clone(),
            task: task.abort_handle(),
        })
    }
}

/// A new folder of mode 0700 under `/tmp`, or `/run` in an image that has no `/tmp`.
fn private_folder() -> io::Result<PathBuf> {
    let base = ["/tmp", "/run", "/"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.is_dir());
    let base = base.ok_or(io::ErrorKind::NotFound)?;
    let number = seed::encode(&seed::draw::<8>()?);
    let folder = base.join(format!("ssh-{number}"));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
