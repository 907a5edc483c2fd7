//! The API on a real engine in a folder of the test's own, without a server: requests go into the router.

mod document;
mod events;
mod operations;
mod resources;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::Value;
use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::value::Scheme;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::web::Web;
use crate::web::access::{self, Access, Names};
use crate::web::server::routes::{not_so, nothing_there};

/// A data directory, and the API on it.
pub(super) struct Room {
    pub(super) web: Web,
    router: Router,
    folder: tempfile::TempDir,
}

impl Room {
    pub(super) fn new() -> Room {
        let folder = tempfile::tempdir().unwrap();
        let settings = |key: &str| match key {
            "SISTEMO_MIN_DISK_FREE" => Some("1M".to_owned()),
            _ => None,
        };
        let config = Config::load(Some(folder.path().join("data")), &settings).unwrap();
        let programs = Programs {
            guest: "/nonexistent/sistemo-guest".into(),
            own: "/nonexistent/sistemo".into(),
        };
        let engine = Engine::open(config, programs).unwrap();
        let (_, engine) = watch::channel(engine);
        let names = Names::new(Scheme::Http, 7777, Vec::new());
        let access = Access::open(&folder.path().join("data"), names, Scheme::Http, 7777).unwrap();
        let web = Web::new(engine, access, String::new(), CancellationToken::new());
        let counted = axum::middleware::from_fn_with_state(web.clone(), super::count);
        let router = super::routes()
            .merge(Router::from(access::routes()))
            .fallback(nothing_there)
            .method_not_allowed_fallback(not_so)
            .layer(counted)
            .with_state(web.clone());
        Room {
            web,
            router,
            folder,
        }
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The status and the JSON of an answer.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(request(method, path, body)).await;
        let status = answer.status().as_u16();
        (status, json(answer).await)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    /// Does what takes long, and waits for its end.
    pub(super) async fn finish(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, operation) = self.ask(method, &format!("{path}?wait=60"), body).await;
        assert_eq!(status, 200, "{path}: {operation}");
        operation
    }
}

pub(super) fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path);
    match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}

async fn bytes(answer: Response) -> Vec<u8> {
    axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap()
        .into()
}

/// The JSON of an answer; nothing of one without a body.
pub(super) async fn json(answer: Response) -> Value {
    let kind = answer.headers().get("content-type").cloned();
    let bytes = bytes(answer).await;
    match kind.as_ref().and_then(|kind| kind.to_str().ok()) {
        Some("application/json" | "application/problem+json") => {
            serde_json::from_slice(&bytes).unwrap()
        }
        _ => Value::Null,
    }
}

/// An event of a stream: its name, its identifier and its data.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) event: String,
    pub(super) id: String,
    pub(super) data: Value,
}

/// A stream of events, read one by one.
pub(super) struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Stream {
    pub(super) async fn open(room: &Room, path: &str, last: Option<&str>) -> Stream {
        let mut request = request("GET", path, None);
        if let Some(last) = last {
            request
                .headers_mut()
                .insert("last-event-id", last.parse().unwrap());
        }
        let answer = room.send(request).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(of(answer.headers(), "content-type"), "text/event-stream");
        Stream {
            body: answer.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; none at the end.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                let heard = Heard {
                    event: field("event:"),
                    id: field("id:"),
                    data: serde_json::from_str(&field("data:")).unwrap(),
                };
                self.text = rest.to_owned();
                return Some(heard);
            }
            let piece = self.body.next().await?.unwrap();
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }
}

pub(super) fn of(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.to_str().unwrap());
    value.unwrap_or_default().to_owned()
}
