//! The server as it is: real sockets, a real engine on a data directory of its own, and requests written by hand, since
//! what is to be refused is what no library writes.

mod attacks;
mod door;
mod neighbours;
mod routes;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::WebSocketUpgrade;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use sistemo::config::Config;
use sistemo::engine::{Engine, Programs};
use sistemo::value::Address;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Limits, Server, Unhurried};
use crate::web::access::token;
use crate::web::{Web, rooms};

/// How long anything may take on a computer that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of a test's own.
struct Lab {
    dir: tempfile::TempDir,
    engine: Engine,
    port: u16,
    token: String,
    /// What was done by requests to `/test/change`.
    done: Arc<AtomicUsize>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

/// Somebody who has logged in.
struct Login {
    cookie: String,
    key: String,
}

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The value of a header; empty if there is none.
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        line.unwrap_or_default()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Lab {
    async fn new() -> Lab {
        Lab::with(Limits::default(), |_| ()).await
    }

    async fn with(limits: Limits, settings: impl FnOnce(&mut Config)) -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::load(Some(dir.path().into()), &|_| None).unwrap();
        settings(&mut config);
        let programs = Programs {
            guest: "/nonexistent/sistemo-guest".into(),
            own: "/nonexistent/sistemo".into(),
        };
        let engine = Engine::open(config, programs).unwrap();
        let (_current, shown) = watch::channel(engine.clone());
        let done = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let listen = Address {
            host: "localhost".into(),
            port: 0,
        };
        let rooms = rooms().merge(room(&done));
        let server = Server::of_rooms(rooms, shown, &listen, limits, stop.clone());
        let server = server.await.unwrap();
        let token = token::read(dir.path()).unwrap().unwrap();
        Lab {
            port: server.served().address.port(),
            token: token.as_str().into(),
            engine,
            done,
            running: tokio::spawn(server.run()),
            stop,
            dir,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends something and reads until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // A server that has read enough may close before it has all of it.
        let _ = stream.write_all(request.as_bytes()).await;
        read_all(&mut stream).await
    }

    /// Sends one request and reads its answer.
    async fn send(&self, request: &str) -> Answer {
        parse(&self.raw(request).await)
    }

    /// A request as text, with this server's `Host` unless there is another.
    fn request(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text = format!("{line} HTTP/1.1\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            text += &format!("Host: localhost:{}\r\n", self.port);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text + "Connection: close\r\n\r\n" + body
    }

    async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(&self.request(line, headers, body)).await
    }

    fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Logs in as a page does.
    async fn log_in(&self) -> Login {
        let body = serde_json::json!({ "token": self.token }).to_string();
        let origin = self.origin();
        let headers = [
            ("Content-Type", "application/json"),
            ("Origin", origin.as_str()),
        ];
        let answer = self.ask("POST /api/v1/session", &headers, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        Login {
            cookie: cookie.into(),
            key: answer.json()["key"].as_str().unwrap().into(),
        }
    }

    /// How often something was done.
    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Ends the server as the daemon does.
    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.running)
            .await
            .unwrap()
            .unwrap();
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    // A reset after an answer is no less of an answer.
    let _ = tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an end");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        // 0 of a connection that was closed without a word.
        status: status.unwrap_or(0),
        head: head.into(),
        body: body.into(),
    }
}

/// A room for what the others do not have.
fn room(done: &Arc<AtomicUsize>) -> Router<Web> {
    let done = Arc::clone(done);
    let change = move || async move {
        done.fetch_add(1, Ordering::SeqCst);
        "done"
    };
    let socket = |upgrade: WebSocketUpgrade| async move {
        upgrade
            .protocols(["sistemo.terminal.v1"])
            .on_upgrade(|mut socket| async move {
                while let Some(Ok(message)) = socket.recv().await {
                    let _ = socket.send(message).await;
                }
            })
    };
    Router::new()
        .route("/test/change", post(change.clone()).put(change))
        .route("/test/panic", get(|| async { panic!("on purpose") as () }))
        .route("/test/never", get(std::future::pending::<()>))
        .route(
            "/test/late",
            get(|_: Unhurried| async { tokio::time::sleep(Duration::from_millis(300)).await }),
        )
        .route("/test/upload", post(upload))
        .route("/test/stream", get(stream))
        .route("/test/socket", get(socket))
}

/// Takes a body in piece by piece, however long.
async fn upload(_: Unhurried, body: Body) -> String {
    let mut pieces = body.into_data_stream();
    let mut length = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        length += piece.len();
    }
    length.to_string()
}

async fn stream() -> Response {
    let events = futures_util::stream::iter([Ok::<_, std::io::Error>("data: first\n\n")]);
    let events = events.chain(futures_util::stream::pending());
    let content = [(CONTENT_TYPE, "text/event-stream")];
    (content, Body::from_stream(events)).into_response()
}
