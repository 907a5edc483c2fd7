//! Coming in, and what becomes of those who are in.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Answer, Lab, Limits, PATIENCE};

const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn log_in(lab: &Lab, how: &str, secret: &str) -> Answer {
    let body = json!({ how: secret }).to_string();
    lab.ask("POST /api/v1/session", &[JSON], &body).await
}

#[tokio::test]
async fn a_ticket_lets_in_once() {
    let lab = Lab::new().await;
    let bearer = lab.bearer();
    let made = lab
        .ask("POST /api/v1/tickets", &[("Authorization", &bearer)], "")
        .await;
    assert_eq!(made.json()["expires_in"], 60);
    let ticket = made.json()["ticket"].as_str().unwrap().to_string();
    let answer = log_in(&lab, "ticket", &ticket).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.header("set-cookie");
    let name = format!("sistemo-{}=", lab.port);
    assert!(cookie.starts_with(&name), "{cookie}");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(answer.json()["expires_in"], 12 * 60 * 60);
    for (how, secret) in [
        ("ticket", ticket.as_str()),
        ("token", ticket.as_str()),
        ("ticket", &lab.token),
    ] {
        let answer = log_in(&lab, how, secret).await;
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (401, ""),
            "{how}"
        );
    }
    // A session makes tickets, too, for another browser.
    let login = lab.log_in().await;
    let origin = lab.origin();
    let headers = [
        ("Cookie", login.cookie.as_str()),
        ("Sistemo-Session-Key", login.key.as_str()),
        ("Origin", origin.as_str()),
    ];
    assert_eq!(
        lab.ask("POST /api/v1/tickets", &headers, "").await.status,
        200
    );
    lab.end().await;
}

#[tokio::test]
async fn who_fails_too_often_waits_and_shuts_nobody_else_out() {
    let lab = Lab::new().await;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = log_in(&lab, "token", "guess").await;
        match answer.status {
            401 => assert_eq!(refused, 0),
            429 => {
                refused += 1;
                let pause: u64 = answer.header("retry-after").parse().unwrap();
                assert!((1..=61).contains(&pause));
            }
            status => panic!("{status}"),
        }
    }
    assert!(refused >= 10, "{refused}");
    // The same address with a good one.
    let bearer = lab.bearer();
    assert_eq!(log_in(&lab, "token", &lab.token).await.status, 200);
    let answer = lab
        .ask("GET /api/v1/session", &[("Authorization", &bearer)], "")
        .await;
    assert_eq!(answer.status, 200);
    let answer = lab
        .ask("GET /api/v1/session", &[("Authorization", "Bearer x")], "")
        .await;
    assert_eq!(answer.status, 429);

    let history = lab.engine.machines().history(None, 100).unwrap();
    let logins: Vec<_> = history
        .iter()
        .filter(|row| row.target == "session")
        .collect();
    assert_eq!(logins[0].name, "127.0.0.1");
    assert!(logins[0].ok && logins[0].action == "login");
    let failed: Vec<_> = logins.iter().filter(|row| !row.ok).collect();
    assert_eq!(failed.len(), 20 - refused, "only those that were looked at");
    assert_eq!(failed[0].error.as_deref(), Some("a wrong token"));
    let all = format!("{history:?}");
    assert!(!all.contains("guess") && !all.contains(&lab.token));
    lab.end().await;
}

#[tokio::test]
async fn a_session_that_is_over_takes_what_it_began_along() {
    let lab = Lab::new().await;
    let login = lab.log_in().await;
    let mut stream = lab.connect().await;
    let session = [
        ("Cookie", login.cookie.as_str()),
        ("Sistemo-Session-Key", login.key.as_str()),
    ];
    let request = lab.request("GET /test/stream", &session, "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = String::new();
    while !said.contains("data: first") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(read > 0, "{said}");
        said += &String::from_utf8_lossy(&bytes[..read]);
    }
    let origin = lab.origin();
    let headers = [
        ("Cookie", login.cookie.as_str()),
        ("Sistemo-Session-Key", login.key.as_str()),
        ("Origin", origin.as_str()),
    ];
    let (mut socket, _) = open(&lab, &headers).await.unwrap();
    let answer = lab.ask("DELETE /api/v1/session", &headers, "").await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    super::read_all(&mut stream).await;
    let end = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    let answer = lab.ask("GET /api/v1/session", &headers, "").await;
    assert_eq!(answer.status, 401);
    lab.end().await;
}

type Opened = (WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>);

