//! Forwarded ports (RFC 4254 §7): `-L`, `-D` and `-R` of ssh(1).

use std::future::Future;
use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::error::Error;
use super::{Client, socks};

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

    /// Connects every client of `listener` with `host` and `port` as the guest sees them (`ssh -L`), until the
    /// connection to the guest ends or the future is dropped.
    pub async fn forward_local(
        &self,
        listener: TcpListener,
        host: &str,
        port: u16,
    ) -> Result<(), Error> {
        self.serve(listener, async |mut local, from| {
            // A target that does not answer ends this one client, as it would without a tunnel.
            if let Ok(mut remote) = self.open_tcp(host, port, from).await {
                let _ = copy_bidirectional(&mut local, &mut remote).await;
            }
        })
        .await
    }

    /// Serves SOCKS 5 (RFC 1928) to the clients of `listener`, connecting from inside the guest (`ssh -D`), until the
    /// connection to the guest ends or the future is dropped.
    pub async fn forward_dynamic(&self, listener: TcpListener) -> Result<(), Error> {
        self.serve(listener, async |mut local, from| {
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

    /// Has the guest listen on `address` and `port` and connects its clients with `to`, a host and port on this side
    /// (`ssh -R`), for as long as the connection lasts. Port 0 lets the guest choose; the port it has is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the guest does not let it.
    pub async fn forward_remote(
        &self,
        address: &str,
        port: u16,
        to: (&str, u16),
    ) -> Result<u16, Error> {
        let asked = self.handle.tcpip_forward(address, port.into()).await;
        let given = asked.map_err(|error| self.shared.loss(error))?;
        // The guest names a port only if it was to choose one (RFC 4254 §7.1).
        let given = if port == 0 { given } else { port.into() };
        self.shared.forward(given, (to.0.into(), to.1));
        Ok(given as u16)
    }

    /// Runs `connection` for every client of `listener`, all at once, for as long as there is a connection.
    async fn serve<F>(
        &self,
        listener: TcpListener,
        connection: impl Fn(TcpStream, SocketAddr) -> F,
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
                    // A tunnel adds no delay of its own.
                    let _ = stream.set_nodelay(true);
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
