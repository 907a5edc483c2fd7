//! `/machines`: everything that is done to machines and in them.

mod deploy;
mod exec;
mod files;
mod list;
mod logs;
mod ports;
mod power;
mod stats;
mod volumes;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use sistemo::event::Progress;
use sistemo::machine::{Machine, Machines};
use sistemo::value::Name;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use list::{Kept, Lists, machines};
pub(super) use stats::{Readings, measured};

use super::extract::{Body, Segment};
use super::operations::{Job, Order, begin};
use super::problem::Answer;
use super::words::word;
use super::{apart, blocking};
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(list::list, deploy::deploy))
        .routes(routes!(show, power::delete))
        .routes(routes!(power::start))
        .routes(routes!(power::stop))
        .routes(routes!(power::restart))
        .routes(routes!(power::pause))
        .routes(routes!(power::resume))
        .routes(routes!(rename))
        .routes(routes!(ports::expose))
        .routes(routes!(ports::unexpose))
        .routes(routes!(volumes::attach))
        .routes(routes!(volumes::detach))
        .routes(routes!(logs::logs))
        .routes(routes!(exec::exec))
        .routes(routes!(files::read, files::write))
        .routes(routes!(stats::one))
        .routes(routes!(stats::all))
}

/// One machine, if it is there. What follows is asked by its identifier: a name may be given to another meanwhile.
async fn find(web: &Web, name: &str) -> Answer<Machine> {
    let (engine, name) = (web.engine(), name.to_owned());
    blocking(move || Ok(engine.machines().show(&name)?)).await
}

/// Begins what is done to a machine, unless it is not there.
async fn act<W>(
    web: &Web,
    order: Order,
    name: String,
    work: impl FnOnce(Machines, String, Job) -> W,
) -> Answer<Response>
where
    W: Future<Output = sistemo::error::Result<Value>> + Send + 'static,
{
    let machines = web.engine().machines().clone();
    let check = async { find(web, &name).await.map(drop) };
    begin(web, order, check, |job| work(machines, name.clone(), job)).await
}

/// Show one machine
#[utoipa::path(get, path = "/machines/{name}", operation_id = "showMachine", tag = "machines",
    responses((status = 200, description = "The machine", body = Machine)))]
async fn show(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Machine>> {
    find(&web, &name).await.map(Json)
}

/// Another name.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Renaming)]
pub(super) struct Renaming {
    #[schema(
        example = "web-2",
        max_length = 63,
        pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    )]
    pub(super) name: String,
}

/// Give a machine another name
///
/// Its root volume is renamed with it. What is being done to the machine is waited for.
#[utoipa::path(post, path = "/machines/{name}/rename", operation_id = "renameMachine", tag = "machines",
    request_body = Renaming,
    responses((status = 200, description = "The machine under its new name", body = Machine)))]
async fn rename(
    State(web): State<Web>,
    Segment(name): Segment,
    Body(body): Body<Renaming>,
) -> Answer<Json<Machine>> {
    let new: Name = word("name", &body.name)?;
    let id = find(&web, &name).await?.id;
    apart(async move {
        let (progress, never) = (Progress::silent(), CancellationToken::new());
        let machines = web.engine().machines().clone();
        Ok(machines.rename(&id, &new, &progress, &never).await?)
    })
    .await
    .map(Json)
}
