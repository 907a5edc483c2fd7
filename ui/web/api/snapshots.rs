//! `/snapshots`, and what is done with them to machines.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sistemo::machine::{ForkRequest, Snapshot};
use sistemo::value::Name;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::blocking;
use super::extract::{Key, MaybeBody, Params, Segment, Waiting};
use super::operations::{Operation, Order, begin, value};
use super::problem::Answer;
use super::words::{maybe, plain};
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(all))
        .routes(routes!(of_machine, create))
        .routes(routes!(show, delete))
        .routes(routes!(restore))
        .routes(routes!(deploy))
        .routes(routes!(fork))
}

/// List snapshots
///
/// Of all machines, the oldest first.
#[utoipa::path(get, path = "/snapshots", operation_id = "listSnapshots", tag = "snapshots",
    responses((status = 200, description = "The snapshots", body = Vec<Snapshot>)))]
async fn all(State(web): State<Web>) -> Answer<Json<Vec<Snapshot>>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.machines().snapshots(None)?))).await
}

/// List a machine's snapshots
///
/// The oldest first.
#[utoipa::path(get, path = "/machines/{name}/snapshots", operation_id = "listMachineSnapshots", tag = "snapshots",
    responses((status = 200, description = "Its snapshots", body = Vec<Snapshot>)))]
async fn of_machine(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Vec<Snapshot>>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.machines().snapshots(Some(&name))?))).await
}

/// A snapshot to be.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Taking {
    /// By default `snap0`, `snap1` …
    #[schema(
        example = "before-upgrade",
        max_length = 63,
        pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    )]
    name: Option<String>,
}

/// Make a snapshot of a machine
///
/// Its disks, and its memory if it runs; it is held still for as long as that takes. The operation's result is the
/// snapshot.
#[utoipa::path(post, path = "/machines/{name}/snapshots", operation_id = "createSnapshot", tag = "snapshots",
    request_body = Option<Taking>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn create(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Taking>,
) -> Answer<Response> {
    let order = Order::new("snapshot.create", &name, &body, key, waiting)?;
    let called: Option<Name> = maybe("name", body.name.as_ref())?;
    let machines = web.engine().machines().clone();
    let check = async { Ok(machines.show(&name).map(drop)?) };
    begin(&web, order, check, |job| {
        let (machines, name) = (machines.clone(), name.clone());
        async move {
            let making =
                machines.create_snapshot(&name, called.as_ref(), &job.progress, &job.cancel);
            Ok(value(Box::pin(making).await?))
        }
    })
    .await
}

async fn find(web: &Web, id: &str) -> Answer<Snapshot> {
    let (engine, id) = (web.engine(), id.to_owned());
    blocking(move || Ok(engine.machines().snapshot_by_id(&id)?)).await
}

/// Show one snapshot
#[utoipa::path(get, path = "/snapshots/{name}", operation_id = "showSnapshot", tag = "snapshots",
    responses((status = 200, description = "The snapshot", body = Snapshot)))]
async fn show(State(web): State<Web>, Segment(id): Segment) -> Answer<Json<Snapshot>> {
    find(&web, &id).await.map(Json)
}

/// Delete a snapshot
///
/// Machines that were made of it stay. The operation's result is its `id`, `name` and `machine`.
#[utoipa::path(delete, path = "/snapshots/{name}", operation_id = "deleteSnapshot", tag = "snapshots",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn delete(
    State(web): State<Web>,
    Segment(id): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("snapshot.delete", &id, &(), key, waiting)?;
    let machines = web.engine().machines().clone();
    let check = async { find(&web, &id).await.map(drop) };
    begin(&web, order, check, |job| {
        let (machines, id) = (machines.clone(), id.clone());
        async move {
            let found = machines.snapshot_by_id(&id)?;
            let (machine, name) = (&found.machine_id, &found.name);
            let deleting = machines.delete_snapshot(machine, name, &job.progress, &job.cancel);
            Box::pin(deleting).await?;
            Ok(json!({ "id": found.id, "name": found.name, "machine": found.machine }))
        }
    })
    .await
}

