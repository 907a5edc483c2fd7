//! How long an answer may take to begin. A handler that may take its time asks for [`Unhurried`].

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::web::Problem;

/// A handler with this argument is given all the time it wants. That is for what is as long as somebody has it, such as
/// a command in a machine or a file on its way; what streams its answer needs it only if the answer begins late.
#[derive(Debug)]
pub(crate) struct Unhurried(());

/// Whether the handler of a request is unhurried.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicBool>);

impl<S: Send + Sync> FromRequestParts<S> for Unhurried {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Unhurried, Infallible> {
        if let Some(Asked(asked)) = parts.extensions.get() {
            asked.store(true, Ordering::Relaxed);
        }
        Ok(Unhurried(()))
    }
}

/// Gives a request's handler this long.
pub(super) async fn patience(
    State(limit): State<Duration>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::default();
    request.extensions_mut().insert(asked.clone());
    let answer = next.run(request);
    tokio::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(limit, &mut answer).await {
        return answer;
    }
    if asked.0.load(Ordering::Relaxed) {
        return answer.await;
    }
    let seconds = limit.as_secs();
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "timeout",
        format!("the answer took longer than {seconds} s and was given up"),
    )
    .into_response()
}
