//! A terminal that pages come to and leave: one shell at a time, and what it has said.
//!
//! ```text
//!                  Life ── shells, one after another ([`crate::shell`])
//!   typed ▲          │ said
//!       Input      Stream ── Replay
//!         ▲          │
//!         └─ Attachment ─┘ ◀── socket ◀── page; the newest only
//! ```
//!
//! It lives as long as a page is connected, and [`SURVIVAL`] more.

mod attachment;
mod input;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub(super) use attachment::{Attachment, Next, Over};
use stream::Stream;

use super::frame::{Hello, Kind, Standing};
use crate::shell::{Life, Machine, MachineState, Order, Size, State, Transport};

/// How long it lives without a page.
pub(super) const SURVIVAL: Duration = Duration::from_secs(60);

/// What a session is opened on.
pub(super) struct Ground {
    pub kind: Kind,
    /// The machine that it is in; for the console a stand-in that always runs.
    pub machine: watch::Receiver<Machine>,
    pub transport: Arc<dyn Transport>,
}

/// A terminal that pages come to and leave.
pub(super) struct Session {
    id: String,
    kind: Kind,
    machine: watch::Receiver<Machine>,
    stream: Arc<Stream>,
    size: watch::Sender<Size>,
    orders: mpsc::Sender<Order>,
    closed: CancellationToken,
}

impl Session {
    /// One, and what has to run for it until it is over.
    pub(super) fn open(
        ground: Ground,
        size: Size,
    ) -> (Arc<Session>, impl Future<Output = ()> + Send) {
        let state = match ground.machine.borrow().runs() {
            true => State::Connecting,
            false => State::Waiting,
        };
        let stream = Arc::new(Stream::new(state));
        let (orders, ordered) = mpsc::channel(4);
        let size = watch::Sender::new(size);
        let life = Life {
            front: stream.clone(),
            machine: ground.machine.clone(),
            size: size.subscribe(),
            orders: ordered,
            transport: ground.transport,
            used: false,
        };
        let session = Arc::new(Session {
            id: uuid::Uuid::new_v4().to_string(),
            kind: ground.kind,
            machine: ground.machine,
            stream,
            size,
            orders,
            closed: CancellationToken::new(),
        });
        let kept = session.clone();
        let run = async move {
            tokio::select! {
                () = life.run() => {}
                () = deserted(kept.stream.alone()) => {}
                () = kept.closed.cancelled() => {}
            }
            kept.stream.end();
        };
        (session, run)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The machine's name and identifier; none of the console.
    pub(super) fn machine(&self) -> Option<(String, String)> {
        let machine = self.machine.borrow();
        (self.kind == Kind::Machine).then(|| (machine.name.clone(), machine.id.clone()))
    }

    /// Whether it is what somebody wants to come back to.
    pub(super) fn is_on(&self, ground: &Ground) -> bool {
        self.kind == ground.kind && self.machine.borrow().id == ground.machine.borrow().id
    }

    /// Connects a page that has the first `offset` bytes of the stream. It is told when it is to go.
    pub(super) fn attach(&self, offset: u64) -> (Attachment, oneshot::Receiver<Over>) {
        self.stream.attach(offset)
    }

    /// What a page is greeted with.
    pub(super) fn hello(&self, attachment: &Attachment, resumed: bool) -> Hello {
        let (machine, id) = self.machine().unzip();
        Hello {
            session: self.id.clone(),
            offset: attachment.offset,
            resumed,
            lost: attachment.lost,
            kind: self.kind,
            machine,
            id,
        }
    }

    /// Gives the terminal another size. The shell is told when it lasts.
    pub(super) fn resize(&self, size: Size) {
        self.size.send_if_modified(|known| {
            let changed = *known != size;
            *known = size;
            changed
        });
    }

    /// Begins another shell, if there is none.
    pub(super) fn again(&self) {
        if !self.stream.state().takes_keys() {
            // An order that does not fit is one more of those that are there.
            let _ = self.orders.try_send(Order::Connect);
        }
    }

    /// What it keeps of the stream and of what was typed, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        (
            self.stream.flow().replay.memory(),
            self.stream.input.waiting(),
        )
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// How the shell is, in words.
    pub(super) fn standing(&self, state: State) -> Standing {
        let (state, message, hint) = match state {
            State::Connecting => ("connecting", None, None),
            State::Live => ("live", None, None),
            State::Waiting => return waiting(&self.machine.borrow()),
            State::Lost(why) => ("lost", Some(why), None),
            State::Refused(why, hint) => ("refused", Some(why), hint),
            State::Ended(exit) => return ended(exit),
            State::Left => ("ended", None, None),
        };
        Standing {
            state,
            message,
            hint,
            ..Standing::default()
        }
    }
}

/// What is waited for.
fn waiting(machine: &Machine) -> Standing {
    let name = &machine.name;
    let (message, hint) = match &machine.state {
        MachineState::Starting => (format!("machine {name} is starting"), None),
        // It is entered in a moment.
        MachineState::Running => (format!("machine {name} runs"), None),
        MachineState::Stopping => (format!("machine {name} is being stopped"), None),
        MachineState::Stopped => {
            let start = format!("start it: sistemo machine start {name}");
            (format!("machine {name} is stopped"), Some(start))
        }
        MachineState::Failed(why) => {
            let because = why.as_ref().map(|why| format!(": {why}"));
            let said = format!("machine {name} failed{}", because.unwrap_or_default());
            let look = format!("see why: sistemo machine logs {name}");
            (said, Some(look))
        }
        MachineState::Gone => (format!("machine {name} was deleted"), None),
    };
    Standing {
        state: if machine.is_gone() { "gone" } else { "waiting" },
        message: Some(message),
        hint,
        ..Standing::default()
    }
}

fn ended(exit: sistemo::guest::client::Exit) -> Standing {
    use sistemo::guest::client::Exit;
    let (status, signal, message) = match exit {
        Exit::Status(status) => (Some(status), None, None),
        Exit::Signal { name, message, .. } => {
            (None, Some(name), (!message.is_empty()).then_some(message))
        }
    };
    Standing {
        state: "ended",
        message,
        exit: status,
        signal,
        ..Standing::default()
    }
}

/// Waits until no page has been connected for long.
async fn deserted(mut alone: watch::Receiver<Option<Instant>>) {
    loop {
        let since = *alone.borrow_and_update();
        let patience = async {
            match since {
                Some(since) => sleep_until(since + SURVIVAL).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = patience => return,
            changed = alone.changed() => if changed.is_err() { return },
        }
    }
}
