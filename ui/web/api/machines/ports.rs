//! Ports of the host that lead into machines.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sistemo::value::PortMapping;

use super::act;
use crate::web::Web;
use crate::web::api::extract::{Body, Key, Params, Segment, Waiting};
use crate::web::api::operations::{Operation, Order, value};
use crate::web::api::problem::Answer;
use crate::web::api::words::word;

/// A port of the host, and where it leads.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exposure {
    /// `8080:80`, `80`, or `53:53/udp`.
    #[schema(
        example = "8080:80",
        pattern = "^([1-9][0-9]{0,3}:)?[1-9][0-9]{0,3}(/tcp|/udp)?$"
    )]
    port: String,
}

/// Have a port of the host lead into a machine
///
/// At once if it runs, and at every start from now on. The operation's result is the machine.
#[utoipa::path(post, path = "/machines/{name}/expose", operation_id = "exposePort", tag = "machines",
    request_body = Exposure,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn expose(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Exposure>,
) -> Answer<Response> {
    let order = Order::new("machine.expose", &name, &body, key, waiting)?;
    let port: PortMapping = word("port", &body.port)?;
    act(&web, order, name, move |machines, name, job| async move {
        let exposing = machines.expose(&name, &port, &job.progress, &job.cancel);
        Ok(value(exposing.await?))
    })
    .await
}

/// Take a port of the host back from a machine
///
/// The one of that number, or the only one that leads to the port of that number inside. The operation's result is the
/// machine.
#[utoipa::path(post, path = "/machines/{name}/unexpose", operation_id = "unexposePort", tag = "machines",
    request_body = Exposure,
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn unexpose(
    State(web): State<Web>,
    Segment(name): Segment,
    key: Key,
    Params(waiting): Params<Waiting>,
    Body(body): Body<Exposure>,
) -> Answer<Response> {
    let order = Order::new("machine.unexpose", &name, &body, key, waiting)?;
    let port: PortMapping = word("port", &body.port)?;
    act(&web, order, name, move |machines, name, job| async move {
        let taking = machines.unexpose(&name, &port, &job.progress, &job.cancel);
        Ok(value(taking.await?))
    })
    .await
}
