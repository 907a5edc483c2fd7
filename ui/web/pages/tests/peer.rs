//! The other end of the page's WebSockets, which a test leads: it says what the test wants, keeps what is typed, and knows
//! sessions, flow control and replay as the contract has them.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

/// Bytes that may be unacknowledged.
const WINDOW: usize = 256 << 10;
const FRAME: usize = 32 << 10;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) stream: Vec<u8>,
    pub(super) acknowledged: usize,
    pub(super) typed: Vec<u8>,
    pub(super) size: (u16, u16),
    pub(super) again: usize,
    pub(super) closed: bool,
    /// How many have connected, and the offset that the last one has asked for.
    pub(super) connections: usize,
    pub(super) asked: Option<usize>,
    state: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) sessions: HashMap<String, Session>,
    /// The session that was opened last.
    pub(super) last: String,
    /// Nobody is let in.
    pub(super) closed: bool,
    pub(super) logged_in: bool,
    /// Tickets that are still good.
    pub(super) tickets: Vec<String>,
    pub(super) started: Vec<String>,
    pub(super) echoes: bool,
    cuts: usize,
}

impl Known {
    pub(super) fn session(&self) -> &Session {
        &self.sessions[&self.last]
    }
}

#[derive(Clone)]
pub(super) struct Peer(watch::Sender<Known>);

impl Peer {
    pub(super) fn new() -> Peer {
        Peer(watch::Sender::new(Known {
            tickets: vec!["good-ticket".into()],
            echoes: true,
            ..Known::default()
        }))
    }

    pub(super) fn known(&self) -> Known {
        self.0.borrow().clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut result = None;
        self.0.send_modify(|known| result = Some(change(known)));
        result.unwrap()
    }

    /// Waits until something holds of it.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Known) -> bool) {
        let mut seen = self.0.subscribe();
        let held = tokio::time::timeout(PATIENCE, seen.wait_for(|known| holds(known))).await;
        assert!(held.is_ok(), "never: {what}");
    }

    /// Prints in the session that was opened last.
    pub(super) fn prints(&self, bytes: impl AsRef<[u8]>) {
        self.change(|known| {
            let last = known.last.clone();
            let session = known.sessions.get_mut(&last).unwrap();
            session.stream.extend_from_slice(bytes.as_ref());
        });
    }

    /// Says how the shell is.
    pub(super) fn says(&self, state: Value) {
        self.change(|known| {
            let last = known.last.clone();
            known.sessions.get_mut(&last).unwrap().state = Some(state);
        });
    }

    /// Cuts all connections off.
    pub(super) fn cuts(&self) {
        self.change(|known| known.cuts += 1);
    }

    /// Serves a connection until it is gone.
    pub(super) async fn serve(
        self,
        mut socket: WebSocket,
        machine: Option<String>,
        asked: Option<(String, usize)>,
        size: (u16, u16),
    ) {
        let (id, number, cuts, offset, resumed) = self.change(|known| {
            let resumed = asked.filter(|(id, _)| known.sessions.contains_key(id));
            let new = format!("session-{}", known.sessions.len());
            let id = resumed.as_ref().map_or(new, |(id, _)| id.clone());
            let session = known.sessions.entry(id.clone()).or_default();
            session.connections += 1;
            session.size = size;
            session.asked = resumed.as_ref().map(|(_, offset)| *offset);
            session.state.get_or_insert(json!({ "state": "live" }));
            let offset = session.asked.unwrap_or(0).min(session.stream.len());
            let number = session.connections;
            known.last.clone_from(&id);
            (id, number, known.cuts, offset, resumed.is_some())
        });
        let kind = if machine.is_some() {
            "machine"
        } else {
            "console"
        };
        let hello = json!({ "session": id, "offset": offset, "resumed": resumed, "lost": 0, "kind": kind,
            "machine": machine, "id": machine.as_ref().map(|_| "0f8e") });
        if socket.send(frame(0x03, hello.to_string())).await.is_err() {
            return;
        }
        let mut seen = self.0.subscribe();
        let (mut sent, mut said) = (offset, None);
        loop {
            let session = seen.borrow_and_update().sessions[&id].clone_without_stream();
            if self.0.borrow().cuts > cuts {
                return;
            }
            if session.connections > number {
                let farewell = CloseFrame {
                    code: 4000,
                    reason: "taken over".into(),
                };
                let _ = socket.send(Message::Close(Some(farewell))).await;
                return;
            }
            if session.state != said {
                said.clone_from(&session.state);
                let state = said.clone().unwrap_or_default().to_string();
                if socket.send(frame(0x04, state)).await.is_err() {
                    return;
                }
                continue;
            }
            let room = WINDOW.saturating_sub(sent.saturating_sub(session.acknowledged));
            let data = {
                let known = self.0.borrow();
                let stream = &known.sessions[&id].stream;
                stream[sent..stream.len().min(sent + room.min(FRAME))].to_vec()
            };
            if !data.is_empty() {
                sent += data.len();
                if socket.send(frame(0x00, data)).await.is_err() {
                    return;
                }
            }
            let idle = self.0.borrow().sessions[&id].stream.len() == sent || room == 0;
            tokio::select! {
                biased;
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        if let Some(answer) = self.hears(&id, &bytes)
                            && socket.send(answer).await.is_err()
                        {
                            return;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return,
                },
                changed = seen.changed(), if idle => if changed.is_err() { return },
                () = std::future::ready(()), if !idle => {}
            }
        }
    }

    fn hears(&self, id: &str, bytes: &[u8]) -> Option<Message> {
        let (kind, rest) = bytes.split_first().expect("no empty frame");
        assert!(rest.len() <= FRAME, "a frame of {} bytes", rest.len());
        if *kind == 0x06 {
            return Some(frame(0x07, rest));
        }
        self.change(|known| {
            let echoes = known.echoes;
            let session = known.sessions.get_mut(id).unwrap();
            match kind {
                0x00 => {
                    session.typed.extend_from_slice(rest);
                    if echoes {
                        session.stream.extend_from_slice(rest);
                    }
                }
                0x01 => {
                    let two = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
                    session.size = (two(0), two(2));
                }
                0x02 => {
                    let offset = u64::from_be_bytes(rest.try_into().unwrap());
                    session.acknowledged = usize::try_from(offset).unwrap();
                    assert!(session.acknowledged <= session.stream.len());
                }
                0x05 => {
                    session.again += 1;
                    session.state = Some(json!({ "state": "live" }));
                }
                0x08 => session.closed = true,
                _ => panic!("a frame of kind {kind}"),
            }
        });
        None
    }
}

impl Session {
    fn clone_without_stream(&self) -> Session {
        Session {
            stream: Vec::new(),
            typed: Vec::new(),
            ..Session {
                acknowledged: self.acknowledged,
                size: self.size,
                again: self.again,
                closed: self.closed,
                connections: self.connections,
                asked: self.asked,
                state: self.state.clone(),
                ..Session::default()
            }
        }
    }
}

fn frame(kind: u8, body: impl AsRef<[u8]>) -> Message {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(body.as_ref());
    Message::Binary(bytes.into())
}
