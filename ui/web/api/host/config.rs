//! `/config`: settings.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sistemo::config::{Config, Shown};

use crate::web::Web;
use crate::web::api::blocking;
use crate::web::api::extract::{Body, Segment};
use crate::web::api::problem::{Answer, Problem};

/// A setting.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Setting {
    #[schema(example = "default_memory")]
    key: &'static str,
    /// As text; `null` when it is not set.
    #[schema(example = "512M")]
    value: Option<String>,
    /// Where it came from.
    #[schema(example = "default")]
    origin: String,
    meaning: &'static str,
}

impl From<&Shown> for Setting {
    fn from(shown: &Shown) -> Self {
        Setting {
            key: shown.key,
            value: Some(shown.value.clone()).filter(|value| !value.is_empty()),
            origin: shown.origin.to_string(),
            meaning: shown.meaning,
        }
    }
}

/// The settings as they are now, which the daemon may not have read yet.
fn settings(opened: &Config) -> Answer<Vec<Setting>> {
    let environment = |key: &str| std::env::var(key).ok();
    let now = Config::load(Some(opened.data_dir.clone()), &environment)?;
    // Which data directory it is was said when the daemon was started.
    let own = opened
        .shown()
        .iter()
        .filter(|shown| shown.key == "data_dir");
    let others = now.shown().iter().filter(|shown| shown.key != "data_dir");
    Ok(own.chain(others).map(Setting::from).collect())
}

/// One of them.
fn setting(opened: &Config, key: &str) -> Answer<Setting> {
    let mut settings = settings(opened)?.into_iter();
    let found = settings.find(|setting| setting.key == key);
    found.ok_or_else(|| sistemo::config::Error::NoSuchKey(key.into()).into())
}

/// Show all settings
///
/// As they are now. The daemon goes by what it has read last; it reads them again with SIGHUP.
#[utoipa::path(get, path = "/config", operation_id = "showConfig", tag = "host",
    responses((status = 200, description = "Settings", body = Vec<Setting>)))]
pub(super) async fn show(State(web): State<Web>) -> Answer<Json<Vec<Setting>>> {
    let engine = web.engine();
    blocking(move || settings(engine.config()).map(Json)).await
}

/// A value.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"value": "1G"}))]
pub(super) struct Change {
    /// Text, a number, or a list of texts.
    #[schema(value_type = String)]
    value: Value,
}

impl Change {
    fn text(self) -> Answer<String> {
        let wrong = || Problem::usage("value wants text, a number or a list of texts");
        match self.value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Array(values) => {
                let texts = values.iter().map(|value| value.as_str().ok_or_else(wrong));
                Ok(texts.collect::<Answer<Vec<_>>>()?.join(","))
            }
            _ => Err(wrong()),
        }
    }
}

/// Change a setting
///
/// In the data directory's file. Answers with the setting as it is now: the environment may still say otherwise.
#[utoipa::path(put, path = "/config/{name}", operation_id = "setConfig", tag = "host", request_body = Change,
    responses((status = 200, description = "The setting", body = Setting)))]
pub(super) async fn set(
    State(web): State<Web>,
    Segment(key): Segment,
    Body(body): Body<Change>,
) -> Answer<Json<Setting>> {
    let (engine, value) = (web.engine(), body.text()?);
    blocking(move || {
        known(&key)?;
        engine.config().set(&key, Some(&value))?;
        setting(engine.config(), &key).map(Json)
    })
    .await
}

/// Give a setting its default again
#[utoipa::path(delete, path = "/config/{name}", operation_id = "unsetConfig", tag = "host",
    responses((status = 200, description = "The setting", body = Setting)))]
pub(super) async fn unset(State(web): State<Web>, Segment(key): Segment) -> Answer<Json<Setting>> {
    let engine = web.engine();
    blocking(move || {
        known(&key)?;
        engine.config().set(&key, None)?;
        setting(engine.config(), &key).map(Json)
    })
    .await
}

/// Refuses a setting that there is not. To the command line that is wrong usage; here it is a thing that is not there.
fn known(key: &str) -> Answer<()> {
    if key == "data_dir" || Config::keys().any(|(known, _)| known == key) {
        return Ok(());
    }
    let unknown = Problem::from(sistemo::config::Error::NoSuchKey(key.into()));
    Err(unknown.with_status(axum::http::StatusCode::NOT_FOUND, "not_found"))
}
