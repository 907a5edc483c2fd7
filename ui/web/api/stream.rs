//! Server-sent events, as all streams of the API send them.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;

/// How often a stream on which nothing happens says that it is alive, in a comment.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An event with JSON in it.
pub(super) fn event(name: &str, id: impl Display, data: &impl Serialize) -> Event {
    // Plain structs with string keys always have a JSON form, and none of its bytes ends a line.
    let text = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).id(id.to_string()).data(text)
}

/// The answer that a stream of events is.
pub(super) fn answer(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let beat = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(events).keep_alive(beat).into_response()
}

/// Which event whoever comes back had last.
pub(super) fn last_event(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}
