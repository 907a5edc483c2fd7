//! A server of the pages for a browser under test: the real pages with the real policy, and behind them a [`Peer`].

use std::net::SocketAddr;

use axum::extract::{Path, Query, Request, State, WebSocketUpgrade};
use axum::http::header::{CONTENT_SECURITY_POLICY, COOKIE, SEC_WEBSOCKET_PROTOCOL, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::peer::Peer;
use crate::web::access::{Caller, Nonce};

const KEY: &str = "a-key_of-256-bits";
const NONCE: &str = "bm9uY2Utb2YtdGVzdHM=";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-bm9uY2Utb2YtdGVzdHM='; \
    connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The server; it ends with the test.
pub(super) struct Site {
    address: SocketAddr,
    pub(super) peer: Peer,
}

impl Site {
    pub(super) async fn open() -> Site {
        let peer = Peer::new();
        let api = Router::new()
            .route("/api/v1/session", post(log_in).get(look).delete(log_out))
            .route("/api/v1/machines", get(machines))
            .route("/api/v1/machines/{name}", get(machine))
            .route("/api/v1/machines/{name}/start", post(start))
            .route("/api/v1/machines/{name}/terminal", get(terminal))
            .route("/api/v1/console", get(console))
            .route("/api/v1/events", get(events));
        let router = crate::web::pages::routes()
            .merge(api)
            .layer(middleware::from_fn_with_state(peer.clone(), guard))
            .with_state(peer.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Site { address, peer }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }
}

/// What the real server does for every answer.
async fn guard(State(peer): State<Peer>, mut request: Request, next: Next) -> Response {
    let cookies = request.headers().get_all(COOKIE).iter();
    let known = cookies
        .into_iter()
        .any(|cookie| cookie.as_bytes().starts_with(b"sistemo-test=1"));
    if known && peer.known().logged_in {
        request
            .extensions_mut()
            .insert(Caller::Session("test".into()));
    }
    request.extensions_mut().insert(Nonce(NONCE.into()));
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, POLICY.parse().unwrap());
    response
}

#[derive(Deserialize)]
struct Login {
    ticket: Option<String>,
    token: Option<String>,
}

async fn log_in(State(peer): State<Peer>, Json(login): Json<Login>) -> Response {
    let good = peer.change(|known| {
        let ticket = login
            .ticket
            .and_then(|ticket| known.tickets.iter().position(|good| *good == ticket));
        let good = match ticket {
            Some(at) => known.tickets.remove(at) == "good-ticket",
            None => login.token.as_deref() == Some("good-token"),
        };
        known.logged_in |= good;
        good
    });
    if !good {
        return problem(StatusCode::UNAUTHORIZED, "that lets nobody in");
    }
    let cookie = "sistemo-test=1; HttpOnly; SameSite=Strict; Path=/";
    (
        [(SET_COOKIE, cookie)],
        Json(json!({ "key": KEY, "expires_in": 3600 })),
    )
        .into_response()
}

async fn look(State(peer): State<Peer>) -> Response {
    match peer.known().logged_in {
        true => Json(json!({ "expires_in": 3600 })).into_response(),
        false => problem(StatusCode::UNAUTHORIZED, "nobody is logged in"),
    }
}

async fn log_out(State(peer): State<Peer>) -> StatusCode {
    peer.change(|known| known.logged_in = false);
    peer.cuts();
    StatusCode::NO_CONTENT
}

async fn machines() -> Json<Value> {
    Json(json!([
        { "id": "0f8e", "name": "web", "status": "running" },
        { "id": "11aa", "name": "db", "status": "stopped" },
    ]))
}

async fn machine(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "web" => Json(json!({ "id": "0f8e", "name": "web", "status": "running" })).into_response(),
        _ => problem(StatusCode::NOT_FOUND, "there is no machine of that name"),
    }
}

async fn start(State(peer): State<Peer>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if headers
        .get("sistemo-session-key")
        .is_none_or(|key| key != KEY)
    {
        return problem(StatusCode::FORBIDDEN, "a cookie alone may only read");
    }
    peer.change(|known| known.started.push(id));
    (StatusCode::ACCEPTED, Json(json!({ "id": "1" }))).into_response()
}

/// One event, and then none until the page leaves.
async fn events() -> Response {
    let body = futures_util::stream::once(async {
        Ok::<_, std::convert::Infallible>("event: machine\ndata: {}\n\n")
    });
    let body = futures_util::StreamExt::chain(body, futures_util::stream::pending());
    axum::body::Body::from_stream(body).into_response()
}

#[derive(Deserialize)]
struct Asked {
    cols: u16,
    rows: u16,
    session: Option<String>,
    offset: Option<usize>,
}

async fn terminal(
    state: State<Peer>,
    Path(name): Path<String>,
    asked: Query<Asked>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    match name.as_str() {
        "web" => connect(state, Some(name), asked, &headers, upgrade),
        _ => problem(StatusCode::NOT_FOUND, "there is no machine of that name"),
    }
}

async fn console(
    state: State<Peer>,
    asked: Query<Asked>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    connect(state, None, asked, &headers, upgrade)
}

fn connect(
    State(peer): State<Peer>,
    machine: Option<String>,
    Query(asked): Query<Asked>,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let protocols = headers
        .get(SEC_WEBSOCKET_PROTOCOL)
        .map_or("", |value| value.to_str().unwrap());
    let known = peer.known();
    if known.closed
        || !known.logged_in
        || protocols != format!("sistemo.terminal.v1, sistemo.key.{KEY}")
    {
        return problem(StatusCode::UNAUTHORIZED, "nobody is logged in");
    }
    let session = asked.session.zip(asked.offset);
    upgrade
        .protocols(["sistemo.terminal.v1"])
        .on_upgrade(move |socket| peer.serve(socket, machine, session, (asked.cols, asked.rows)))
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let problem = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(),
        "detail": detail, "code": "test", "hint": null });
    (
        status,
        [("content-type", "application/problem+json")],
        problem.to_string(),
    )
        .into_response()
}
