//! A client of the QEMU Machine Protocol, as much of it as the driver needs.
//!
//! Each message is one line of JSON (docs/interop/qmp-spec in QEMU's source): a greeting, then answers to commands, with
//! events in between. The crate that generates types for all of QEMU's commands is not used for three of them.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::vmm::error::Error;

/// The longest line that is believed, in bytes.
const LONGEST: u64 = 1 << 20;

/// A connection past the greeting and the negotiation.
pub(super) struct Qmp {
    lines: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "QMP")]
    greeting: Option<Value>,
    #[serde(rename = "return")]
    returned: Option<Value>,
    error: Option<Complaint>,
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
        let control = |source| Error::Control { act, source };
        let line = format!("{}\n", json!({ "execute": command }));
        (self.writer.write_all(line.as_bytes()).await).map_err(control)?;
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
