//! The daemon and its computer: what it is, whether all is well, what was done, settings, setup and service.

mod config;
mod service;
mod setup;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sistemo::host::doctor::{self, Check};
use sistemo::store::history::HistoryRow;
use sistemo::store::machines::Status;
use sistemo::vmm;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::blocking;
use super::extract::Params;
use super::machines::machines;
use super::problem::{Answer, Problem};
use crate::web::Web;

pub(super) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::default()
        .routes(routes!(info))
        .routes(routes!(examine))
        .routes(routes!(history))
        .routes(routes!(config::show))
        .routes(routes!(config::set, config::unset))
        .routes(routes!(setup::plan, setup::carry_out))
        .routes(routes!(service::status, service::install, service::remove))
}

/// The daemon and its computer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Info {
    #[schema(example = "sistemo")]
    product: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The daemon's process.
    pid: u32,
    data_dir: String,
    host: Host,
    machines: Vec<Count>,
    volumes: usize,
    images: usize,
    networks: usize,
}

/// The computer that machines run on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Host {
    name: String,
    /// Processors.
    cpus: usize,
    memory_bytes: u64,
    memory_available_bytes: u64,
    /// `kvm` or `tcg` (software emulation).
    accelerator: String,
    /// Why that one.
    accelerator_reason: String,
}

/// How many machines have a status.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Count {
    status: Status,
    count: usize,
}

/// Show what the daemon is and how much there is of everything
#[utoipa::path(get, path = "/info", operation_id = "showInfo", tag = "host",
    responses((status = 200, description = "The daemon and its computer", body = Info)))]
async fn info(State(web): State<Web>) -> Answer<Json<Info>> {
    let kept = machines(&web).await?;
    let engine = web.engine();
    blocking(move || {
        let config = engine.config();
        let memory = sistemo::host::memory()?;
        let probe = vmm::choose(config.accelerator, &config.data_dir);
        let count = |status: &Status| {
            let with = kept
                .machines
                .iter()
                .filter(|machine| machine.status == *status);
            with.count()
        };
        let counts = Status::ALL.map(|status| Count {
            status,
            count: count(&status),
        });
        let name = nix::unistd::gethostname().unwrap_or_default();
        Ok(Json(Info {
            product: "sistemo",
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            data_dir: config.data_dir.display().to_string(),
            host: Host {
                name: name.to_string_lossy().into_owned(),
                cpus: std::thread::available_parallelism().map_or(1, usize::from),
                memory_bytes: memory.total.as_u64(),
                memory_available_bytes: memory.available.as_u64(),
                accelerator: probe.accelerator.to_string(),
                accelerator_reason: probe.reason,
            },
            machines: counts.into(),
            volumes: engine.machines().volumes()?.len(),
            images: engine.images().list()?.len(),
            networks: engine.machines().networks()?.len(),
        }))
    })
    .await
}

/// Check everything
///
/// It takes a second or two. Each check says how to mend what is wrong.
#[utoipa::path(get, path = "/doctor", operation_id = "examineHost", tag = "host",
    responses((status = 200, description = "What was looked at", body = Vec<Check>)))]
async fn examine(State(web): State<Web>) -> Json<Vec<Check>> {
    let subject = crate::cli::doctor::subject(web.engine().config());
    Json(doctor::examine(&subject).await)
}

/// How much of the history, and of what.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// How many entries; 50 when absent.
    #[param(minimum = 1, maximum = 20000)]
    limit: Option<u32>,
    /// Only what was done to this machine.
    #[param(example = "web")]
    machine: Option<String>,
}

/// Show what was done, by whom and how it ended
///
/// The latest last.
#[utoipa::path(get, path = "/history", operation_id = "showHistory", tag = "host", params(Part),
    responses((status = 200, description = "What was done", body = Vec<HistoryRow>)))]
async fn history(
    State(web): State<Web>,
    Params(part): Params<Part>,
) -> Answer<Json<Vec<HistoryRow>>> {
    let limit = part.limit.unwrap_or(50);
    if !(1..=20_000).contains(&limit) {
        return Err(Problem::usage("limit is from 1 to 20000"));
    }
    let engine = web.engine();
    blocking(move || {
        let mut rows = engine.machines().history(part.machine.as_deref(), limit)?;
        rows.reverse();
        Ok(Json(rows))
    })
    .await
}
