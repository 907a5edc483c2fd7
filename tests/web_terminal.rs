//! Terminals in a browser, as far as a browser is not needed: the daemon's WebSockets, and real machines behind them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Image, Lab};

/// Longer than anything here takes, on an emulated machine too, so that what hangs fails.
const LONG: Duration = Duration::from_secs(180);

/// A daemon that serves, and somebody who has logged in.
struct Site {
    port: u16,
    cookie: String,
    key: String,
}

impl Site {
    async fn up(lab: &Lab) -> Site {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = unused.local_addr().unwrap().port();
        drop(unused);
        lab.run(&format!("up --detach --listen localhost:{port}"))
            .ok();
        let token = std::fs::read_to_string(lab.data_dir().join("web-token")).unwrap();
        let login = json!({ "token": token.trim() }).to_string();
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{login}",
            login.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let cookie = head
            .lines()
            .find_map(|line| {
                line.to_lowercase()
                    .starts_with("set-cookie: ")
                    .then(|| &line[12..])
            })
            .unwrap();
        let said: Value = serde_json::from_str(body).unwrap();
        Site {
            port,
            cookie: cookie.split(';').next().unwrap().into(),
            key: said["key"].as_str().unwrap().into(),
        }
    }

    /// Asks for a WebSocket as a page of this site does, but for what `key` and `origin` say.
    async fn connect(
        &self,
        path: &str,
        key: &str,
        origin: &str,
    ) -> Result<WebSocketStream<TcpStream>, Error> {
        let address = format!("ws://localhost:{}/api/v1/{path}", self.port);
        let mut request = address.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("cookie", self.cookie.parse().unwrap());
        headers.insert("origin", origin.parse().unwrap());
        let protocols = format!("sistemo.terminal.v1, sistemo.key.{key}");
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, answer) = client_async(request, stream).await?;
        assert_eq!(
            answer.headers()["sec-websocket-protocol"],
            "sistemo.terminal.v1"
        );
        Ok(socket)
    }

    async fn page(&self, path: &str) -> Page {
        let origin = format!("http://localhost:{}", self.port);
        let mut socket = self.connect(path, &self.key, &origin).await.unwrap();
        let first = timeout(LONG, socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let hello: Value = serde_json::from_slice(&first.into_data()[1..]).unwrap();
        Page {
            socket,
            offset: hello["offset"].as_u64().unwrap(),
            hello,
            text: String::new(),
        }
    }
}

struct Page {
    socket: WebSocketStream<TcpStream>,
    hello: Value,
    offset: u64,
    text: String,
}

impl Page {
    async fn send(&mut self, kind: u8, inside: &[u8]) {
        let message = [&[kind], inside].concat();
        let sending = self.socket.send(Message::Binary(message.into()));
        timeout(LONG, sending).await.unwrap().unwrap();
    }

    async fn types(&mut self, text: &str) {
        self.send(0, text.as_bytes()).await;
    }

    /// Takes the next message; the state, if it is that.
    async fn hears(&mut self) -> Option<Value> {
        let message = timeout(LONG, self.socket.next()).await.expect("silence");
        let message = message.expect("the connection is open").unwrap();
        let Message::Binary(message) = message else {
            assert!(message.is_ping(), "{message:?}");
            return None;
        };
        match message[0] {
            0 => {
                self.offset += message.len() as u64 - 1;
                self.text.push_str(&String::from_utf8_lossy(&message[1..]));
                self.send(2, &self.offset.to_be_bytes()).await;
                None
            }
            4 => Some(serde_json::from_slice(&message[1..]).unwrap()),
            kind => panic!("a message of kind {kind}"),
        }
    }

    /// Waits until it has been shown this.
    async fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + LONG;
        while !self.text.contains(text) {
            self.hears().await;
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.text);
        }
    }

    async fn becomes(&mut self, state: &str) -> Value {
        loop {
            if let Some(told) = self.hears().await
                && told["state"] == state
            {
                return told;
            }
        }
    }
}

