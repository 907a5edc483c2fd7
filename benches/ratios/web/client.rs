//! A terminal as a program has it: frames over a WebSocket, acknowledged as they come.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Outcome;

use super::served::Served;

const DATA: u8 = 0;
const ACK: u8 = 2;
/// So much is acknowledged at once.
const ACK_EVERY: u64 = 32 << 10;

/// A shell in a machine.
pub(super) struct Terminal {
    socket: WebSocketStream<TcpStream>,
    /// How much has come, and how much of it was acknowledged.
    received: u64,
    acknowledged: u64,
}

impl Terminal {
    pub(super) async fn open(served: &Served<'_>, machine: &str) -> Outcome<Terminal> {
        let address = ("127.0.0.1", served.port);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!(
            "ws://127.0.0.1:{}/api/v1/machines/{machine}/terminal?cols=80&rows=24",
            served.port
        )
        .into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, served.authorization()?);
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("sistemo.terminal.v1"),
        );
        let (socket, _) = client_async(request, stream).await?;
        Ok(Terminal {
            socket,
            received: 0,
            acknowledged: 0,
        })
    }

    /// What the guest says next.
    pub(super) async fn next(&mut self) -> Outcome<Vec<u8>> {
        loop {
            let message = self.socket.next().await.ok_or("the terminal is closed")??;
            let Message::Binary(frame) = message else {
                if let Message::Close(why) = message {
                    return Err(format!("the terminal was closed: {why:?}").into());
                }
                continue;
            };
            if let Some((&DATA, data)) = frame.split_first() {
                self.received += data.len() as u64;
                if self.received - self.acknowledged >= ACK_EVERY {
                    self.acknowledged = self.received;
                    let mut frame = vec![ACK];
                    frame.extend(self.received.to_be_bytes());
                    self.socket.send(Message::Binary(frame.into())).await?;
                }
                return Ok(data.to_vec());
            }
        }
    }

    /// Types.
    pub(super) async fn send(&mut self, text: &str) -> Outcome<()> {
        let mut frame = vec![DATA];
        frame.extend(text.as_bytes());
        Ok(self.socket.send(Message::Binary(frame.into())).await?)
    }

    /// Reads until a text has come.
    pub(super) async fn until(&mut self, text: &str) -> Outcome<()> {
        let mut seen = String::new();
        while !seen.contains(text) {
            let keep = seen.len().saturating_sub(4 * text.len());
            seen = seen.get(keep..).unwrap_or_default().into();
            seen += &String::from_utf8_lossy(&self.next().await?);
        }
        Ok(())
    }
}
