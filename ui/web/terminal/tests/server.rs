//! A server with terminals, and pages that connect to it.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Extension;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use sistemo::error::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{self, http};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use crate::shell::fake::{Fake, Guest, LONG, machine};
use crate::shell::{Machine, MachineState};
use crate::web::access::Caller;
use crate::web::terminal::frame::{FromPage, PROTOCOL};
use crate::web::terminal::known::Known;
use crate::web::terminal::program::Program;
use crate::web::terminal::{Sources, Terminals, attach};

/// One machine, of which a test says what becomes of it.
struct One(watch::Sender<Machine>);

#[async_trait]
impl Known for One {
    async fn machine(&self, name: &str) -> Result<watch::Receiver<Machine>> {
        let (id, known) = {
            let machine = self.0.borrow();
            (machine.id.clone(), machine.name.clone())
        };
        match name == id || name == known {
            true => Ok(self.0.subscribe()),
            false => Err(sistemo::machine::Error::Unknown(name.into()).into()),
        }
    }
}

pub struct Lab {
    pub address: SocketAddr,
    pub terminals: Terminals,
    machine: watch::Sender<Machine>,
    guests: mpsc::UnboundedReceiver<Guest>,
    pub stop: CancellationToken,
}

impl Lab {
    /// A server with the machine `web`, whose console is this program.
    pub async fn with(program: Program) -> Lab {
        let (fake, guests) = Fake::new();
        let machine = watch::Sender::new(machine("web", MachineState::Running));
        let stop = CancellationToken::new();
        let sources = Sources {
            machines: Arc::new(One(machine.clone())),
            guests: fake,
            console: Arc::new(program),
        };
        let terminals = Terminals::of(sources, stop.clone());
        let router = attach::router()
            .with_state(terminals.clone())
            .layer(Extension(Caller::Token));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Keys are short.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Lab {
            address,
            terminals,
            machine,
            guests,
            stop,
        }
    }

    pub async fn new() -> Lab {
        Lab::with(Program::new("/bin/cat")).await
    }

    pub fn machine_is(&self, state: MachineState) {
        self.machine.send_replace(machine("web", state));
    }

    /// The next shell that is asked for.
    pub async fn guest(&mut self) -> Guest {
        timeout(LONG, self.guests.recv()).await.unwrap().unwrap()
    }

    /// A page with a shell in it.
    pub async fn live(&mut self) -> (Page, Guest) {
        let mut page = Page::open(self, "machines/web/terminal").await;
        let mut guest = self.guest().await;
        guest.enter();
        page.becomes("live").await;
        (page, guest)
    }

    /// Asks for a WebSocket.
    pub async fn connect(
        &self,
        path: &str,
    ) -> tungstenite::Result<(WebSocketStream<TcpStream>, http::Response<Option<Vec<u8>>>)> {
        self.connect_speaking(path, &format!("sistemo.key.abc, {PROTOCOL}"))
            .await
    }

    pub async fn connect_speaking(
        &self,
        path: &str,
        protocols: &str,
    ) -> tungstenite::Result<(WebSocketStream<TcpStream>, http::Response<Option<Vec<u8>>>)> {
        let address = format!("ws://{}/api/v1/{path}", self.address);
        let mut request = address.into_client_request().unwrap();
        let protocols = protocols.parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocols);
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        client_async(request, stream).await
    }
}

/// What a page hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Data(Bytes),
    State(Value),
    Pong(u64),
    Closed(u16, String),
    /// The connection is gone.
    Gone,
}

/// A page.
pub struct Page {
    pub socket: WebSocketStream<TcpStream>,
    pub hello: Value,
    /// How much of the stream it has.
    pub offset: u64,
    pub text: Vec<u8>,
}

impl Page {
    pub async fn open(lab: &Lab, path: &str) -> Page {
        let (mut socket, answer) = lab.connect(path).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], PROTOCOL);
        let first = timeout(LONG, socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let first = first.into_data();
        assert_eq!(first[0], 3, "{first:?}");
        let hello: Value = serde_json::from_slice(&first[1..]).unwrap();
        Page {
            socket,
            offset: hello["offset"].as_u64().unwrap(),
            hello,
            text: Vec::new(),
        }
    }

    /// Comes back to a session.
    pub async fn again(lab: &Lab, path: &str, session: &str, offset: u64) -> Page {
        Page::open(lab, &format!("{path}?session={session}&offset={offset}")).await
    }

    pub fn session(&self) -> String {
        self.hello["session"].as_str().unwrap().into()
    }

    pub async fn send(&mut self, message: FromPage) {
        self.send_bytes(message.encode()).await;
    }

    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) {
        let sending = self.socket.send(Message::Binary(bytes.into()));
        timeout(LONG, sending).await.unwrap().unwrap();
    }

    pub async fn types(&mut self, text: &str) {
        self.send(FromPage::Data(Bytes::copy_from_slice(text.as_bytes())))
            .await;
    }

    pub async fn acknowledge(&mut self) {
        self.send(FromPage::Ack(self.offset)).await;
    }

    /// The next thing that it hears.
    pub async fn hears(&mut self) -> Heard {
        loop {
            let message = match timeout(LONG, self.socket.next()).await.expect("silence") {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return Heard::Gone,
            };
            let message = match message {
                Message::Binary(message) => message,
                Message::Close(Some(frame)) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Message::Ping(_) => continue,
                other => panic!("{other:?}"),
            };
            let inside = message.slice(1..);
            return match message[0] {
                0 => {
                    self.offset += inside.len() as u64;
                    self.text.extend_from_slice(&inside);
                    assert!(message.len() <= 64 << 10);
                    Heard::Data(inside)
                }
                4 => Heard::State(serde_json::from_slice(&inside).unwrap()),
                7 => Heard::Pong(u64::from_be_bytes(inside[..].try_into().unwrap())),
                kind => panic!("a message of kind {kind}"),
            };
        }
    }

    /// Reads, and draws, until it is told this state, and gives all of it.
    pub async fn becomes(&mut self, state: &str) -> Value {
        loop {
            match self.hears().await {
                Heard::State(told) if told["state"] == state => return told,
                Heard::State(_) | Heard::Pong(_) => {}
                Heard::Data(_) => self.acknowledge().await,
                end => panic!("{end:?} before it is {state}"),
            }
        }
    }

    /// Reads, and draws, until it has been shown this.
    pub async fn shows(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.text).contains(text) {
            match self.hears().await {
                Heard::Data(_) => self.acknowledge().await,
                Heard::State(_) | Heard::Pong(_) => {}
                end => panic!(
                    "{end:?} before {text:?}, after {:?}",
                    String::from_utf8_lossy(&self.text)
                ),
            }
        }
    }

    /// Reads until the connection ends, and gives how it was closed.
    pub async fn is_closed(&mut self) -> Heard {
        loop {
            if let closed @ (Heard::Closed(..) | Heard::Gone) = self.hears().await {
                return closed;
            }
        }
    }
}
