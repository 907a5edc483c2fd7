//! `/operations`: looking at operations, following them, and taking them back.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Operation;
use super::begin::{answer, patience};
use super::events;
use crate::web::Web;
use crate::web::api::extract::{Params, Segment, Waiting};
use crate::web::api::problem::{Answer, Problem};
use crate::web::api::stream;

pub(in crate::web::api) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show, cancel))
        .routes(routes!(follow))
}

/// List operations
///
/// Those that run, and the last 200 that have ended within an hour; the latest first.
#[utoipa::path(get, path = "/operations", operation_id = "listOperations", tag = "operations",
    responses((status = 200, description = "Operations", body = Vec<Operation>)))]
async fn list(State(web): State<Web>) -> Json<Vec<Operation>> {
    Json(web.operations().list())
}

/// Show one operation
#[utoipa::path(get, path = "/operations/{id}", operation_id = "showOperation", tag = "operations",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn show(
    State(web): State<Web>,
    Segment(id): Segment,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let patience = patience(waiting)?;
    Ok(answer(&web.operations().find(&id)?, patience).await)
}

/// Take an operation back
///
/// What it has done so far is undone; the operation says how it ended. One that has ended stays as it is.
#[utoipa::path(delete, path = "/operations/{id}", operation_id = "cancelOperation", tag = "operations",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It is being taken back", body = Operation),
    ))]
async fn cancel(
    State(web): State<Web>,
    Segment(id): Segment,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let patience = patience(waiting)?;
    let entry = web.operations().find(&id)?;
    if !entry.has_ended() {
        entry.cancel.cancel();
    }
    Ok(answer(&entry, patience).await)
}

/// Follow an operation
///
/// Server-sent events `step`, `note`, `transfer` (at most ten times a second) and, last, `done` with the operation. Each
/// has a number, from which `Last-Event-ID` goes on; `resync`, with the operation, takes the place of what is no longer
/// known.
#[utoipa::path(get, path = "/operations/{id}/events", operation_id = "followOperation", tag = "operations",
    params(("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event that was heard")),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream")))]
async fn follow(
    State(web): State<Web>,
    Segment(id): Segment,
    headers: HeaderMap,
) -> Answer<Response> {
    let entry = web.operations().find(&id)?;
    let after = match stream::last_event(&headers) {
        Some(text) => text
            .parse()
            .map_err(|_| Problem::usage("Last-Event-ID is not a number"))?,
        None => 0,
    };
    Ok(stream::answer(events::of(entry, after, web.stop().clone())))
}
