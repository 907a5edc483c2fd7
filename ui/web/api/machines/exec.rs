//! Running a command in a machine, with its output in the answer.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sistemo::error::Kind;
use sistemo::guest::client::{self, Exec as Command, Exit, Io};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use super::find;
use crate::cli::machine::exec::line;
use crate::web::Web;
use crate::web::api::extract::{Body, Segment};
use crate::web::api::problem::{Answer, Problem};
use crate::web::server::Unhurried;

/// How much of each output is answered with, in bytes.
const MOST: usize = 1 << 20;
/// The longest that a command may take, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

/// A command for a machine.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"command": ["df", "-h"]}))]
pub(super) struct Exec {
    command: Line,
    /// Variables to set.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Run it in this directory.
    workdir: Option<String>,
    /// Run it as this user; root when absent.
    user: Option<String>,
    /// What it reads.
    stdin: Option<String>,
    /// The same with base64, for what is no text.
    #[schema(content_encoding = "base64")]
    stdin_base64: Option<String>,
    /// Seconds after which it is hung up on.
    #[schema(minimum = 1, maximum = 86400)]
    timeout: Option<u64>,
}

/// A line for the user's shell, or words that are passed on as they are.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum Line {
    Shell(String),
    Words(Vec<String>),
}

impl Line {
    fn words(self) -> Vec<String> {
        match self {
            Line::Shell(line) => vec![line],
            // A single word of a list is a word all the same, not a line.
            Line::Words(words) if words.len() == 1 => words
                .iter()
                .map(|word| crate::cli::machine::exec::quote(word))
                .collect(),
            Line::Words(words) => words,
        }
    }
}

/// How a command ended, and what it wrote.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Executed {
    /// `null` when it was ended by a signal, or hung up on.
    exit_status: Option<u32>,
    /// The signal that ended it, without `SIG`.
    #[schema(example = "KILL")]
    signal: Option<String>,
    /// Whether its time was over.
    timed_out: bool,
    stdout: Output,
    stderr: Output,
}

/// What a command wrote.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) struct Output {
    data: String,
    encoding: Encoding,
    /// How much it wrote.
    bytes: u64,
    /// Whether `data` is only the first MiB of it.
    truncated: bool,
}

