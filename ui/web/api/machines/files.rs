//! Files of machines, streamed both ways: however large they are, no more than a few pieces are in memory.

use std::path::PathBuf;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use sistemo::error::Result;
use sistemo::event::Progress;
use sistemo::guest::copy::Copied;
use sistemo::machine::{CopyRequest, Place};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::find;
use crate::web::Web;
use crate::web::api::extract::{Params, Segment};
use crate::web::api::problem::{Answer, Problem};
use crate::web::server::Unhurried;

/// How much of a file waits for a slow client.
const AHEAD: usize = 256 << 10;
/// How large a piece of an answer is at most.
const PIECE: usize = 64 << 10;

/// Which file, and as whom.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The file; a path that does not begin with `/` begins in the user's home.
    #[param(example = "/etc/hostname", min_length = 1)]
    path: String,
    /// The user; root when absent.
    user: Option<String>,
}

impl Which {
    fn place(self, machine: String) -> Answer<Place> {
        if self.path.is_empty() || self.path.contains('\0') {
            return Err(Problem::usage("path wants the path of a file"));
        }
        Ok(Place::Machine {
            machine,
            user: self.user,
            path: PathBuf::from(self.path),
        })
    }
}

/// Read a file of a machine
///
/// A folder is refused; it can be read as an archive: run `tar` with exec, or copy it with `sistemo machine cp`. An answer
/// that breaks off is not the whole file.
#[utoipa::path(get, path = "/machines/{name}/files", operation_id = "readFile", tag = "machines", params(Which),
    responses((status = 200, description = "What the file holds", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn read(
    State(web): State<Web>,
    Segment(name): Segment,
    Params(which): Params<Which>,
) -> Answer<Response> {
    let source = which.place(find(&web, &name).await?.id)?;
    let (near, far) = tokio::io::duplex(AHEAD);
    let cancel = web.stop().child_token();
    let machines = web.engine().machines().clone();
    let request = CopyRequest {
        sources: vec![source],
        target: Place::Stream,
        follow: true,
        input: Box::pin(tokio::io::empty()),
        output: Box::pin(far),
    };
    let copying = {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            let silent = Progress::silent();
            Box::pin(machines.copy(request, &silent, &cancel)).await
        })
    };
    let mut copy = Copy {
        bytes: ReaderStream::with_capacity(near, PIECE),
        copying: Some(copying),
        // A client that goes away has had enough.
        _guard: cancel.drop_guard(),
    };
    // What fails before there is anything to send is a problem, and what fails later breaks off.
    let first = copy.next().await?;
    let kind = HeaderValue::from_static("application/octet-stream");
    let body = Body::from_stream(copy.stream(first));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// A file on its way to a client.
struct Copy {
    bytes: ReaderStream<DuplexStream>,
    copying: Option<JoinHandle<Result<Copied>>>,
    _guard: DropGuard,
}

impl Copy {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Answer<Option<Bytes>> {
        if let Some(piece) = self.bytes.next().await {
            let piece = piece.map_err(|error| broken(&error));
            return piece.map(Some);
        }
        if let Some(copying) = self.copying.take() {
            copying.await.map_err(|error| broken(&error))??;
        }
        Ok(None)
    }

    fn stream(self, first: Option<Bytes>) -> impl Stream<Item = std::io::Result<Bytes>> {
        let rest = futures_util::stream::try_unfold(self, |mut copy| async move {
            let failed = |problem| std::io::Error::other(format!("{problem:?}"));
            let piece = copy.next().await.map_err(failed)?;
            Ok(piece.map(|piece| (piece, copy)))
        });
        futures_util::stream::iter(first.map(Ok)).chain(rest)
    }
}

fn broken(error: &dyn std::error::Error) -> Problem {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "failed", format!("the copy broke off: {error}"))
}

/// Write a file of a machine
///
/// What is there is replaced once the whole body has come. The body is not limited in size.
#[utoipa::path(put, path = "/machines/{name}/files", operation_id = "writeFile", tag = "machines", params(Which),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "It is there", body = Copied)))]
pub(super) async fn write(
    State(web): State<Web>,
    Segment(name): Segment,
    Params(which): Params<Which>,
    _: Unhurried,
    request: Request,
) -> Answer<Json<Copied>> {
    let target = which.place(find(&web, &name).await?.id)?;
    let body = request.into_body().into_data_stream();
    let request = CopyRequest {
        sources: vec![Place::Stream],
        target,
        follow: true,
        input: Box::pin(StreamReader::new(body.map_err(std::io::Error::other))),
        output: Box::pin(tokio::io::sink()),
    };
    // A client that goes away ends this, and the file is left as it was.
    let cancel: CancellationToken = web.stop().child_token();
    let machines = web.engine().machines().clone();
    let silent = Progress::silent();
    let copying = machines.copy(request, &silent, &cancel);
    Ok(Json(Box::pin(copying).await?))
}
