//! Data volumes of machines.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sistemo::volume::Attachment;

use super::find;
use crate::web::Web;
use crate::web::api::extract::{Body, Key, Params, Segment, Waiting};
use crate::web::api::operations::{Operation, Order, begin, value};
use crate::web::api::problem::{Answer, Problem};
use crate::web::api::words::plain;

/// A volume to attach.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Attaching {
    /// Name or identifier.
    #[schema(example = "photos", min_length = 1, pattern = "^[^:]+$")]
    volume: String,
    /// Where the guest mounts it; by default `/mnt/VOLUME`.
    #[schema(example = "/srv/photos")]
    path: Option<String>,
}

/// Attach a volume to a machine
///
/// The machine must be stopped, and mounts it when it starts. The operation's result is the volume.
#[utoipa::path(post, path = "/machines/{name}/volumes/attach", operation_id = "attachVolume", tag = "machines",
    request_body = Attaching,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn attach(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Attaching>,
) -> Answer<Response> {
    let order = Order::new("volume.attach", &name, &body, key, waiting)?;
    if body.volume.is_empty() || body.volume.contains(':') {
        return Err(Problem::usage("volume wants a volume's name"));
    }
    let path = body.path.as_ref().map(|path| plain("path", path));
    let attachment = Attachment {
        path: path.transpose()?,
        volume: body.volume,
    };
    let machines = web.engine().machines().clone();
    let check = async {
        machines.volume(&attachment.volume)?;
        find(&web, &name).await.map(drop)
    };
    begin(&web, order, check, |job| {
        let (machines, name, attachment) = (machines.clone(), name.clone(), attachment.clone());
        async move {
            let attaching = machines.attach_volume(&name, &attachment, &job.progress, &job.cancel);
            Ok(value(attaching.await?))
        }
    })
    .await
}

/// A volume to detach.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Detaching {
    /// Name or identifier.
    #[schema(example = "photos", min_length = 1)]
    volume: String,
}

/// Detach a volume from a machine
///
/// The machine must be stopped. The operation's result is the volume.
#[utoipa::path(post, path = "/machines/{name}/volumes/detach", operation_id = "detachVolume", tag = "machines",
    request_body = Detaching,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn detach(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Detaching>,
) -> Answer<Response> {
    let order = Order::new("volume.detach", &name, &body, key, waiting)?;
    let machines = web.engine().machines().clone();
    let check = async {
        machines.volume(&body.volume)?;
        find(&web, &name).await.map(drop)
    };
    begin(&web, order, check, |job| {
        let (machines, name, volume) = (machines.clone(), name.clone(), body.volume.clone());
        async move {
            let detaching = machines.detach_volume(&name, &volume, &job.progress, &job.cancel);
            Ok(value(detaching.await?))
        }
    })
    .await
}