/// How bytes are written in JSON.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// Run a command in a machine
///
/// Answers once it has ended. A client that goes away, or a `timeout`, hangs up on it. Of each output there is at most
/// 1 MiB; for more, copy a file.
#[utoipa::path(post, path = "/machines/{name}/exec", operation_id = "execInMachine", tag = "machines",
    request_body = Exec,
    responses(
        (status = 200, description = "It has ended", body = Executed),
        (status = 502, description = "The guest cannot be reached, or the connection was lost", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn exec(
    State(web): State<Web>,
    Segment(name): Segment,
    _: Unhurried,
    Body(body): Body<Exec>,
) -> Answer<Json<Executed>> {
    let stdin = match (body.stdin, body.stdin_base64) {
        (Some(_), Some(_)) => {
            return Err(Problem::usage("stdin and stdin_base64 exclude each other"));
        }
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => (BASE64_STANDARD.decode(text))
            .map_err(|error| Problem::usage(format!("stdin_base64: {error}")))?,
        (None, None) => Vec::new(),
    };
    let limit = match body.timeout {
        Some(seconds) if !(1..=LONGEST).contains(&seconds) => {
            return Err(Problem::usage(format!(
                "timeout is from 1 to {LONGEST} seconds"
            )));
        }
        seconds => Duration::from_secs(seconds.unwrap_or(LONGEST)),
    };
    let words = body.command.words();
    if words.iter().all(String::is_empty) {
        return Err(Problem::usage("there is no command"));
    }
    let has_zero = |word: &String| word.contains('\0');
    if words
        .iter()
        .chain(&body.workdir)
        .chain(&body.user)
        .any(has_zero)
        || body
            .env
            .iter()
            .any(|(name, value)| has_zero(name) || has_zero(value))
    {
        return Err(Problem::usage("a word holds a zero byte"));
    }
    let id = find(&web, &name).await?.id;
    let machines = web.engine().machines().clone();
    let entered = machines.enter(&id, body.user.as_deref(), None).await;
    let session = entered.map_err(|error| match error.kind() {
        Kind::Failed => unreachable_guest(error.into()),
        _ => error.into(),
    })?;
    let command = Command {
        command: Some(line(&words, body.workdir.as_deref())),
        env: body.env.into_iter().collect(),
        pty: None,
    };
    let (mut stdout, mut stderr) = (Bounded::default(), Bounded::default());
    let io = Io {
        stdin: stdin.as_slice(),
        stdout: &mut stdout,
        stderr: &mut stderr,
    };
    let (_events, received) = mpsc::channel(1);
    let outcome = tokio::time::timeout(limit, session.exec(command, io, received)).await;
    let (exit_status, signal, timed_out) = match outcome {
        Err(_) => (None, None, true),
        Ok(Ok(Exit::Status(status))) => (Some(status), None, false),
        Ok(Ok(Exit::Signal { name, .. })) => (None, Some(name), false),
        Ok(Err(error)) => return Err(lost(error)),
    };
    Ok(Json(Executed {
        exit_status,
        signal,
        timed_out,
        stdout: stdout.output(),
        stderr: stderr.output(),
    }))
}

/// A guest that cannot be reached is another server's failure.
pub(super) fn unreachable_guest(problem: Problem) -> Problem {
    problem.with_status(StatusCode::BAD_GATEWAY, "guest_unreachable")
}

fn lost(error: client::Error) -> Problem {
    unreachable_guest(error.into())
}

/// Keeps the beginning of what is written to it, and counts the rest.
#[derive(Debug, Default)]
struct Bounded {
    kept: Vec<u8>,
    written: u64,
}

impl Bounded {
    fn output(self) -> Output {
        let truncated = self.written > self.kept.len() as u64;
        let (data, encoding) = match std::str::from_utf8(&self.kept) {
            Ok(text) => (text.to_owned(), Encoding::Utf8),
            // The cut went through a letter.
            Err(error) if truncated && error.error_len().is_none() => {
                let whole = &self.kept[..error.valid_up_to()];
                (String::from_utf8_lossy(whole).into_owned(), Encoding::Utf8)
            }
            Err(_) => (BASE64_STANDARD.encode(&self.kept), Encoding::Base64),
        };
        Output {
            data,
            encoding,
            bytes: self.written,
            truncated,
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = MOST - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.written += bytes.len() as u64;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn output(bytes: &[u8]) -> Output {
        let mut bounded = Bounded::default();
        bounded.write_all(bytes).await.unwrap();
        bounded.output()
    }

    #[tokio::test]
    async fn outputs_are_bounded_and_told_as_text_where_they_are() {
        let text = output("grüße\n".as_bytes()).await;
        assert_eq!(
            (text.data.as_str(), text.encoding),
            ("grüße\n", Encoding::Utf8)
        );
        let bytes = output(&[0xff, 0]).await;
        assert_eq!(
            (bytes.data.as_str(), bytes.encoding),
            ("/wA=", Encoding::Base64)
        );
        // The last letter that fits is cut in two.
        let mut long = vec![b'a'; MOST - 1];
        long.extend("ü and more".as_bytes());
        let cut = output(&long).await;
        assert_eq!((cut.data.len(), cut.encoding), (MOST - 1, Encoding::Utf8));
        assert_eq!((cut.bytes, cut.truncated), (long.len() as u64, true));
    }

    #[test]
    fn words_are_words_and_a_line_is_a_line() {
        let read = |json: &str| serde_json::from_str::<Line>(json).unwrap().words();
        assert_eq!(line(&read(r#""ps | wc -l""#), None), "ps | wc -l");
        assert_eq!(line(&read(r#"["echo", "a b"]"#), None), "echo 'a b'");
        assert_eq!(line(&read(r#"["a b"]"#), Some("/srv")), "cd /srv && 'a b'");
    }
}