/// Runs a command beside a page that goes on reading: one that says nothing for a minute is taken to be gone.
async fn run(lab: &Arc<Lab>, line: &'static str) {
    let lab = lab.clone();
    let done = tokio::task::spawn_blocking(move || lab.run(line).ok());
    done.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_a_terminal_in_a_machine() {
    let lab = Arc::new(Lab::new());
    let site = Site::up(&lab).await;
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name web")).ok();

    let mut page = site.page("machines/web/terminal?cols=100&rows=30").await;
    assert_eq!(
        (&page.hello["kind"], &page.hello["machine"]),
        (&"machine".into(), &"web".into())
    );
    page.becomes("live").await;
    page.types("PS1=; stty -echo; echo $((6 * 7)) $TERM $(stty size)\r")
        .await;
    page.shows("42 xterm-256color 30 100").await;
    let (cols, rows) = (70u16.to_be_bytes(), 20u16.to_be_bytes());
    page.send(1, &[cols, rows].concat()).await;
    page.types("until [ \"$(stty size)\" = '20 70' ]; do :; done; echo now $((20 * 70))\r")
        .await;
    page.shows("now 1400\r\n").await;

    // Cut off in the middle of much, it gets the rest, each byte once.
    page.text.clear();
    page.types("seq 1 60000; echo all of it\r").await;
    page.shows("\n2000\r").await;
    let session = page.hello["session"].as_str().unwrap().to_owned();
    let (offset, mut text) = (page.offset, std::mem::take(&mut page.text));
    drop(page);
    let back = format!("machines/web/terminal?session={session}&offset={offset}");
    let mut page = site.page(&back).await;
    assert_eq!(
        (&page.hello["resumed"], &page.hello["lost"]),
        (&true.into(), &0.into())
    );
    page.shows("all of it").await;
    text.push_str(&page.text);
    let counted: String = (1..=60_000).map(|number| format!("{number}\r\n")).collect();
    assert!(text.starts_with(&counted), "{} bytes", text.len());

    // A flood is ended at once.
    page.text.clear();
    page.types("yes\r").await;
    while page.text.len() < 2 << 20 {
        page.hears().await;
    }
    page.types("\u{3}").await;
    page.text.clear();
    page.types("echo over $((6 * 7))\r").await;
    page.shows("over 42").await;

    // It says when the machine stops, and has another shell when it is back.
    let (_, told) = tokio::join!(run(&lab, "machine stop web"), page.becomes("waiting"));
    assert!(told["message"].as_str().unwrap().contains("web"), "{told}");
    tokio::join!(run(&lab, "machine start web"), page.becomes("live"));
    page.text.clear();
    page.types("echo again $((6 * 7))\r").await;
    page.shows("again 42").await;
    page.types("exit 7\r").await;
    assert_eq!(page.becomes("ended").await["exit"], 7);
    page.send(5, &[]).await;
    page.becomes("live").await;

    // Without the key, or from a page of another site, there is none.
    let origin = format!("http://localhost:{}", site.port);
    for (key, origin) in [
        ("", &origin),
        ("x", &origin),
        (&site.key, &"http://localhost".into()),
    ] {
        let refused = site.connect("machines/web/terminal", key, origin).await;
        let Err(Error::Http(answer)) = refused else {
            panic!("{refused:?}");
        };
        assert!(matches!(answer.status().as_u16(), 401 | 403), "{answer:?}");
    }
    let log = lab.daemon_log();
    assert!(
        log.contains("terminal attached") && log.contains("web"),
        "{log}"
    );
    assert!(!log.contains(&site.key), "{log}");
    let (_, told) = tokio::join!(run(&lab, "machine delete web -y"), page.becomes("gone"));
    assert!(
        told["message"].as_str().unwrap().contains("deleted"),
        "{told}"
    );
    lab.run("down").ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_the_console() {
    let lab = Lab::bare();
    let site = Site::up(&lab).await;
    let mut page = site.page("console?cols=100&rows=30").await;
    assert_eq!(page.hello["kind"], "console");
    page.shows("Machines").await;
    let (cols, rows) = (60u16.to_be_bytes(), 20u16.to_be_bytes());
    page.text.clear();
    page.send(1, &[cols, rows].concat()).await;
    page.shows("Welcome").await;
    page.types("q").await;
    assert_eq!(page.becomes("ended").await["exit"], 0);
    page.send(5, &[]).await;
    page.becomes("live").await;
    lab.run("down").ok();
}
