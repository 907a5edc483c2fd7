//! Starting, stopping, pausing and deleting machines.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sistemo::engine::Engine;

use super::act;
use crate::web::Web;
use crate::web::api::extract::{Key, MaybeBody, Params, Segment, Waiting};
use crate::web::api::operations::{Operation, Order, value};
use crate::web::api::problem::{Answer, Problem};

/// How a machine is to be started.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Start {
    /// Whether the operation ends before the guest answers.
    no_wait: bool,
}

/// How a machine is to be stopped.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Stop {
    /// Seconds that the guest may take to power off before it is ended by force; by default the setting `stop_timeout`.
    #[schema(maximum = 86400)]
    timeout: Option<u64>,
    /// End it at once, without asking the guest.
    force: bool,
}

impl Stop {
    fn grace(&self, engine: &Engine) -> Answer<Duration> {
        match (self.force, self.timeout) {
            (true, Some(_)) => Err(Problem::usage("force and timeout exclude each other")),
            (true, None) => Ok(Duration::ZERO),
            (false, Some(seconds)) if seconds > 86400 => {
                Err(Problem::usage("timeout is at most 86400 seconds"))
            }
            (false, Some(seconds)) => Ok(Duration::from_secs(seconds)),
            (false, None) => Ok(engine.config().stop_timeout),
        }
    }
}

/// Start a machine
///
/// The operation's result is the machine. One that runs already is left as it is.
#[utoipa::path(post, path = "/machines/{name}/start", operation_id = "startMachine", tag = "machines",
    request_body = Option<Start>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn start(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Start>,
) -> Answer<Response> {
    let order = Order::new("machine.start", &name, &body, key, waiting)?;
    act(&web, order, name, |machines, name, job| async move {
        let starting = machines.start(&name, body.no_wait, &job.progress, &job.cancel);
        Ok(value(Box::pin(starting).await?))
    })
    .await
}

/// Stop a machine
///
/// Clean if its guest obeys in time, by force otherwise; disks stay. The operation's result is the machine.
#[utoipa::path(post, path = "/machines/{name}/stop", operation_id = "stopMachine", tag = "machines",
    request_body = Option<Stop>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn stop(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Stop>,
) -> Answer<Response> {
    let order = Order::new("machine.stop", &name, &body, key, waiting)?;
    let grace = body.grace(&web.engine())?;
    act(&web, order, name, |machines, name, job| async move {
        let stopping = machines.stop(&name, grace, &job.progress, &job.cancel);
        Ok(value(Box::pin(stopping).await?))
    })
    .await
}

/// Restart a machine
///
/// Addresses, ports and disks stay. The operation's result is the machine.
#[utoipa::path(post, path = "/machines/{name}/restart", operation_id = "restartMachine", tag = "machines",
    request_body = Option<Stop>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn restart(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Stop>,
) -> Answer<Response> {
    let order = Order::new("machine.restart", &name, &body, key, waiting)?;
    let grace = body.grace(&web.engine())?;
    act(&web, order, name, |machines, name, job| async move {
        let restarting = machines.restart(&name, grace, &job.progress, &job.cancel);
        Ok(value(Box::pin(restarting).await?))
    })
    .await
}

/// Pause a machine
///
/// It is held still, with all that it has in memory. The operation's result is the machine.
#[utoipa::path(post, path = "/machines/{name}/pause", operation_id = "pauseMachine", tag = "machines",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn pause(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("machine.pause", &name, &(), key, waiting)?;
    act(&web, order, name, |machines, name, job| async move {
        let pausing = machines.pause(&name, &job.progress, &job.cancel);
        Ok(value(Box::pin(pausing).await?))
    })
    .await
}

/// Let a paused machine go on
///
/// Its clock is set right. The operation's result is the machine.
#[utoipa::path(post, path = "/machines/{name}/resume", operation_id = "resumeMachine", tag = "machines",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn resume(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("machine.resume", &name, &(), key, waiting)?;
    act(&web, order, name, |machines, name, job| async move {
        let resuming = machines.resume(&name, &job.progress, &job.cancel);
        Ok(value(Box::pin(resuming).await?))
    })
    .await
}

/// What becomes of a machine's root volume.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Deletion {
    /// Keep the root volume, from which another machine can be deployed.
    #[serde(default)]
    preserve_storage: bool,
    #[param(maximum = 60)]
    wait: Option<u64>,
}

/// Delete a machine
///
/// Whatever it is doing. Its root volume goes with it unless that is to be kept; data volumes stay. The operation's result
/// is the machine's `id` and `name`.
#[utoipa::path(delete, path = "/machines/{name}", operation_id = "deleteMachine", tag = "machines",
    params(Deletion),
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn delete(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(params): Params<Deletion>,
) -> Answer<Response> {
    let (keep, wait) = (params.preserve_storage, params.wait);
    let order = Order::new("machine.delete", &name, &keep, key, Waiting { wait })?;
    act(&web, order, name, |machines, name, job| async move {
        let machine = machines.show(&name)?;
        let deleting = machines.delete(&machine.id, keep, &job.progress, &job.cancel);
        Box::pin(deleting).await?;
        Ok(json!({ "id": machine.id, "name": machine.name }))
    })
    .await
}
