//! Commands and the daemon of one data directory, and strangers between them.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Lab, Limits};
use crate::web::client::{Absent, Daemon};
use crate::web::server::{Served, folder};

#[tokio::test]
async fn a_command_gets_a_ticket_from_its_daemon() {
    let lab = Lab::new().await;
    assert!(matches!(
        Daemon::find(&lab.engine).await,
        Err(Absent::Down | Absent::Squatted(_))
    ));
    let _duty = lab.engine.machines().supervise().unwrap();
    let mut daemon = Daemon::find(&lab.engine).await.unwrap();
    assert_eq!(daemon.url(), lab.origin());
    let ticket = daemon.ticket().await.unwrap();
    let body = json!({ "ticket": ticket.ticket }).to_string();
    let headers = [("Content-Type", "application/json")];
    assert_eq!(
        lab.ask("POST /api/v1/session", &headers, &body)
            .await
            .status,
        200
    );
    lab.end().await;
}

#[tokio::test]
async fn the_same_over_tls() {
    let keys = tempfile::tempdir().unwrap();
    let file = keys.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    std::fs::write(&file, pem).unwrap();
    let lab = Lab::with(Limits::default(), |config| {
        config.tls_cert = Some(file.clone());
        config.tls_key = Some(file.clone());
    })
    .await;
    let _duty = lab.engine.machines().supervise().unwrap();
    let mut daemon = Daemon::find(&lab.engine).await.unwrap();
    assert_eq!(daemon.url(), format!("https://localhost:{}", lab.port));
    daemon.ticket().await.unwrap();
    // Without TLS nobody is answered.
    let answer = lab.ask("GET /healthz", &[], "").await;
    assert_ne!(answer.status, 200, "{answer:?}");

    // Another certificate is not taken.
    let mut served = Served::read(lab.dir.path(), std::process::id()).unwrap();
    served.fingerprint = Some("00".into());
    say(&lab, &served);
    assert!(matches!(
        Daemon::find(&lab.engine).await,
        Err(Absent::Foreign(..))
    ));
    lab.end().await;
}

/// Says that the daemon is where somebody else is.
fn say(lab: &Lab, served: &Served) {
    let file = folder(lab.dir.path()).join("served.json");
    std::fs::write(file, serde_json::to_vec(served).unwrap()).unwrap();
}

/// Somebody else at a port: passes on to `to` what comes, or answers by themselves, and writes down what they heard.
async fn stranger(to: Option<u16>) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            let read = socket.read(&mut bytes).await.unwrap_or(0);
            all.lock().unwrap().extend_from_slice(&bytes[..read]);
            match to {
                Some(port) => {
                    let mut true_one = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let asked = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    true_one.write_all(asked.as_bytes()).await.unwrap();
                    let read = true_one.read(&mut bytes).await.unwrap();
                    let _ = socket.write_all(&bytes[..read]).await;
                    let read = socket.read(&mut bytes).await.unwrap_or(0);
                    all.lock().unwrap().extend_from_slice(&bytes[..read]);
                }
                None => {
                    let body = "{\"proof\":\"AAAA\"}";
                    let length = body.len();
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    let _ = socket.write_all((head + body).as_bytes()).await;
                    let read = socket.read(&mut bytes).await.unwrap_or(0);
                    all.lock().unwrap().extend_from_slice(&bytes[..read]);
                }
            }
        }
    });
    (port, heard)
}

#[tokio::test]
async fn a_stranger_at_the_port_never_hears_the_token() {
    let lab = Lab::new().await;
    let _duty = lab.engine.machines().supervise().unwrap();
    let known = Served::read(lab.dir.path(), std::process::id()).unwrap();
    // The second asks the true one at its own port, which proves that, and not this.
    for to in [None, Some(lab.port)] {
        let (port, heard) = stranger(to).await;
        say(
            &lab,
            &Served {
                address: ([127, 0, 0, 1], port).into(),
                ..known.clone()
            },
        );
        let found = Daemon::find(&lab.engine).await.err();
        let why = match found {
            Some(Absent::Foreign(address, why)) => {
                assert_eq!(address.port(), port);
                why
            }
            other => panic!("{other:?}"),
        };
        assert!(why.contains("does not have the token"), "{why}");
        let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
        assert!(heard.contains("/api/v1/proof"), "{heard}");
        assert!(
            !heard.contains(&lab.token) && !heard.contains("Bearer"),
            "{heard}"
        );
    }
    lab.end().await;
}
