//! Machines that a test plays.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sistemo::guest::client::{Event, Exit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::{Broken, Ends, Input, Machine, MachineState, Output, Size, Transport};

/// Longer than anything here takes, so that what hangs fails.
pub const LONG: Duration = Duration::from_secs(60);

/// The way to machines that a test plays.
pub struct Fake(mpsc::UnboundedSender<Guest>);

/// The other end of a shell.
pub struct Guest {
    pub machine: String,
    pub input: Input,
    pub output: Output,
    pub size: watch::Receiver<Size>,
    pub events: mpsc::Receiver<Event>,
    entered: Option<oneshot::Sender<()>>,
    ends: oneshot::Sender<Result<Exit, Broken>>,
}

#[async_trait]
impl Transport for Fake {
    async fn shell(&self, machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let (over, end) = oneshot::channel();
        let guest = Guest {
            machine: machine.into(),
            input: ends.input,
            output: ends.output,
            size: ends.size,
            events: ends.events,
            entered: Some(ends.entered),
            ends: over,
        };
        self.0.send(guest).map_err(|_| broken("no test", false))?;
        end.await
            .unwrap_or(Err(broken("the connection to the guest was lost", false)))
    }
}

impl Fake {
    /// One, and where the shells come out.
    pub fn new() -> (Arc<Fake>, mpsc::UnboundedReceiver<Guest>) {
        let (guests, coming) = mpsc::unbounded_channel();
        (Arc::new(Fake(guests)), coming)
    }
}

pub fn broken(message: &str, lasting: bool) -> Broken {
    Broken {
        message: message.into(),
        hint: lasting.then(|| "restart the machine".into()),
        lasting,
    }
}

impl Guest {
    /// Lets whoever connects in.
    pub fn enter(&mut self) {
        // It may have been given up.
        let _ = self.entered.take().unwrap().send(());
    }

    /// Writes to the terminal.
    pub async fn says(&mut self, text: &str) {
        let saying = self.output.write_all(text.as_bytes());
        timeout(LONG, saying).await.unwrap().unwrap();
    }

    /// Reads exactly this.
    pub async fn hears(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        timeout(LONG, self.input.read_exact(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    pub fn ends(self, exit: Result<Exit, Broken>) {
        // It may have been given up.
        let _ = self.ends.send(exit);
    }

    /// Waits until the shell is given up.
    pub async fn is_given_up(&mut self) {
        timeout(LONG, self.ends.closed()).await.unwrap();
    }
}

pub fn machine(name: &str, state: MachineState) -> Machine {
    Machine {
        id: format!("id-of-{name}"),
        name: name.into(),
        started: (state == MachineState::Running).then(|| "2026-11-30T10:00:00Z".into()),
        state,
    }
}
