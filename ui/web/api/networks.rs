//! `/networks`: networks of machines.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sistemo::machine::Network;
use sistemo::value::Name;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Body, Segment};
use super::problem::{Answer, Problem};
use super::words::{plain, word};
use super::{apart, blocking};
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(show, delete))
}

/// List networks
#[utoipa::path(get, path = "/networks", operation_id = "listNetworks", tag = "networks",
    responses((status = 200, description = "Networks, the default one first", body = Vec<Network>)))]
async fn list(State(web): State<Web>) -> Answer<Json<Vec<Network>>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.machines().networks()?))).await
}

/// Show one network
#[utoipa::path(get, path = "/networks/{name}", operation_id = "showNetwork", tag = "networks",
    responses((status = 200, description = "The network", body = Network)))]
async fn show(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Network>> {
    let engine = web.engine();
    blocking(move || Ok(Json(engine.machines().network(&name)?))).await
}

/// A network to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNetwork {
    #[schema(
        example = "lab",
        max_length = 63,
        pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    )]
    name: String,
    /// By default the first of 10.201.0.0/24 to 10.254.0.0/24 that nothing else uses.
    #[schema(example = "10.77.0.0/24")]
    subnet: Option<String>,
}

/// Make a network
#[utoipa::path(post, path = "/networks", operation_id = "createNetwork", tag = "networks", request_body = NewNetwork,
    responses((status = 201, description = "The network", body = Network)))]
async fn create(State(web): State<Web>, Body(body): Body<NewNetwork>) -> Answer<Response> {
    let name: Name = word("name", &body.name)?;
    let subnet = body.subnet.map(|subnet| plain("subnet", &subnet));
    let subnet = subnet.transpose().map_err(|problem: Problem| {
        problem.hint("a subnet is an address and the length of its prefix: 10.77.0.0/24")
    })?;
    let machines = web.engine().machines().clone();
    let made = apart(async move { Ok(machines.create_network(&name, subnet).await?) }).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/networks/{}", made.name));
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Delete a network
///
/// One that no machine is on, and not the default one.
#[utoipa::path(delete, path = "/networks/{name}", operation_id = "deleteNetwork", tag = "networks",
    responses((status = 204, description = "It is gone")))]
async fn delete(State(web): State<Web>, Segment(name): Segment) -> Answer<StatusCode> {
    let machines = web.engine().machines().clone();
    apart(async move {
        machines.delete_network(&name).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
