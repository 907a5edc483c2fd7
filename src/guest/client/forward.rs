//! Forwarded ports (RFC 4254 §7): `-L`, `-D` and `-R` of ssh(1).

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::error::Error;
use super::{Client, socks};
use crate::value::{Listen, Reach};

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A socket on this side whose clients are led into the guest.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener::Tcp(listener)
    }
}

impl Listener {
    /// Listens on this side: on both loopback addresses when none is named, on all for `*`.
    ///
    /// # Errors
    ///
    /// When one of the addresses cannot be had; that there is no IPv6 is no error.
    pub async fn bind(listen: &Listen) -> io::Result<Vec<Listener>> {
        let (bind, port) = match listen {
            Listen::Unix(path) => return Ok(vec![Listener::Unix(UnixListener::bind(path)?)]),
            Listen::Tcp { bind, port } => (bind.as_deref(), *port),
        };
        let both: Option<[std::net::IpAddr; 2]> = match bind {
            None | Some("localhost") => {
                Some([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
            }
            Some("") => Some([Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]),
            Some(_) => None,
        };
        let Some([first, second]) = both else {
            let host = bind.unwrap_or_default();
            return Ok(vec![TcpListener::bind((host, port)).await?.into()]);
        };
        let listener = TcpListener::bind((first, port)).await?;
        // The port that the system chose is asked for on the other address too.
        let port = listener.local_addr()?.port();
        let mut listeners = vec![listener.into()];
        match bind_v6(SocketAddr::new(second, port)) {
            Ok(listener) => listeners.push(listener.into()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => {}
        }
        Ok(listeners)
    }

    /// The port that it has, if it is a port's.
    pub fn port(&self) -> Option<u16> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Listener::Unix(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                // A tunnel adds no delay of its own.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), from))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), (Ipv4Addr::LOCALHOST, 0).into()))
            }
        }
    }
}

/// A listener for IPv6 alone, beside the one for IPv4.
fn bind_v6(address: SocketAddr) -> io::Result<TcpListener> {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket,
        sockopt,
    };
    use std::os::fd::AsRawFd;
    let SocketAddr::V6(address) = address else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet6, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn6::from(address))?;
    listen(&socket, Backlog::MAXCONN)?;
    TcpListener::from_std(socket.into())
}

/// Connects to something on this side.
pub(super) async fn reach(to: &Reach) -> io::Result<Box<dyn Stream>> {
    Ok(match to {
        Reach::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            let _ = stream.set_nodelay(true);
            Box::new(stream)
        }
        Reach::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

impl Client {
    /// Opens a TCP connection from inside the guest to `host` and `port`; the guest looks the name up.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the guest cannot connect.
    pub async fn open_tcp(
        &self,
        host: &str,
        port: u16,
        originator: SocketAddr,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Error> {
        let from = originator.ip().to_string();
        let opening = self.handle.channel_open_direct_tcpip(
            host,
            port.into(),
            from,
            originator.port().into(),
        );
        let channel = opening.await.map_err(|error| self.shared.loss(error))?;
        Ok(channel.into_stream())
    }

    /// Connects to a Unix socket of the guest's, with its user's rights (OpenSSH PROTOCOL §2.4).
    ///
    /// # Errors
    ///
    /// As [`Client::open_tcp`].
    pub async fn open_unix(
        &self,
        path: &Path,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Error> {
        let path = path.to_string_lossy();
        let opening = self.handle.channel_open_direct_streamlocal(path);
        let channel = opening.await.map_err(|error| self.shared.loss(error))?;
        Ok(channel.into_stream())
    }

    /// Connects every client of `listener` with `to`, as the guest sees it (`ssh -L`), until the connection to the
    /// guest ends or the future is dropped.
    pub async fn forward_local(
        &self,
        listener: impl Into<Listener>,
        to: &Reach,
    ) -> Result<(), Error> {
        self.serve(listener.into(), async |mut local, from| {
            let remote: Result<Box<dyn Stream>, Error> = match to {
                Reach::Tcp { host, port } => match self.open_tcp(host, *port, from).await {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(error) => Err(error),
                },
                Reach::Unix(path) => match self.open_unix(path).await {
                    Ok(stream) => Ok(Box::new(stream)),
                    Err(error) => Err(error),
                },
            };
            // A target that does not answer ends this one client, as it would without a tunnel.
            if let Ok(mut remote) = remote {
                let _ = copy_bidirectional(&mut local, &mut remote).await;
            }
        })
        .await
    }

    /// Serves SOCKS 5 (RFC 1928) to the clients of `listener`, connecting from inside the guest (`ssh -D`), until the
    /// connection to the guest ends or the future is dropped.
    pub async fn forward_dynamic(&self, listener: impl Into<Listener>) -> Result<(), Error> {
        self.serve(listener.into(), async |mut local, from| {
            let Ok((host, port)) = socks::read_request(&mut local).await else {
                return;
            };
            let remote = self.open_tcp(&host, port, from).await;
            if socks::reply(&mut local, remote.is_ok()).await.is_err() {
                return;
            }
            if let Ok(mut remote) = remote {
                let _ = copy_bidirectional(&mut local, &mut remote).await;
            }
        })
        .await
    }

    /// Has the guest listen on `address` and `port` and connects its clients with `to`, something on this side
    /// (`ssh -R`), for as long as the connection lasts. Port 0 lets the guest choose; the port it has is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the guest does not let it.
    pub async fn forward_remote(&self, address: &str, port: u16, to: Reach) -> Result<u16, Error> {
        let asked = self.handle.tcpip_forward(address, port.into()).await;
        let given = asked.map_err(|error| self.shared.loss(error))?;
        // The guest names a port only if it was to choose one (RFC 4254 §7.1).
        let given = if port == 0 { given } else { port.into() };
        self.shared.forward(given, to);
        Ok(given as u16)
    }

    /// Runs `connection` for every client of `listener`, all at once, for as long as there is a connection.
    async fn serve<F>(
        &self,
        listener: Listener,
        connection: impl Fn(Box<dyn Stream>, SocketAddr) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = ()>,
    {
        let mut clients = FuturesUnordered::new();
        let ended = self.ended();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                client = listener.accept() => {
                    let (stream, from) = client.map_err(Error::Listen)?;
                    clients.push(connection(stream, from));
                }
                Some(()) = clients.next(), if !clients.is_empty() => {}
                error = &mut ended => return Err(error),
            }
        }
    }

    /// Waits for the connection to end, and says why it did.
    pub async fn ended(&self) -> Error {
        self.shared.ended().await;
        self.shared.lost()
    }
}
