//! A machine's boot log, as text or as events.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Deserialize;
use sistemo::machine::Console;
use sistemo::value::Moment;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::machine::logs::show::{Form, Show};
use crate::cli::machine::logs::{deadline, lines};
use crate::web::Web;
use crate::web::api::extract::{Params, Segment};
use crate::web::api::problem::{Answer, Problem};
use crate::web::api::words::maybe;
use crate::web::api::{blocking, stream};

/// Which part of a log, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Begin with the last so many lines; a number, or `all`.
    #[param(example = "100", pattern = "^([0-9]{1,9}|all)$")]
    tail: Option<String>,
    /// Begin with what was written then: so long ago (`10m`), a date, or seconds since 1970.
    #[param(example = "10m")]
    since: Option<String>,
    /// End with what was written then.
    #[param(example = "2030-01-31T08:00:00Z")]
    until: Option<String>,
    /// The log of the start before the last.
    #[serde(default)]
    previous: bool,
    /// Begin each line with when it was written.
    #[serde(default)]
    timestamps: bool,
    /// Answer with events, and go on as the log grows.
    #[serde(default)]
    follow: bool,
}

/// Read a machine's boot log
///
/// What the guest wrote to its console since its last start, as it wrote it. With `follow` it is a stream of events `line`,
/// whose data is `{"time", "line", "left_out_bytes"}`, until `end`, when there is nothing left to grow; it goes on over
/// restarts.
#[utoipa::path(get, path = "/machines/{name}/logs", operation_id = "machineLogs", tag = "machines", params(Which),
    responses((status = 200, description = "The log", content(
        (String = "text/plain"),
        (String = "text/event-stream"),
    ))))]
pub(super) async fn logs(
    State(web): State<Web>,
    Segment(name): Segment,
    Params(which): Params<Which>,
) -> Answer<Response> {
    if which.follow && which.previous {
        return Err(Problem::usage(
            "a log that is over cannot be followed: previous and follow exclude each other",
        ));
    }
    let tail = which.tail.as_deref().map(lines).transpose();
    let tail = tail.map_err(|error| Problem::usage(format!("tail: {error}")))?;
    let since: Option<Moment> = maybe("since", which.since.as_ref())?;
    let until: Option<Moment> = maybe("until", which.until.as_ref())?;
    let form = Form {
        json: which.follow,
        timestamps: which.timestamps,
        since,
        until,
        harmless: false,
    };
    let engine = web.engine();
    let log = blocking(move || {
        let mut console = engine.machines().logs(&name, which.previous)?;
        if let Some(lines) = tail {
            console.skip_to_last(lines)?;
        }
        if let Some(since) = since {
            console.skip_to_time(since.0)?;
        }
        Ok(Log {
            console,
            show: Show::new(Vec::new(), form),
            follow: which.follow,
            is_over: false,
        })
    })
    .await?;
    // What fails at once is a problem, and what fails later breaks off.
    let (log, first) = log.read().await?;
    if which.follow {
        let follower = Follower {
            queue: events(&first),
            log: Some(log),
            end: deadline(until),
            stop: web.stop().clone(),
        };
        return Ok(stream::answer(follower.stream()));
    }
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let body = Body::from_stream(pieces(log, first));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// A log that is read piece by piece.
struct Log {
    console: Console,
    show: Show<Vec<u8>>,
    follow: bool,
    is_over: bool,
}

impl Log {
    /// The next piece as it is to be sent; an empty one when there is nothing more yet, or for good.
    async fn read(mut self) -> Answer<(Log, Vec<u8>)> {
        blocking(move || {
            while !self.is_over && self.show.out().is_empty() {
                let piece = self.console.read()?;
                if piece.bytes.is_empty() {
                    if self.follow {
                        break;
                    }
                    self.is_over = true;
                } else {
                    self.is_over = !self.show.piece(&piece, &self.console)?;
                }
                if self.is_over {
                    self.show.end(&self.console)?;
                }
            }
            let piece = std::mem::take(self.show.out());
            Ok((self, piece))
        })
        .await
    }
}

/// A log as text, to its end.
fn pieces(log: Log, first: Vec<u8>) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::try_unfold((log, first), |(log, piece)| async move {
        let (log, piece) = match piece.is_empty() {
            true => {
                let failed = |problem| std::io::Error::other(format!("{problem:?}"));
                log.read().await.map_err(failed)?
            }
            false => (log, piece),
        };
        let more = !piece.is_empty();
        Ok(more.then(|| (Bytes::from(piece), (log, Vec::new()))))
    })
}

/// Lines of JSON as events.
fn events(piece: &[u8]) -> VecDeque<Event> {
    let text = String::from_utf8_lossy(piece);
    let event = |line| Event::default().event("line").data(line);
    text.lines().map(event).collect()
}

/// Somebody who reads a log as it grows.
struct Follower {
    queue: VecDeque<Event>,
    /// Until it is over.
    log: Option<Log>,
    /// When there is nothing to wait for any more.
    end: Option<Instant>,
    stop: CancellationToken,
}

impl Follower {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            let (mut log, piece) = match self.log.take()?.read().await {
                Ok(read) => read,
                Err(problem) => return Some(stream::event("end", "end", &problem)),
            };
            if piece.is_empty() && !log.is_over && self.end.is_none_or(|end| end > Instant::now()) {
                let end = self.end;
                let grows = tokio::select! {
                    grown = log.console.grown() => grown.unwrap_or(false),
                    () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => true,
                    () = self.stop.cancelled() => return None,
                };
                log.is_over = !grows;
            } else if piece.is_empty() {
                return Some(stream::event("end", "end", &()));
            }
            self.queue = events(&piece);
            self.log = Some(log);
        }
    }
}
