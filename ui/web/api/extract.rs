//! What handlers take out of requests. Whatever cannot be taken is a [`Problem`].

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The longest key of an operation that is to be begun once only.
const LONGEST_KEY: usize = 255;

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(value)) => Ok(Body(value)),
            Err(rejection) => Err(refusal(rejection.status(), rejection.body_text())),
        }
    }
}

/// A body of JSON, or none at all, or `null`, for what is usual.
pub(super) struct MaybeBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.headers().contains_key(header::CONTENT_TYPE) {
            let Body(value): Body<Option<T>> = Body::from_request(request, state).await?;
            return Ok(MaybeBody(value.unwrap_or_default()));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| refusal(error.status(), error.body_text()))?;
        match bytes.is_empty() {
            true => Ok(MaybeBody(T::default())),
            false => Err(refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body has no Content-Type".into(),
            )),
        }
    }
}

/// The query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Params(value)),
            Err(rejection) => Err(refusal(rejection.status(), rejection.body_text())),
        }
    }
}

/// The part of the path that names a thing.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Segment(value)),
            Err(rejection) => Err(refusal(rejection.status(), rejection.body_text())),
        }
    }
}

/// The key of an operation that is to be begun once, however often it is asked for (`Idempotency-Key`, of
/// draft-ietf-httpapi-idempotency-key-header).
pub(super) struct Key(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Key(None));
        };
        match value.to_str() {
            Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) && !key.contains([' ', '\t']) => {
                Ok(Key(Some(key.into())))
            }
            _ => Err(Problem::usage(format!(
                "Idempotency-Key wants 1 to {LONGEST_KEY} letters of ASCII and no blanks"
            ))
            .hint("a random UUID is a good one")),
        }
    }
}

/// How long whoever begins an operation waits for its end.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) wait: Option<u64>,
}

/// A request that the framework refuses.
fn refusal(status: StatusCode, text: String) -> Problem {
    let code = match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::NOT_FOUND => "not_found",
        status if status.is_client_error() => return Problem::usage(text),
        _ => "failed",
    };
    let problem = Problem::new(status, code, text);
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            problem.hint("send JSON: Content-Type: application/json")
        }
        _ => problem,
    }
}
