//! What every request meets before anything else.

use std::net::IpAddr;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::names::{self, Origin};
use super::refusal::Refusal;
use super::{Access, Denied, Error, Hold, Known};
use crate::web::server::Peer;
use crate::web::{Problem, Web};

/// What a browser says of the page that a request comes from (W3C Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is there for everybody, by the route's method and path; all else is for callers.
fn is_public(method: &Method, route: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        "/" | "/healthz" | "/api/docs" => reads,
        "/api/v1/session" | "/api/v1/proof" => *method == Method::POST,
        _ => reads && (route.starts_with("/assets/") || route.starts_with("/terminals/")),
    }
}

/// What a cookie alone may read: the description of the API, which is opened like a page, and is the same everywhere.
fn is_for_cookies(request: &Request) -> bool {
    *request.method() == Method::GET && request.uri().path() == "/api/v1/openapi.json"
}

/// Turns away what is for another server, before anybody looks for a route.
pub(crate) async fn front(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match origins(
        web.access(),
        request.method(),
        request.uri(),
        request.headers(),
        &peer,
    ) {
        Ok(origins) => {
            request.extensions_mut().insert(Origins(origins.into()));
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The origins that a request is for.
#[derive(Clone)]
pub(crate) struct Origins(std::sync::Arc<[Origin]>);

fn origins(
    access: &Access,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    peer: &Peer,
) -> Result<Vec<Origin>, Refusal> {
    if *method == Method::CONNECT {
        return Err(Refusal::Malformed("this is no proxy"));
    }
    // RFC 9112, section 3.2: exactly one, and the same as in a target that has one.
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refusal::Malformed("there is not one Host"));
    };
    let host = host.to_str().map_err(|_| Refusal::Misdirected)?;
    let is_other = |target: &Authority| !target.as_str().eq_ignore_ascii_case(host);
    if uri.authority().is_some_and(is_other) {
        return Err(Refusal::Misdirected);
    }
    let origins = access.names.of_host(host, peer.local);
    match origins.is_empty() {
        true => Err(Refusal::Misdirected),
        false => Ok(origins),
    }
}

/// Lets in who may come in, and says to what is behind who it is.
pub(crate) async fn guard(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    Extension(Origins(origins)): Extension<Origins>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let public = route.is_some_and(|route| is_public(request.method(), route.as_str()));
    let known = match check(web.access(), &origins, &request, public, peer.address.ip()) {
        Ok(known) => known,
        Err(denied) => return denial(&web, denied, peer.address.ip()).await,
    };
    let Some(Known { caller, hold, .. }) = known else {
        return next.run(request).await;
    };
    peer.standing.known();
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        peer.standing.lasts_with(hold);
        return response;
    }
    match is_endless(&response) {
        true => until(response, &web, hold),
        false => response,
    }
}

/// Whether, and for whom, a request goes on.
fn check(
    access: &Access,
    origins: &[Origin],
    request: &Request,
    public: bool,
    from: IpAddr,
) -> Result<Option<Known>, Denied> {
    let headers = request.headers();
    let upgrades = headers.contains_key(UPGRADE);
    let changes = !request.method().is_safe() || upgrades;
    let mut pages = headers.get_all(ORIGIN).iter();
    let page = pages.next();
    let is_ours = |page: &axum::http::HeaderValue| {
        page.to_str()
            .is_ok_and(|page| names::is_among(origins, page))
    };
    if page.is_some_and(|page| !is_ours(page)) || pages.next().is_some() {
        return Err(Refusal::ForeignOrigin.into());
    }
    // A WebSocket has its Origin, and browsers do not agree on what else they say with it.
    let guarded = !upgrades && (changes || !public);
    if guarded
        && headers
            .get_all(FETCH_SITE)
            .iter()
            .any(|site| site != "same-origin" && site != "none")
    {
        return Err(Refusal::ForeignOrigin.into());
    }
    let known = access.who(headers, from)?;
    let by_cookie = |known: &Known| known.caller != super::Caller::Token;
    match &known {
        _ if public => Ok(known),
        None => Err(Refusal::Stranger.into()),
        Some(caller) if changes && by_cookie(caller) && page.is_none() => {
            Err(Refusal::NoOrigin.into())
        }
        Some(caller) if !caller.keyed && !is_for_cookies(request) => Err(Refusal::NoKey.into()),
        Some(_) => Ok(known),
    }
}

/// What is answered to whoever did not come in; what is worth it is written down.
pub(super) async fn denial(web: &Web, denied: Denied, from: IpAddr) -> Response {
    match denied {
        Denied::Refused(refusal) => refusal.into_response(),
        Denied::Wrong(why) => {
            tracing::warn!(%from, "somebody did not come in: {why}");
            note(web, from, Some(why)).await;
            Refusal::WrongSecret.into_response()
        }
        Denied::Failed(error) => {
            tracing::error!("nobody can come in: {error}");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                error.to_string(),
            )
            .into_response()
        }
    }
}

/// Has history say that somebody came in, or did not.
pub(super) async fn note(web: &Web, from: IpAddr, why_not: Option<Error>) {
    let (engine, begun) = (web.engine(), Instant::now());
    // It may have to wait for another process.
    let noting = tokio::task::spawn_blocking(move || {
        let failure = why_not.map(sistemo::error::Error::from);
        let name = from.to_canonical().to_string();
        engine
            .machines()
            .note("session", "login", &name, begun, failure.as_ref());
    });
    let _ = noting.await;
}

/// Whether an answer goes on for as long as somebody listens.
fn is_endless(response: &Response) -> bool {
    let content = response.headers().get(CONTENT_TYPE);
    content.is_some_and(|content| content.as_bytes().starts_with(b"text/event-stream"))
}

/// Ends an answer when its session is over, or the daemon ends.
fn until(response: Response, web: &Web, hold: Hold) -> Response {
    let stop = web.stop().clone();
    let end = Box::pin(async move {
        tokio::select! {
            () = hold.over.cancelled() => {}
            () = stop.cancelled() => {}
        }
    });
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(end)))
}
