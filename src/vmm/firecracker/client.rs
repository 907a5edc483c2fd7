//! A client of Firecracker's API: HTTP/1.1 on a Unix socket, one request after the other on one connection.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use super::Version;
use super::body::{Fault, FirecrackerVersion, MachineConfigShown};
use super::plan::Call;
use crate::vmm::error::Error;

/// The longest answer that is read, in bytes; errors are a line or two.
const LONGEST: usize = 64 << 10;
/// How long an answer may take. Making the machine is quick; a host that swaps may need longer.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection.
pub(super) struct Client {
    sender: SendRequest<String>,
}

impl Client {
    /// Over a connected socket.
    pub(super) async fn new(stream: UnixStream) -> Result<Self, Error> {
        let (sender, connection) =
            handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Error::Control {
                    act: "speak",
                    source: io::Error::other(error),
                })?;
        // It ends with the sender, or with Firecracker; what went wrong is the answer to the request then.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Client { sender })
    }

    /// Carries out a call.
    ///
    /// # Errors
    ///
    /// [`Error::Api`] when it is refused, with the call and Firecracker's own words; [`Error::Broken`] when there is no
    /// answer to it.
    pub(super) async fn call(&mut self, call: &Call) -> Result<(), Error> {
        self.call_within(call, ANSWER).await
    }

    /// The version of the Firecracker at the other end.
    pub(super) async fn version(&mut self) -> Result<Version, Error> {
        let call = Call::version();
        let said: FirecrackerVersion = self.ask(&call, ANSWER).await?;
        Version::numbered(&said.firecracker_version).ok_or_else(|| unclear(&call))
    }

    /// The machine's processors and memory; the answer may take as long as `limit`.
    pub(super) async fn machine_config(
        &mut self,
        limit: Duration,
    ) -> Result<MachineConfigShown, Error> {
        self.ask(&Call::machine_config(), limit).await
    }

    async fn ask<T: DeserializeOwned>(&mut self, call: &Call, limit: Duration) -> Result<T, Error> {
        let answer = self.answer(call, limit).await?;
        serde_json::from_slice(&answer).map_err(|_| unclear(call))
    }

    /// As [`Client::call`], for what takes longer.
    pub(super) async fn call_within(&mut self, call: &Call, limit: Duration) -> Result<(), Error> {
        self.answer(call, limit).await.map(drop)
    }

    /// The body of the answer to a call.
    async fn answer(&mut self, call: &Call, limit: Duration) -> Result<Vec<u8>, Error> {
        let answered = tokio::time::timeout(limit, self.send(call)).await;
        let (status, body) = answered
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| Error::Broken {
                request: call.to_string(),
                source,
            })?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let text = match serde_json::from_slice::<Fault>(&body) {
            Ok(fault) => fault.fault_message,
            Err(_) => String::from_utf8_lossy(&body).into_owned(),
        };
        Err(Error::Api {
            request: call.to_string(),
            status,
            text: text.trim().into(),
        })
    }

    async fn send(&mut self, call: &Call) -> io::Result<(u16, Vec<u8>)> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header(HOST, "localhost")
            .header(ACCEPT, "application/json");
        // A question with a body is refused.
        let body = match &call.body {
            Value::Null => String::new(),
            body => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string()
            }
        };
        let request = request.body(body).map_err(io::Error::other)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let answer = (self.sender.send_request(request).await).map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        Ok((status, read(answer.into_body()).await?))
    }
}

/// All of a body that is not too long.
async fn read(mut body: Incoming) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let data: Bytes = match frame.map_err(io::Error::other)?.into_data() {
            Ok(data) => data,
            Err(_) => continue,
        };
        if all.len() + data.len() > LONGEST {
            return Err(io::Error::other("the answer is too long"));
        }
        all.extend_from_slice(&data);
    }
    Ok(all)
}

/// An answer that does not hold what was asked for.
fn unclear(call: &Call) -> Error {
    Error::Broken {
        request: call.to_string(),
        source: io::ErrorKind::InvalidData.into(),
    }
}