/// Opens a WebSocket with these headers.
async fn open(lab: &Lab, headers: &[(&'static str, &str)]) -> Result<Opened, Error> {
    let url = format!("ws://localhost:{}/test/socket", lab.port);
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    tokio_tungstenite::client_async(request, lab.connect().await).await
}

#[tokio::test]
async fn a_websocket_takes_an_origin_and_a_key() {
    let lab = Lab::new().await;
    let (login, own, bearer) = (lab.log_in().await, lab.origin(), lab.bearer());
    let key = format!("sistemo.terminal.v1, sistemo.key.{}", login.key);
    let wrong = format!("sistemo.terminal.v1, sistemo.key.{}", lab.token);
    let plain = "sistemo.terminal.v1";
    let cookie = ("Cookie", login.cookie.as_str());
    let protocol = |value| ("Sec-WebSocket-Protocol", value);
    for (what, headers, status) in [
        (
            "nobody",
            vec![("Origin", own.as_str()), protocol(plain)],
            401,
        ),
        (
            "no key",
            vec![cookie, ("Origin", &own), protocol(plain)],
            403,
        ),
        (
            "a wrong key",
            vec![cookie, ("Origin", &own), protocol(&wrong)],
            403,
        ),
        ("no Origin", vec![cookie, protocol(&key)], 403),
        (
            "Origin null",
            vec![cookie, ("Origin", "null"), protocol(&key)],
            403,
        ),
        (
            "a foreign Origin",
            vec![cookie, ("Origin", "http://evil.example"), protocol(&key)],
            403,
        ),
        (
            "a token and a foreign Origin",
            vec![
                ("Authorization", &bearer),
                ("Origin", "http://evil.example"),
                protocol(plain),
            ],
            403,
        ),
        (
            "a session",
            vec![cookie, ("Origin", &own), protocol(&key)],
            101,
        ),
        (
            "a program",
            vec![("Authorization", &bearer), protocol(plain)],
            101,
        ),
    ] {
        match open(&lab, &headers).await {
            Ok((mut socket, response)) => {
                assert_eq!(status, 101, "{what}");
                assert_eq!(response.headers()["sec-websocket-protocol"], plain);
                socket.send(Message::binary("hello")).await.unwrap();
                let answer = socket.next().await.unwrap().unwrap();
                assert_eq!(answer.into_data(), "hello");
            }
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{what}"),
            Err(error) => panic!("{what}: {error}"),
        }
    }
    lab.end().await;
}

#[tokio::test]
async fn an_answer_begins_in_time_or_is_given_up() {
    let limits = Limits {
        answer: Duration::from_millis(100),
        ..Limits::default()
    };
    let lab = Lab::with(limits, |_| ()).await;
    let bearer = lab.bearer();
    let caller = [("Authorization", bearer.as_str())];
    let answer = lab.ask("GET /test/never", &caller, "").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (504, &"timeout".into())
    );
    assert_eq!(lab.ask("GET /test/late", &caller, "").await.status, 200);
    let answer = lab.ask("GET /test/panic", &caller, "").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (500, &"failed".into())
    );
    assert_eq!(lab.ask("GET /healthz", &[], "").await.status, 200);
    lab.end().await;
}

#[tokio::test]
async fn strangers_take_no_places_from_callers() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let lab = Lab::with(limits, |_| ()).await;
    let bearer = lab.bearer();
    let request = lab.request("GET /test/stream", &[("Authorization", &bearer)], "");
    let mut caller = lab.connect().await;
    caller.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = [0; 64];
    assert!(caller.read(&mut bytes).await.unwrap() > 0);
    // They say nothing, and hold on to what they have.
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(lab.connect().await);
    }
    assert_eq!(lab.ask("GET /healthz", &[], "").await.status, 200);
    let first = strangers[0].read(&mut bytes);
    let first = tokio::time::timeout(PATIENCE, first).await.unwrap();
    assert!(matches!(first, Ok(0) | Err(_)), "the oldest made room");
    // The caller's stream goes on.
    let reading = async {
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("data: first") {
            let read = caller.read(&mut bytes).await.unwrap();
            assert!(read > 0, "it was closed");
            said.extend_from_slice(&bytes[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    lab.end().await;
}

#[tokio::test]
async fn the_end_waits_for_nobody() {
    let limits = Limits {
        farewell: Duration::from_millis(200),
        ..Limits::default()
    };
    let lab = Lab::with(limits, |_| ()).await;
    let bearer = lab.bearer();
    let mut streams = Vec::new();
    for path in ["/test/stream", "/test/never"] {
        let request = lab.request(&format!("GET {path}"), &[("Authorization", &bearer)], "");
        let mut stream = lab.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams.push(lab.connect().await);
    let served = super::super::folder(lab.dir.path()).join("served.json");
    assert!(served.exists());
    let port = lab.port;
    lab.end().await;
    assert!(!served.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
