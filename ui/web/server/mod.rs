//! The server: listeners, limits and the way of a request.

mod certificate;
mod connection;
mod error;
mod limits;
mod listen;
mod patience;
mod places;
pub(in crate::web) mod routes;
mod served;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use sistemo::config::Config;
use sistemo::engine::Engine;
use sistemo::value::{Address, Scheme};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use certificate::fingerprint;
pub(crate) use connection::Peer;
pub(crate) use error::Error;
pub(crate) use limits::Limits;
pub(crate) use patience::Unhurried;
pub(crate) use served::{Served, folder};

use crate::web::access::{Access, Names};
use crate::web::{Web, rooms};
use connection::Service;
use listen::Listening;
use places::Places;
use served::Said;

/// A server whose sockets are open: whoever connects is kept waiting until it runs.
pub(crate) struct Server {
    listeners: Vec<TcpListener>,
    service: Service,
    web: Web,
    served: Served,
    /// What commands are told, as long as the server is there.
    _said: Said,
}

impl Server {
    /// Opens the sockets of `listen` and makes what is needed to serve them.
    ///
    /// # Errors
    ///
    /// An address that is taken is said with who has it.
    pub(crate) async fn open(
        engine: watch::Receiver<Engine>,
        listen: &Address,
        limits: Limits,
        stop: CancellationToken,
    ) -> Result<Server, Error> {
        Server::of_rooms(rooms(), engine, listen, limits, stop).await
    }

    async fn of_rooms(
        rooms: Router<Web>,
        engine: watch::Receiver<Engine>,
        listen: &Address,
        limits: Limits,
        stop: CancellationToken,
    ) -> Result<Server, Error> {
        let config = engine.borrow().config().clone();
        let Listening {
            listeners,
            addresses,
        } = listen::listen(listen).await?;
        let first = addresses.first().copied();
        let address = first
            .map(listen::nearby)
            .unwrap_or(([127, 0, 0, 1], listen.port).into());
        let port = address.port();
        let inside = addresses.iter().all(|address| address.ip().is_loopback());
        let scheme = match inside && config.tls_cert.is_none() && config.tls_key.is_none() {
            true => Scheme::Http,
            false => Scheme::Https,
        };
        let mut names = listen::own_names(listen, &addresses);
        names.extend(config.web_names.iter().cloned());
        let certificate = match scheme {
            Scheme::Http => None,
            Scheme::Https => Some(certificate::open(
                &config,
                &folder(&config.data_dir),
                &names,
            )?),
        };
        let served = served(listen, scheme, address, certificate.as_ref());
        let names = Names::new(scheme, port, names);
        let access = Access::open(&config.data_dir, names, scheme, port)?;
        let said = served.write(&config.data_dir)?;
        let web = Web::new(engine, access, served.url.clone(), stop.clone());
        Ok(Server {
            web: web.clone(),
            listeners,
            served,
            _said: said,
            service: Service {
                routes: routes::all(web, &limits, rooms),
                tls: certificate
                    .map(|certificate| TlsAcceptor::from(Arc::clone(&certificate.config))),
                limits,
                places: Places::new(limits.connections),
                tasks: TaskTracker::new(),
                stop,
            },
        })
    }

    /// Where it serves.
    pub(crate) fn served(&self) -> &Served {
        &self.served
    }

    /// Serves until the daemon ends, and then what is being answered for a few seconds. What the API had begun is taken
    /// back.
    pub(crate) async fn run(self) {
        let Server {
            listeners,
            service,
            web,
            ..
        } = self;
        for listener in listeners {
            tokio::spawn(connection::accept(listener, service.clone()));
        }
        service.stop.cancelled().await;
        tokio::join!(
            connection::ended(&service.tasks),
            web.operations().settled()
        );
    }
}

fn served(
    listen: &Address,
    scheme: Scheme,
    address: std::net::SocketAddr,
    certificate: Option<&certificate::Certificate>,
) -> Served {
    let (host, port) = (listen::host_for_people(listen), address.port());
    let host = match port == scheme.port() {
        true => host,
        false => format!("{host}:{port}"),
    };
    Served {
        pid: std::process::id(),
        url: format!("{}://{host}", scheme.as_str()),
        address,
        host,
        fingerprint: certificate.map(|certificate| certificate.fingerprint.clone()),
    }
}

/// What settings count only from the start on.
pub(crate) const FROM_THE_START: [&str; 4] = ["listen", "web_names", "tls_cert", "tls_key"];

/// The address that the settings say.
pub(crate) fn url(config: &Config) -> String {
    let listen = &config.listen;
    let scheme = match config.tls_cert {
        Some(_) => Scheme::Https,
        None => Scheme::Http,
    };
    format!("{}://{listen}", scheme.as_str())
}
