//! `/service`: the daemon as a service of systemd.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sistemo::host::service::{self, Status};

use crate::cli::service::wanted;
use crate::web::Web;
use crate::web::api::extract::{Key, MaybeBody, Params, Waiting};
use crate::web::api::operations::{Operation, Order, begin, value};
use crate::web::api::problem::Answer;

/// Show the service
#[utoipa::path(get, path = "/service", operation_id = "showService", tag = "host",
    responses((status = 200, description = "The service; also where there is no systemd", body = Status)))]
pub(super) async fn status() -> Answer<Json<Status>> {
    Ok(Json(service::status().await?))
}

/// How the service is put in.
#[derive(Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Installation {
    /// Only from the next boot on.
    no_start: bool,
}

/// Put the service in
///
/// Or bring it up to date: this program, on this data directory. A daemon that was started by hand must end first, so that
/// this refuses where it is one that answers. The operation's result is the service.
#[utoipa::path(post, path = "/service", operation_id = "installService", tag = "host",
    request_body = Option<Installation>,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn install(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
    MaybeBody(body): MaybeBody<Installation>,
) -> Answer<Response> {
    let order = Order::new("service.install", "", &body, key, waiting)?;
    let engine = web.engine();
    begin(&web, order, async { Ok(()) }, |_| async move {
        let (machines, begun) = (engine.machines(), Instant::now());
        let service = wanted(engine.config());
        let installed = service::install(&service, !body.no_start, machines.supervisor()).await;
        let installed: sistemo::error::Result<_> = installed.map_err(Into::into);
        let tried = installed.as_ref().err();
        machines.note("service", "install", "sistemo", begun, tried);
        installed.map(value)
    })
    .await
}

/// Take the service out
///
/// The daemon ends with it if it is the service's; machines go on running. The operation's result is the service.
#[utoipa::path(delete, path = "/service", operation_id = "removeService", tag = "host",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn remove(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("service.remove", "", &(), key, waiting)?;
    let engine = web.engine();
    begin(&web, order, async { Ok(()) }, |_| async move {
        let (machines, begun) = (engine.machines(), Instant::now());
        let removed: sistemo::error::Result<bool> = service::remove().await.map_err(Into::into);
        if !matches!(removed, Ok(false)) {
            machines.note(
                "service",
                "remove",
                "sistemo",
                begun,
                removed.as_ref().err(),
            );
        }
        removed?;
        Ok(value(service::status().await?))
    })
    .await
}
