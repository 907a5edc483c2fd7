//! `GET /machines`, of a thousand machines as quickly as of one.
//!
//! The list is kept as it was answered, with the version of the database that it was read from. Whoever asks pays for
//! reading it only after something was committed, and those that ask meanwhile wait for the same reading. So a client
//! that was told of a change sees it in the next list. What no commit tells of, the space that disks take, is read again
//! in the background when it is [`STALE`].

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sistemo::engine::Engine;
use sistemo::machine::Machine;
use sistemo::store::Versions;
use sistemo::store::machines::Status;

use crate::web::Web;
use crate::web::api::blocking;
use crate::web::api::extract::Params;
use crate::web::api::problem::Answer;
use crate::web::negotiation::{is_known, takes};

/// How old what is kept may be, as far as no commit tells of it.
const STALE: Duration = Duration::from_secs(15);
/// Less than this is not worth being made smaller.
const SMALL: usize = 4 << 10;

/// The list of machines as it was read last.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    versions: OnceLock<Versions>,
    kept: Mutex<Option<Arc<Kept>>>,
    /// Held by whoever reads it.
    reading: tokio::sync::Mutex<()>,
    /// Whether it is being read again in the background.
    renewing: AtomicBool,
}

/// A list, and which version of the database it is of.
#[derive(Debug)]
pub(crate) struct Kept {
    version: i64,
    read: Instant,
    pub(crate) machines: Vec<Machine>,
    /// Without those that are being deleted.
    usual: Text,
    all: Text,
}

/// A list as it is answered.
#[derive(Debug)]
struct Text {
    plain: Bytes,
    small: OnceLock<Bytes>,
    tag: HeaderValue,
}

impl Text {
    fn of(machines: &[&Machine]) -> Text {
        // Plain structs with string keys always have a JSON form.
        let plain = Bytes::from(serde_json::to_vec(machines).unwrap_or_default());
        let mut tag = String::from("W/\"");
        for byte in &Sha256::digest(&plain)[..16] {
            // Writing to memory cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        Text {
            plain,
            small: OnceLock::new(),
            tag: HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("W/\"\"")),
        }
    }

    /// The same with gzip.
    fn small(&self) -> Bytes {
        let make = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Nor can it fail to write to memory.
            let _ = encoder.write_all(&self.plain);
            Bytes::from(encoder.finish().unwrap_or_default())
        };
        self.small.get_or_init(make).clone()
    }
}

impl Kept {
    fn read(engine: &Engine, version: i64) -> Answer<Kept> {
        let machines = engine.machines().list()?;
        let usual: Vec<_> = (machines.iter())
            .filter(|machine| machine.status != Status::Deleting)
            .collect();
        let all: Vec<_> = machines.iter().collect();
        Ok(Kept {
            version,
            read: Instant::now(),
            usual: Text::of(&usual),
            all: Text::of(&all),
            machines,
        })
    }
}

impl Lists {
    /// The version of the database as it is now.
    pub(crate) fn version(&self, engine: &Engine) -> Answer<i64> {
        let versions = match self.versions.get() {
            Some(versions) => versions,
            None => {
                let opened = engine.store().versions()?;
                self.versions.get_or_init(|| opened)
            }
        };
        Ok(versions.now()?)
    }

    fn kept(&self) -> Option<Arc<Kept>> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn read(&self, engine: Engine, version: i64) -> Answer<Arc<Kept>> {
        let kept = Arc::new(blocking(move || Kept::read(&engine, version)).await?);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        Ok(kept)
    }
}

/// Every machine as it is now.
pub(crate) async fn machines(web: &Web) -> Answer<Arc<Kept>> {
    let (lists, engine) = (&web.api().lists, web.engine());
    let version = lists.version(&engine)?;
    if let Some(kept) = lists.kept().filter(|kept| kept.version == version) {
        if kept.read.elapsed() > STALE && !lists.renewing.swap(true, Ordering::Relaxed) {
            let web = web.clone();
            tokio::spawn(async move {
                let lists = &web.api().lists;
                let _alone = lists.reading.lock().await;
                // One that cannot be read is told to whoever asks after the next commit.
                if let Ok(version) = lists.version(&engine) {
                    let _ = lists.read(engine, version).await;
                }
                lists.renewing.store(false, Ordering::Relaxed);
            });
        }
        return Ok(kept);
    }
    let _alone = lists.reading.lock().await;
    // Somebody may have read it while this waited.
    let version = lists.version(&engine)?;
    match lists.kept().filter(|kept| kept.version == version) {
        Some(kept) => Ok(kept),
        None => lists.read(engine, version).await,
    }
}

/// Which machines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Also those that are being deleted.
    #[serde(default)]
    all: bool,
}

/// List machines
///
/// By name. An answer has an `ETag`; with it in `If-None-Match` a list that is the same is not sent again. The space that
/// disks take may be some seconds old.
#[utoipa::path(get, path = "/machines", operation_id = "listMachines", tag = "machines", params(Which),
    responses(
        (status = 200, description = "Machines", body = Vec<Machine>),
        (status = 304, description = "As they were"),
    ))]
pub(super) async fn list(
    State(web): State<Web>,
    Params(which): Params<Which>,
    headers: HeaderMap,
) -> Answer<Response> {
    let kept = machines(&web).await?;
    let text = if which.all { &kept.all } else { &kept.usual };
    let tag = (header::ETAG, text.tag.clone());
    let vary = (header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_known(&headers, text.tag.to_str().unwrap_or_default()) {
        return Ok((StatusCode::NOT_MODIFIED, [tag, vary]).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    let kind = (header::CONTENT_TYPE, json);
    if text.plain.len() < SMALL || !takes(&headers, "gzip") {
        return Ok(([tag, vary, kind], text.plain.clone()).into_response());
    }
    let gzip = HeaderValue::from_static("gzip");
    let encoding = (header::CONTENT_ENCODING, gzip);
    let body = match text.small.get() {
        Some(small) => small.clone(),
        None => {
            let (kept, all) = (kept.clone(), which.all);
            let make = move || {
                Ok(if all {
                    kept.all.small()
                } else {
                    kept.usual.small()
                })
            };
            blocking(make).await?
        }
    };
    Ok(([tag, vary, kind, encoding], body).into_response())
}
