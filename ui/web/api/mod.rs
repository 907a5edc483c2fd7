//! The API: what the command line does, for programs. JSON in the shapes of `-o json`, failures as problem documents.
//!
//! ```text
//!  request ─► extract ─► handler ─┬─► engine (at once) ─► JSON
//!             (or 4xx)            └─► operation ─► 202 ─► state, events, end
//! ```
//!
//! Handlers come here with a caller whom [`crate::web::access`] knows; none asks who it is.

mod changes;
mod docs;
mod extract;
mod host;
mod images;
mod machines;
mod metrics;
mod networks;
mod openapi;
mod operations;
mod problem;
mod snapshots;
mod stream;
#[cfg(test)]
mod tests;
mod volumes;
mod words;

use std::future::Future;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use metrics::{Metrics, count};
pub(crate) use operations::Operations;
pub(crate) use problem::{Answer, Problem};

use crate::web::Web;

/// What the API keeps between requests.
#[derive(Debug, Default)]
pub(crate) struct Api {
    pub(super) operations: Operations,
    pub(crate) metrics: Metrics,
    lists: machines::Lists,
    readings: machines::Readings,
    watch: changes::Watch,
}

/// Every resource under `/api/v1`, with what the document says of it.
fn resources() -> OpenApiRouter<Web> {
    let resources = OpenApiRouter::default()
        .merge(machines::routes())
        .merge(volumes::routes())
        .merge(snapshots::routes())
        .merge(networks::routes())
        .merge(images::routes())
        .merge(operations::routes())
        .merge(changes::routes())
        .merge(host::routes());
    openapi::begin().nest("/api/v1", resources)
}

/// The API's routes. `/api/docs` and `/assets/docs.css` may be shown to everybody.
pub(crate) fn routes() -> Router<Web> {
    let (resources, _) = resources().split_for_parts();
    resources
        .route("/api/v1/openapi.json", get(openapi::show))
        .route("/api/docs", get(docs::page))
        .route("/assets/docs.css", get(docs::style))
        .route("/metrics", get(metrics::show))
}

/// Does on a thread of its own what may keep one waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    ended(tokio::task::spawn_blocking(work).await)
}

/// Does something that goes on to its end when whoever asked for it goes away.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    ended(tokio::spawn(work).await)
}

fn ended<T>(outcome: Result<Answer<T>, tokio::task::JoinError>) -> Answer<T> {
    outcome.unwrap_or_else(|panicked| {
        let detail = format!("the daemon went wrong: {panicked}");
        Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            detail,
        ))
    })
}
