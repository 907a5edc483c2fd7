//! The daemon as commands of the same data directory see it: over its API, once it has proved that it is the one.

mod pinned;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sistemo::engine::Engine;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::web::access::{self, Challenge, Proof, Secret, Ticket, proof, token};
use crate::web::server::{self, Served};

/// How long a server on this computer may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: usize = 64 << 10;

/// A daemon that has proved that it has this data directory's token.
pub(crate) struct Daemon {
    served: Served,
    token: Secret,
    sender: SendRequest<Body>,
}

/// Why there is none to talk to.
#[derive(Debug)]
pub(crate) enum Absent {
    /// No daemon is up.
    Down,
    /// No daemon is up, and a program listens where one would.
    Squatted(Option<String>),
    /// The daemon with this process serves nothing.
    Silent(u32),
    /// The token cannot be read.
    NoToken(access::Error),
    /// What answers at this address is not the daemon, or not well.
    Foreign(SocketAddr, String),
}

impl Daemon {
    /// Finds the daemon of the engine's data directory and has it prove who it is. The token is not sent before.
    pub(crate) async fn find(engine: &Engine) -> Result<Daemon, Absent> {
        let data_dir = engine.paths().data_dir();
        let Some(pid) = engine.machines().supervisor() else {
            return Err(absent(engine).await);
        };
        let served = Served::read(data_dir, pid).ok_or(Absent::Silent(pid))?;
        let token = token::read(data_dir).map_err(Absent::NoToken)?;
        let token = token.ok_or(Absent::Silent(pid))?;
        let address = served.address;
        let foreign = |error: String| Absent::Foreign(address, error);
        let opened = tokio::time::timeout(PATIENCE, open(&served));
        let (sender, at) = opened
            .await
            .map_err(|_| foreign("it does not answer".into()))?
            .map_err(|error| foreign(error.to_string()))?;
        let mut daemon = Daemon {
            served,
            token,
            sender,
        };
        daemon.prove(at).await.map_err(foreign)?;
        Ok(daemon)
    }

    /// Its address for browsers: `http://localhost:7777`.
    pub(crate) fn url(&self) -> &str {
        &self.served.url
    }

    /// A ticket, which lets somebody in once.
    pub(crate) async fn ticket(&mut self) -> Result<Ticket, Absent> {
        let asked = self.post("/api/v1/tickets", &(), true).await;
        asked.map_err(|error| Absent::Foreign(self.served.address, error))
    }

    async fn prove(&mut self, at: SocketAddr) -> Result<(), String> {
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge).map_err(|error| error.to_string())?;
        let asked = Challenge {
            challenge: BASE64_URL_SAFE_NO_PAD.encode(challenge),
        };
        let Proof { proof } = self.post("/api/v1/proof", &asked, false).await?;
        let proof = BASE64_URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        match proof::holds(&self.token, &challenge, at, &proof) {
            true => Ok(()),
            false => Err("it does not have the token of this data directory".into()),
        }
    }

    async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
        as_caller: bool,
    ) -> Result<T, String> {
        let mut request = Request::post(path)
            .header(HOST, &self.served.host)
            .header(CONTENT_TYPE, "application/json");
        if as_caller {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token.as_str()));
        }
        let exchange = async {
            let body = serde_json::to_vec(body)?;
            let request = request.body(Body::from(body))?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = to_bytes(Body::new(response.into_body()), LONGEST).await?;
            match status {
                StatusCode::OK => Ok(serde_json::from_slice(&body)?),
                status => Err(format!("it answers {status}").into()),
            }
        };
        let outcome: Result<Result<T, axum::BoxError>, _> =
            tokio::time::timeout(PATIENCE, exchange).await;
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer".into()),
        }
    }
}

/// Why there is no daemon: somebody else may be where it would be.
async fn absent(engine: &Engine) -> Absent {
    let listen = &engine.config().listen;
    let connecting = TcpStream::connect((listen.host.as_str(), listen.port));
    match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(Ok(_)) => Absent::Squatted(sistemo::network::listener(listen.port)),
        _ => Absent::Down,
    }
}

/// Connects, and gives the address that it came to.
async fn open(served: &Served) -> Result<(SendRequest<Body>, SocketAddr), axum::BoxError> {
    // Never by a proxy: it is this computer.
    let socket = TcpStream::connect(served.address).await?;
    let at = socket.peer_addr()?;
    let sender = match &served.fingerprint {
        None => speak(socket).await?,
        Some(fingerprint) => speak(pinned::connect(socket, fingerprint, at.ip()).await?).await?,
    };
    Ok((sender, at))
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, axum::BoxError> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The address that the daemon would have.
pub(crate) fn usual_url(engine: &Engine) -> String {
    server::url(engine.config())
}
