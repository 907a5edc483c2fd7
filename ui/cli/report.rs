//! Failures as a user or a script sees them.

use std::process::ExitCode;

use serde_json::json;
use sistemo::error::{Error, Kind};

use super::output::{Format, complain};

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// The engine says why.
    Engine(Error),
    /// Refused, with a way out.
    Refused { message: String, hint: String },
    /// Typed wrong.
    Usage { message: String, hint: String },
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
        Failure::Refused { message, hint } => {
            (Kind::Refused, message.clone(), None, Some(hint.clone()))
        }
        Failure::Usage { message, hint } => {
            (Kind::Usage, message.clone(), None, Some(hint.clone()))
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

/// Sends the engine's diagnostics to stderr when `SISTEMO_LOG` asks for them (`SISTEMO_LOG=sistemo=debug`).
pub(crate) fn log_to_stderr() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("SISTEMO_LOG") {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            // It would complain of a closed stderr to stderr, and panic.
            .log_internal_errors(false)
            .init();
    }
}
