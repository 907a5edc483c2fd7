//! Problems: what went wrong, as RFC 9457 has it (`application/problem+json`).
//!
//! | the engine's kind | status | code |
//! |---|---|---|
//! | asked wrongly | 400 | `usage` |
//! | not there | 404 | `not_found` |
//! | refused because of the state of things | 409 | `refused` |
//! | taken back | 409 | `cancelled` |
//! | failed | 500, or 507 when a disk is full | `failed`, `disk_full` |
//!
//! JSON that cannot be read and JSON that asks for nonsense are both 400: to whoever asked they are one mistake.

use std::error::Error as StdError;
use std::io::ErrorKind;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sistemo::error::{Error, Kind};

/// An answer, or why there is none.
pub(crate) type Answer<T> = Result<T, Problem>;

/// What is said of a failure. `type` is always `about:blank`: the status and `code` tell problems apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The answer's HTTP status; in an operation the one that it would have been answered with.
    #[schema(example = 404)]
    status: u16,
    /// The failure in a sentence, for a person.
    #[schema(example = "there is no machine \"web\"")]
    detail: String,
    /// The failure in a word, for a program.
    #[schema(example = "not_found")]
    code: &'static str,
    /// The way out, when there is one.
    #[schema(example = "see what there is: sistemo machine list")]
    hint: Option<String>,
    /// Lines that help to see why, such as the end of a machine's boot log.
    #[schema(value_type = Vec<String>)]
    detail_lines: Box<[String]>,
}

impl Problem {
    /// A problem with this status; `code` is a word for programs, `detail` a sentence for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            hint: None,
            detail_lines: Box::default(),
        }
    }

    /// Adds the way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Asked wrongly.
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "usage", detail)
    }

    /// The same under another status.
    pub(super) fn with_status(mut self, status: StatusCode, code: &'static str) -> Self {
        self.status = status.as_u16();
        self.title = status.canonical_reason().unwrap_or("Problem");
        self.code = code;
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.code == Kind::Cancelled.code()
    }
}

impl<T: Into<Error>> From<T> for Problem {
    fn from(error: T) -> Self {
        let error = error.into();
        let (status, code) = match error.kind() {
            Kind::Usage => (StatusCode::BAD_REQUEST, Kind::Usage.code()),
            Kind::NotFound => (StatusCode::NOT_FOUND, Kind::NotFound.code()),
            Kind::Refused => (StatusCode::CONFLICT, Kind::Refused.code()),
            Kind::Cancelled => (StatusCode::CONFLICT, Kind::Cancelled.code()),
            Kind::Failed if is_full(&error) => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Kind::Failed => (StatusCode::INTERNAL_SERVER_ERROR, Kind::Failed.code()),
        };
        let detail = error.detail().unwrap_or_default();
        Problem {
            hint: error.hint(),
            detail_lines: detail.lines().map(str::to_owned).collect(),
            ..Problem::new(status, code, error.report())
        }
    }
}

/// Whether a full disk is at the bottom of it.
fn is_full(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| {
            matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        }) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Text and numbers always have a JSON form.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status(), [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use sistemo::value::Name;

    use super::*;

    #[test]
    fn each_kind_has_its_status() {
        let problem = Problem::from("Web".parse::<Name>().unwrap_err());
        assert_eq!((problem.status, problem.code), (400, "usage"));
        assert!(problem.hint.as_ref().unwrap().contains("web, db-2"));
        let unknown = sistemo::machine::Error::Unknown("web".into());
        let problem = Problem::from(unknown);
        assert_eq!((problem.status, problem.title), (404, "Not Found"));
        assert_eq!(problem.detail, "there is no machine \"web\"");
        let problem = Problem::from(sistemo::machine::Error::DefaultNetwork);
        assert_eq!((problem.status, problem.code), (409, "refused"));
        let problem = Problem::from(sistemo::machine::Error::Cancelled);
        assert_eq!((problem.status, problem.code), (409, "cancelled"));
        for (errno, status) in [(nix::libc::ENOSPC, 507), (nix::libc::EIO, 500)] {
            let problem = Problem::from(sistemo::machine::Error::File {
                what: "write",
                path: "disk".into(),
                source: std::io::Error::from_raw_os_error(errno),
            });
            assert_eq!(problem.status, status);
        }
    }
}
