//! Why a request is turned away before anything is done.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use crate::web::Problem;

/// Why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It breaks the rules of HTTP.
    Malformed(&'static str),
    /// It is for another server.
    Misdirected,
    /// It comes from a page of another origin.
    ForeignOrigin,
    /// It does not say from which page it comes, and changes something.
    NoOrigin,
    /// Nobody is logged in.
    Stranger,
    /// A cookie alone does not do.
    NoKey,
    /// A secret is wrong.
    WrongSecret,
    /// A secret is wrong again, too soon.
    TooSoon(Duration),
}

impl Refusal {
    fn problem(&self) -> Problem {
        match self {
            Refusal::Malformed(what) => Problem::new(StatusCode::BAD_REQUEST, "malformed", *what),
            Refusal::Misdirected => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "this server does not have that name",
            )
            .hint("more names are said by the setting web_names"),
            Refusal::ForeignOrigin => Problem::new(
                StatusCode::FORBIDDEN,
                "foreign_origin",
                "the request comes from a page of another origin",
            ),
            Refusal::NoOrigin => Problem::new(
                StatusCode::FORBIDDEN,
                "no_origin",
                "the request does not say which page it comes from",
            )
            .hint("programs send Authorization: Bearer TOKEN"),
            Refusal::Stranger => Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "nobody is logged in",
            )
            .hint("a link that lets one in: sistemo web; programs send Authorization: Bearer TOKEN"),
            Refusal::NoKey => Problem::new(
                StatusCode::FORBIDDEN,
                "no_key",
                "a cookie alone is not enough",
            )
            .hint("send the key that the login gave: Sistemo-Session-Key, or the subprotocol sistemo.key.KEY"),
            Refusal::WrongSecret => Problem::new(
                StatusCode::UNAUTHORIZED,
                "wrong_secret",
                "that lets nobody in",
            ),
            Refusal::TooSoon(_) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "that lets nobody in, and it was tried too often",
            ),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        let headers = response.headers_mut();
        match self {
            Refusal::Stranger | Refusal::WrongSecret => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Refusal::TooSoon(pause) => {
                let seconds = pause.as_secs().saturating_add(1);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}
