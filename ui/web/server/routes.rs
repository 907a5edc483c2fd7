//! The way of a request: what it meets before its route, and the routes of all rooms.

use std::any::Any;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Extension, Request};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::patience::patience;
use super::{Limits, Peer};
use crate::web::{Problem, Web, access, api};

/// What serves every connection: the door, and the rooms behind it.
pub(super) fn all(web: Web, limits: &Limits, rooms: Router<Web>) -> Router {
    let (sessions, _) = access::routes().split_for_parts();
    let routed = Router::new()
        .route("/healthz", get(health))
        .merge(sessions)
        .merge(rooms)
        .fallback(nothing_there)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(RequestBodyTimeoutLayer::new(limits.pause))
        .layer(from_fn_with_state(limits.answer, patience))
        .layer(from_fn_with_state(web.clone(), access::guard))
        .layer(from_fn_with_state(web.clone(), api::count))
        .with_state(web.clone());
    // What comes before a route is looked for; the last is the first.
    Router::new()
        .fallback_service(routed)
        .layer(CatchPanicLayer::custom(broken))
        .layer(from_fn_with_state(web, access::front))
        .layer(from_fn(access::headers))
        .layer(from_fn(log))
}

/// Whether the server is there, and that it is this product; nothing that is anybody's business.
async fn health() -> impl IntoResponse {
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({ "status": "ok", "product": "sistemo", "version": version }))
}

pub(in crate::web) async fn nothing_there(uri: Uri) -> Problem {
    let path = uri.path();
    let said = format!("there is nothing at {path}");
    Problem::new(StatusCode::NOT_FOUND, "not_found", said)
        .hint("what there is for programs: /api/docs")
}

pub(in crate::web) async fn not_so(method: Method, uri: Uri) -> Problem {
    let said = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", said)
        .hint("the header Allow says what it takes; see /api/docs")
}

/// A handler that panicked. Where a panic ends the program, as in releases, this is never reached: the daemon is started
/// again, and machines have gone on running.
fn broken(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request was not answered because of a mistake in this program");
    let said = "a mistake in this program; its log says more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", said).into_response()
}

/// A line of the log for each request, without what may be secret: queries and headers.
async fn log(Extension(peer): Extension<Peer>, request: Request, next: Next) -> Response {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.run(request).await;
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    let begun = Instant::now();
    let response = next.run(request).await;
    let took_ms = begun.elapsed().as_secs_f64() * 1e3;
    let status = response.status().as_u16();
    tracing::debug!(from = %peer.address, %method, path, status, took_ms, "request");
    response
}
