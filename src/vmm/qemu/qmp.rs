//! A client of the QEMU Machine Protocol, as much of it as the driver needs.
//!
//! Each message is one line of JSON (docs/interop/qmp-spec in QEMU's source): a greeting, then answers to commands, with
//! events in between. The crate that generates types for all of QEMU's commands is not used for a dozen of them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::vmm::error::Error;

/// The longest line that is believed, in bytes.
const LONGEST: u64 = 1 << 20;

/// A connection past the greeting and the negotiation.
pub(super) struct Qmp {
    lines: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Events that came before an answer, and were not asked for yet.
    events: VecDeque<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "QMP")]
    greeting: Option<Value>,
    #[serde(rename = "return")]
    returned: Option<Value>,
    error: Option<Complaint>,
    event: Option<String>,
    data: Option<Value>,
}

#[derive(Deserialize)]
struct Complaint {
    desc: String,
}

impl Qmp {
    /// Waits for the greeting and negotiates. QEMU answers once its machine is made.
    pub(super) async fn greet(stream: UnixStream) -> Result<Self, Error> {
        let (reader, writer) = stream.into_split();
        let mut qmp = Qmp {
            lines: BufReader::new(reader),
            writer,
            events: VecDeque::new(),
        };
        let act = "connect";
        let control = |source| Error::Control { act, source };
        while qmp.read().await.map_err(control)?.greeting.is_none() {}
        qmp.execute("qmp_capabilities", act).await?;
        Ok(qmp)
    }

    /// Carries out a command without arguments; `act` is what it does, for errors.
    pub(super) async fn execute(
        &mut self,
        command: &'static str,
        act: &'static str,
    ) -> Result<Value, Error> {
        self.execute_with(command, json!({}), act).await
    }

    /// The same with arguments.
    pub(super) async fn execute_with(
        &mut self,
        command: &'static str,
        arguments: Value,
        act: &'static str,
    ) -> Result<Value, Error> {
        let control = |source| Error::Control { act, source };
        let line = format!("{}\n", request(command, arguments));
        (self.writer.write_all(line.as_bytes()).await).map_err(control)?;
        self.answer(act).await
    }

    /// Gives QEMU a file, under a name by which commands speak of it.
    pub(super) async fn give(
        &mut self,
        name: &'static str,
        file: impl AsFd,
        act: &'static str,
    ) -> Result<(), Error> {
        let control = |source| Error::Control { act, source };
        let line = format!("{}\n", request("getfd", json!({ "fdname": name })));
        let socket: &UnixStream = self.writer.as_ref();
        // The file goes with the first byte (unix(7), SCM_RIGHTS).
        let send = || {
            let descriptors = [file.as_fd().as_raw_fd()];
            let rights = [ControlMessage::ScmRights(&descriptors)];
            let parts = [io::IoSlice::new(line.as_bytes())];
            let flags = MsgFlags::MSG_NOSIGNAL;
            let socket = socket.as_raw_fd();
            Ok(sendmsg::<()>(socket, &parts, &rights, flags, None)?)
        };
        let sent = socket.async_io(Interest::WRITABLE, send);
        let sent = sent.await.map_err(control)?;
        (self.writer.write_all(&line.as_bytes()[sent..]).await).map_err(control)?;
        self.answer(act).await.map(drop)
    }

    /// Waits for an event of this name that `wanted` says yes to, and gives its data.
    pub(super) async fn event(
        &mut self,
        name: &str,
        act: &'static str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value, Error> {
        loop {
            let message = self.next().await;
            let message = message.map_err(|source| Error::Control { act, source })?;
            let data = message.data.unwrap_or_default();
            if message.event.as_deref() == Some(name) && wanted(&data) {
                return Ok(data);
            }
        }
    }

    /// The answer to the command that was sent last. Events that come before it are kept.
    async fn answer(&mut self, act: &'static str) -> Result<Value, Error> {
        let control = |source| Error::Control { act, source };
        loop {
            let message = self.read().await.map_err(control)?;
            if let Some(complaint) = message.error {
                return Err(Error::Refused {
                    act,
                    text: complaint.desc,
                });
            }
            if let Some(value) = message.returned {
                return Ok(value);
            }
            if message.event.is_some() {
                self.events.push_back(message);
            }
        }
    }

    /// The next message, events that came before an answer first.
    async fn next(&mut self) -> io::Result<Message> {
        match self.events.pop_front() {
            Some(message) => Ok(message),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> io::Result<Message> {
        use tokio::io::AsyncReadExt;
        let mut line = String::new();
        (&mut self.lines).take(LONGEST).read_line(&mut line).await?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

fn request(command: &str, arguments: Value) -> Value {
    json!({ "execute": command, "arguments": arguments })
}

/// Runs `work`, and calls it failed when it takes longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    act: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Error::Control {
            act,
            source: io::ErrorKind::TimedOut.into(),
        })
    })
}
