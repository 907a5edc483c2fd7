//! What machines take of the host.
//!
//! What is per second is the difference of two readings. The last reading is kept, so that whoever asks again and again
//! waits for the first only.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use sistemo::machine::{Reading, Stats};

use super::find;
use crate::web::Web;
use crate::web::api::blocking;
use crate::web::api::extract::{Params, Segment};
use crate::web::api::problem::{Answer, Problem};

/// How far two readings lie apart, at least.
const APART: Duration = Duration::from_secs(1);
/// How old a reading may be that another is compared with.
const OLD: Duration = Duration::from_secs(60);

/// The last reading of all machines.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<Option<(Instant, Arc<Reading>)>>);

impl Readings {
    /// One that another can be compared with.
    fn before(&self) -> Option<Arc<Reading>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, reading) = kept.as_ref()?;
        (APART..OLD)
            .contains(&at.elapsed())
            .then(|| reading.clone())
    }

    fn keep(&self, reading: &Arc<Reading>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is too new to be compared with stays, lest whoever asks often never gets one.
        if kept.as_ref().is_none_or(|(at, _)| at.elapsed() >= APART) {
            *kept = Some((Instant::now(), reading.clone()));
        }
    }
}

async fn read(web: &Web) -> Answer<Arc<Reading>> {
    Ok(Arc::new(web.engine().machines().measure(None).await?))
}

/// What every machine takes, since its start and, where that was read lately, per second.
pub(crate) async fn measured(web: &Web) -> Answer<Vec<Stats>> {
    let readings = &web.api().readings;
    let before = readings.before();
    let now = read(web).await?;
    let stats = now.since(before.as_ref().unwrap_or(&now));
    readings.keep(&now);
    Ok(stats)
}

/// The same with what is per second in any case.
async fn compared(web: &Web) -> Answer<Vec<Stats>> {
    let readings = &web.api().readings;
    let before = match readings.before() {
        Some(before) => before,
        None => {
            let first = read(web).await?;
            tokio::time::sleep(APART).await;
            first
        }
    };
    let now = read(web).await?;
    let stats = now.since(&before);
    readings.keep(&now);
    Ok(stats)
}

/// Which machines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Names or identifiers, comma-separated; every machine when absent.
    #[param(example = "web")]
    machines: Option<String>,
}

/// What machines take of the host
///
/// Since their start, and per second over the last second or since the last such request. It may take a second.
#[utoipa::path(get, path = "/stats", operation_id = "machinesStats", tag = "machines", params(Which),
    responses((status = 200, description = "What each takes", body = Vec<Stats>)))]
pub(super) async fn all(
    State(web): State<Web>,
    Params(which): Params<Which>,
) -> Answer<Json<Vec<Stats>>> {
    let only: Option<HashSet<String>> = match which.machines {
        None => None,
        Some(names) => {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            let engine = web.engine();
            let ids = blocking(move || Ok(engine.machines().identifiers(&names)?)).await?;
            Some(ids.iter().map(ToString::to_string).collect())
        }
    };
    let mut stats = compared(&web).await?;
    stats.retain(|stats| only.as_ref().is_none_or(|only| only.contains(&stats.id)));
    Ok(Json(stats))
}

/// What a machine takes of the host
///
/// Since its start, and per second over the last second or since the last such request. It may take a second.
#[utoipa::path(get, path = "/machines/{name}/stats", operation_id = "machineStats", tag = "machines",
    responses((status = 200, description = "What it takes", body = Stats)))]
pub(super) async fn one(State(web): State<Web>, Segment(name): Segment) -> Answer<Json<Stats>> {
    let id = find(&web, &name).await?.id;
    let mut stats = compared(&web).await?.into_iter();
    match stats.find(|stats| stats.id == id) {
        Some(stats) => Ok(Json(stats)),
        None => Err(Problem::from(sistemo::machine::Error::Unknown(name))),
    }
}
