//! Connections: taking them in, and HTTP/1.1 on each.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Limits;
use super::places::{Place, Placed, Places, Standing};

/// After a connection could not be taken for want of something, such as descriptors.
const RESPITE: Duration = Duration::from_millis(100);

/// The two ends of a connection, and what is known of the other.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Who connects.
    pub(crate) address: SocketAddr,
    /// What they connected to.
    pub(crate) local: SocketAddr,
    pub(crate) standing: Standing,
}

/// What all connections are served with.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) routes: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) places: Places,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// Takes connections in until the daemon ends.
pub(super) async fn accept(listener: TcpListener, service: Service) {
    let stop = service.stop.clone();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((socket, address)) => {
                    let place = service.places.take().await;
                    let serving = serve(socket, address, place, service.clone());
                    service.tasks.spawn(serving);
                }
                Err(error) => {
                    tracing::warn!("a connection was not taken in: {error}");
                    tokio::time::sleep(RESPITE).await;
                }
            }
        }
    };
    let () = stop
        .run_until_cancelled(accepting)
        .await
        .unwrap_or_default();
}

/// Serves a connection until it ends, makes room, or takes too long to end with the daemon.
async fn serve(socket: TcpStream, address: SocketAddr, place: Place, service: Service) {
    let yields = place.yields.clone();
    let farewell = async {
        service.stop.cancelled().await;
        tokio::time::sleep(service.limits.farewell).await;
    };
    tokio::select! {
        () = speak(socket, address, place, &service) => {}
        () = yields.cancelled() => tracing::debug!(%address, "a stranger's connection made room"),
        () = farewell => tracing::debug!(%address, "a connection was cut off"),
    }
}

/// Speaks HTTP/1.1, over TLS where that is so.
async fn speak(socket: TcpStream, address: SocketAddr, place: Place, service: &Service) {
    // What is typed is sent at once.
    let _ = socket.set_nodelay(true);
    let Ok(local) = socket.local_addr() else {
        return;
    };
    let stream = match &service.tls {
        None => Either::Left(socket),
        Some(tls) => {
            let handshake = tokio::time::timeout(service.limits.head, tls.accept(socket));
            match handshake.await {
                Ok(Ok(stream)) => Either::Right(stream),
                Ok(Err(error)) => return tracing::debug!(%address, "no TLS: {error}"),
                Err(_) => return tracing::debug!(%address, "no TLS in time"),
            }
        }
    };
    let peer = Peer {
        address,
        local,
        standing: place.standing(),
    };
    let routes = service
        .routes
        .clone()
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
    let Limits {
        head,
        head_bytes,
        headers,
        ..
    } = service.limits;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(headers)
        .max_header_size(head_bytes)
        .max_buf_size(head_bytes.max(64 << 10))
        .serve_connection(
            TokioIo::new(Placed::new(stream, place)),
            TowerToHyperService::new(routes),
        )
        .with_upgrades();
    let mut connection = pin!(connection);
    let stopped = pin!(service.stop.cancelled());
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%address, "a connection ended: {}", with_cause(&error));
    }
}

fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Waits until all connections have ended.
pub(super) fn ended(tasks: &TaskTracker) -> impl Future<Output = ()> {
    tasks.close();
    let tasks = tasks.clone();
    async move { tasks.wait().await }
}