/// How a machine is to be what it was.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Restoring {
    /// Whether its memory is left out: the machine is stopped then, and boots from the disks.
    disks_only: bool,
}

/// Have the snapshot's machine be what it was
///
/// What its disks hold since is lost. The operation's result is the machine.
#[utoipa::path(post, path = "/snapshots/{name}/restore", operation_id = "restoreSnapshot", tag = "snapshots",
    request_body = Option<Restoring>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn restore(
    State(web): State<Web>,
    Segment(id): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Restoring>,
) -> Answer<Response> {
    let order = Order::new("snapshot.restore", &id, &body, key, waiting)?;
    let machines = web.engine().machines().clone();
    let check = async { find(&web, &id).await.map(drop) };
    begin(&web, order, check, |job| {
        let (machines, id) = (machines.clone(), id.clone());
        async move {
            let found = machines.snapshot_by_id(&id)?;
            let restoring = machines.restore(
                &found.machine_id,
                &found.name,
                body.disks_only,
                &job.progress,
                &job.cancel,
            );
            Ok(value(Box::pin(restoring).await?))
        }
    })
    .await
}

/// Another machine, which goes on from where one is or was.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Forking {
    /// By default that of the machine, with `-2`, `-3` … behind it.
    #[schema(
        example = "web-try",
        max_length = 63,
        pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    )]
    name: Option<String>,
    /// Ports of the host that are to lead into it: `8080:80`, `80`, `53:53/udp`.
    #[schema(max_items = 256)]
    expose: Vec<String>,
    /// The network that it is on; that of the other by default.
    #[schema(max_length = 63, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    network: Option<String>,
    /// Whether the memory is left out, and it boots.
    disks_only: bool,
    /// Whether the operation ends before the guest answers.
    no_wait: bool,
}

impl Forking {
    fn request(&self) -> Answer<ForkRequest> {
        let expose = self.expose.iter().map(|port| plain("expose", port));
        Ok(ForkRequest {
            name: maybe("name", self.name.as_ref())?,
            expose: expose.collect::<Answer<_>>()?,
            network: maybe("network", self.network.as_ref())?,
            disks_only: self.disks_only,
            no_wait: self.no_wait,
        })
    }
}

/// Deploy a machine from a snapshot
///
/// It goes on from there as another, beside the machine that the snapshot is of. The operation's result is the machine.
#[utoipa::path(post, path = "/snapshots/{name}/deploy", operation_id = "deploySnapshot", tag = "snapshots",
    request_body = Option<Forking>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn deploy(
    State(web): State<Web>,
    Segment(id): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Forking>,
) -> Answer<Response> {
    let order = Order::new("snapshot.deploy", &id, &body, key, waiting)?;
    let request = body.request()?;
    let machines = web.engine().machines().clone();
    let check = async { find(&web, &id).await.map(drop) };
    begin(&web, order, check, |job| {
        let (machines, id) = (machines.clone(), id.clone());
        async move {
            let found = machines.snapshot_by_id(&id)?;
            let deploying = machines.deploy_from_snapshot(
                &found.machine_id,
                &found.name,
                &request,
                &job.progress,
                &job.cancel,
            );
            Ok(value(Box::pin(deploying).await?))
        }
    })
    .await
}

/// Fork a machine
///
/// Makes another that goes on from where this one is, beside it. One that is stopped is copied, and the copy boots. The
/// operation's result is the new machine.
#[utoipa::path(post, path = "/machines/{name}/fork", operation_id = "forkMachine", tag = "machines",
    request_body = Option<Forking>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
async fn fork(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Forking>,
) -> Answer<Response> {
    let order = Order::new("machine.fork", &name, &body, key, waiting)?;
    let request = body.request()?;
    let machines = web.engine().machines().clone();
    let check = async { Ok(machines.show(&name).map(drop)?) };
    begin(&web, order, check, |job| {
        let (machines, name) = (machines.clone(), name.clone());
        async move {
            let forking = machines.fork(&name, &request, &job.progress, &job.cancel);
            Ok(value(Box::pin(forking).await?))
        }
    })
    .await
}
