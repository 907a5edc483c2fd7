//! `/setup`: bringing what the daemon's computer lacks.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use sistemo::config::Config;
use sistemo::host::setup::{self, Action, Facts, Hypervisors};
use sistemo::machine::Paths;

use crate::cli::setup::make_keys;
use crate::web::Web;
use crate::web::api::blocking;
use crate::web::api::extract::{Key, Params, Waiting};
use crate::web::api::operations::{Operation, Order, begin, value};
use crate::web::api::problem::Answer;

/// Something that setup would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Lack {
    /// What would be done.
    action: String,
    /// With which commands.
    commands: Vec<String>,
    needs_root: bool,
}

fn lacking(config: &Config) -> Vec<Action> {
    let key_file = Paths::new(&config.data_dir).keys().join("id_ed25519");
    let facts = Facts::gather(
        &config.data_dir,
        config.kernel.as_deref(),
        &key_file,
        &Hypervisors::from(config),
    );
    setup::plan(&facts)
}

/// Show what the computer lacks
///
/// Nothing is done.
#[utoipa::path(get, path = "/setup", operation_id = "planSetup", tag = "host",
    responses((status = 200, description = "What setup would do", body = Vec<Lack>)))]
pub(super) async fn plan(State(web): State<Web>) -> Answer<Json<Vec<Lack>>> {
    let engine = web.engine();
    blocking(move || {
        let lack = |action: Action| Lack {
            action: action.says,
            commands: action.commands.iter().map(ToString::to_string).collect(),
            needs_root: action.needs_root,
        };
        let actions = lacking(engine.config()).into_iter();
        Ok(Json(actions.map(lack).collect()))
    })
    .await
}

/// Set the computer up
///
/// Brings what it lacks: packages, a guest kernel, keys. The operation's result is `[{"action"}]`, what was done.
#[utoipa::path(post, path = "/setup", operation_id = "setUp", tag = "host",
    responses(
        (status = 200, description = "It has ended", body = Operation),
        (status = 202, description = "It runs", body = Operation),
    ))]
pub(super) async fn carry_out(
    State(web): State<Web>,
    key: Key,
    Params(waiting): Params<Waiting>,
) -> Answer<Response> {
    let order = Order::new("setup", "", &(), key, waiting)?;
    let engine = web.engine();
    begin(&web, order, async { Ok(()) }, |job| async move {
        let config = engine.config();
        let actions = lacking(config);
        let key_file = Paths::new(&config.data_dir).keys().join("id_ed25519");
        let (progress, cancel) = (&job.progress, &job.cancel);
        setup::carry_out(
            &actions,
            &config.data_dir,
            &key_file,
            &make_keys,
            progress,
            cancel,
        )
        .await?;
        let done = actions
            .iter()
            .map(|action| json!({ "action": action.says }));
        Ok(value(done.collect::<Vec<_>>()))
    })
    .await
}
