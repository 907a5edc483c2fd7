//! Failures as a user or a script sees them.

use std::process::ExitCode;

use serde_json::json;
use sistemo::error::{Error, Kind};

use super::output::{Format, complain};

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// The engine says why.
    Engine(Error),
    /// Asked wrongly, with a way out.
    Usage { message: String, hint: String },
    /// Refused, with a way out.
    Refused { message: String, hint: String },
    /// Taken back by the user, in a step that has nothing to undo.
    Cancelled,
    /// Several things were asked for, and some failed; each was reported already.
    Reported(ExitCode),
}

impl<T: Into<Error>> From<T> for Failure {
    fn from(error: T) -> Self {
        Failure::Engine(error.into())
    }
}

/// The exit status for a kind of failure, as behaviour.md fixes them.
pub(crate) fn status(kind: Kind) -> ExitCode {
    ExitCode::from(match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotFound => 3,
        Kind::Refused => 4,
        Kind::Cancelled => 130,
    })
}

/// Writes a failure to stderr and gives the exit status.
pub(crate) fn failure(failure: &Failure, format: Format) -> ExitCode {
    let (kind, message, detail, hint) = match failure {
        Failure::Engine(error) => (error.kind(), error.report(), error.detail(), error.hint()),
        Failure::Usage { message, hint } => {
            (Kind::Usage, message.clone(), None, Some(hint.clone()))
        }
        Failure::Refused { message, hint } => {
            (Kind::Refused, message.clone(), None, Some(hint.clone()))
        }
        Failure::Cancelled => (Kind::Cancelled, "cancelled".into(), None, None),
        Failure::Reported(code) => return *code,
    };
    if format == Format::Json {
        let error =
            json!({"code": kind.code(), "message": message, "detail": detail, "hint": hint});
        complain(&format!("{:#}\n", json!({ "error": error })));
    } else {
        complain(&format!("error: {message}\n"));
        for line in detail.iter().flat_map(|detail| detail.lines()) {
            complain(&format!("  {line}\n"));
        }
        if let Some(hint) = hint {
            complain(&format!("hint: {hint}\n"));
        }
    }
    status(kind)
}
