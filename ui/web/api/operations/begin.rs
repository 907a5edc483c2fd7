//! Beginning an operation, and answering whoever asked for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sistemo::event::Progress;
use tokio_util::sync::CancellationToken;

use super::entry::Entry;
use crate::web::Web;
use crate::web::api::extract::{Key, Waiting};
use crate::web::api::problem::{Answer, Problem};

/// The longest that an answer is held back for an operation to end, in seconds.
const LONGEST_WAIT: u64 = 60;

/// What is to be done, to what, and how whoever asks wants to be answered.
#[derive(Debug)]
pub(in crate::web::api) struct Order {
    pub(super) kind: &'static str,
    pub(super) target: String,
    /// Of the whole request, to tell whether another one with the same key is the same.
    pub(super) print: [u8; 32],
    pub(super) key: Option<String>,
    wait: Duration,
}

impl Order {
    /// `body` is all that the request says beyond `kind` and `target`.
    pub(in crate::web::api) fn new(
        kind: &'static str,
        target: impl Into<String>,
        body: &impl Serialize,
        key: Key,
        waiting: Waiting,
    ) -> Answer<Order> {
        let target = target.into();
        let wait = waiting.wait.unwrap_or(0);
        if wait > LONGEST_WAIT {
            let text = format!("wait is {wait}, and at most {LONGEST_WAIT} seconds are waited");
            return Err(Problem::usage(text).hint("ask again with GET and wait"));
        }
        // Requests are plain structs, which always have a JSON form.
        let request = serde_json::to_vec(&(kind, &target, body)).unwrap_or_default();
        Ok(Order {
            kind,
            print: Sha256::digest(request).into(),
            target,
            key: key.0,
            wait: Duration::from_secs(wait),
        })
    }
}

/// What the work is given.
pub(in crate::web::api) struct Job {
    pub(in crate::web::api) progress: Progress,
    pub(in crate::web::api) cancel: CancellationToken,
}

/// A result as the command prints it.
pub(in crate::web::api) fn value(result: impl Serialize) -> Value {
    // Plain structs with string keys always have a JSON form.
    serde_json::to_value(result).unwrap_or_default()
}

/// Begins an operation unless `check` refuses, and answers with it: 202 while it runs, 200 once it has ended, if it was to
/// be waited for. Under a key that is known nothing is begun.
pub(in crate::web::api) async fn begin<W>(
    web: &Web,
    order: Order,
    check: impl Future<Output = Answer<()>>,
    work: impl FnOnce(Job) -> W,
) -> Answer<Response>
where
    W: Future<Output = sistemo::error::Result<Value>> + Send + 'static,
{
    let (operations, wait) = (web.operations(), order.wait);
    if let Some(known) = operations.known(&order)? {
        return Ok(answer(&known, wait).await);
    }
    if let Err(refused) = check.await {
        // What is in its way may be what another request with the same key has just made.
        return match operations.known(&order)? {
            Some(known) => Ok(answer(&known, wait).await),
            None => Err(refused),
        };
    }
    let (entry, is_new) = operations.enter(order, web.stop())?;
    if is_new {
        let progress = {
            let entry = entry.clone();
            Progress::new(move |event| entry.heed(event))
        };
        let cancel = entry.cancel.clone();
        let working = tokio::spawn(work(Job { progress, cancel }));
        let (web, entry) = (web.clone(), entry.clone());
        operations.tasks.spawn(async move {
            let outcome = match working.await {
                Ok(outcome) => outcome.map_err(Problem::from),
                Err(panicked) => Err(Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "failed",
                    format!("the daemon went wrong: {panicked}"),
                )),
            };
            let kind = entry.order.kind;
            let state = entry.end(outcome);
            web.operations().count(kind, state);
        });
    }
    Ok(answer(&entry, wait).await)
}

/// The operation, once it has ended or as it is after so long.
pub(super) async fn answer(entry: &Arc<Entry>, wait: Duration) -> Response {
    entry.wait(wait).await;
    let operation = entry.view();
    let status = match operation.ended_at {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let mut response = (status, Json(&operation)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/operations/{}", entry.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// How long to wait, when it was asked so.
pub(super) fn patience(waiting: Waiting) -> Answer<Duration> {
    Order::new("", "", &(), Key(None), waiting).map(|order| order.wait)
}
