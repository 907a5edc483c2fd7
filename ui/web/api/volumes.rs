//! `/volumes`: disks by themselves.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sistemo::value::Name;
use sistemo::volume::Volume;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Key, Params, Segment, Waiting};
use super::machines::Renaming;
use super::operations::{Operation, Order, begin, value};
use super::problem::Answer;
use super::words::{Size, maybe, word};
use super::{apart, blocking};
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
        .routes(routes!(resize))
        .routes(routes!(rename))
}

/// List volumes
#[utoipa::path(get, path = "/volumes", operation_id = "listVolumes", tag = "volumes",
    responses((status = 200, description = "Volumes, by name", body = Vec<Volume>)))]
async fn list(State(web): State<Web>) -> Answer<Json<Vec<Volume>>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.machines().volumes()?))).await
}

/// Show one volume
#[utoipa::path(get, path = "/volumes/{name}", operation_id = "showVolume", tag = "volumes",
    responses((status = 200, description = "The volume", body = Volume)))]
async fn show(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Volume>> {
    find(&web, &name).await.map(Json)
}

async fn find(web: &Web, name: &str) -> Answer<Volume> {
    let (engine, name) = (web.engine(), name.to_owned());
    blocking(move || Ok(engine.machines().volume(&name)?)).await
}

/// A volume to be.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"size": "10G", "name": "photos"}))]
struct NewVolume {
    size: Size,
    /// By default the beginning of its identifier.
    #[schema(max_length = 63, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    name: Option<String>,
}

/// Make a data volume
///
/// The operation's result is the volume.
#[utoipa::path(post, path = "/volumes", operation_id = "createVolume", tag = "volumes", request_body = NewVolume,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn create(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<NewVolume>,
) -> Answer<Response> {
    let target = body.name.clone().unwrap_or_default();
    let order = Order::new("volume.create", target, &body, key, waiting)?;
    let name: Option<Name> = maybe("name", body.name.as_ref())?;
    let size = body.size.parse("size")?;
    let machines = web.engine().machines().clone();
    machines.check_volume_size(size)?;
    begin(&web, order, async { Ok(()) }, |job| async move {
        let making = machines.create_volume(name.as_ref(), size, &job.progress, &job.cancel);
        Ok(value(making.await?))
    })
    .await
}

/// Another size.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"size": "20G"}))]
struct Resizing {
    size: Size,
}

/// Grow a volume
///
/// With its file system. A machine that has it must be stopped. The operation's result is the volume.
#[utoipa::path(post, path = "/volumes/{name}/resize", operation_id = "resizeVolume", tag = "volumes",
    request_body = Resizing,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn resize(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Resizing>,
) -> Answer<Response> {
    let order = Order::new("volume.resize", &name, &body, key, waiting)?;
    let size = body.size.parse("size")?;
    let machines = web.engine().machines().clone();
    machines.check_volume_size(size)?;
    let check = async { find(&web, &name).await.map(drop) };
    begin(&web, order, check, |job| {
        let (machines, name) = (machines.clone(), name.clone());
        async move {
            let growing = machines.resize_volume(&name, size, &job.progress, &job.cancel);
            Ok(value(growing.await?))
        }
    })
    .await
}

/// Give a volume another name
///
/// A root volume that belongs to a machine has its name from that.
#[utoipa::path(post, path = "/volumes/{name}/rename", operation_id = "renameVolume", tag = "volumes",
    request_body = Renaming,
    responses((status = 200, description = "The volume under its new name", body = Volume)))]
async fn rename(
    State(web): State<Web>,
    Segment(name): Segment,
    Body(body): Body<Renaming>,
) -> Answer<Json<Volume>> {
    let new: Name = word("name", &body.name)?;
    let machines = web.engine().machines().clone();
    apart(async move { Ok(Json(machines.rename_volume(&name, &new).await?)) }).await
}

/// Delete a volume
///
/// One that belongs to no machine. The operation's result is the volume's `id` and `name`.
#[utoipa::path(delete, path = "/volumes/{name}", operation_id = "deleteVolume", tag = "volumes",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn delete(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("volume.delete", &name, &(), key, waiting)?;
    let machines = web.engine().machines().clone();
    let check = async { find(&web, &name).await.map(drop) };
    begin(&web, order, check, |job| {
        let (machines, name) = (machines.clone(), name.clone());
        async move {
            let volume = machines.volume(&name)?;
            let deleting = machines.delete_volume(&volume.id, &job.progress, &job.cancel);
            deleting.await?;
            Ok(json!({ "id": volume.id, "name": volume.name }))
        }
    })
    .await
}
