//! What a shell says and how it is, kept for whatever page is connected, or will be: the flow between the two.
//!
//! ```text
//!  shell ──▶ Replay ──▶ page ──▶ drawn
//!    ▲                             │ acknowledged
//!    └─── goes on below LOW, stops at HIGH
//! ```
//!
//! While no page is connected the shell goes on until the buffer is full, and then waits: nothing is lost in the middle.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::coop;
use tokio::time::Instant;

use super::attachment::{Attachment, Over};
use super::input::Input;
use crate::shell::{self, Front, State};
use crate::web::terminal::replay::{CAPACITY, Replay};

/// So many bytes that have not been drawn hold the shell up.
pub(super) const HIGH: usize = 256 << 10;
/// Below so many it goes on. A page must not keep so much to itself of what it has drawn.
const LOW: usize = 64 << 10;
/// The most that is taken in at once, in bytes.
const SLICE: usize = 64 << 10;
/// Puts the cursor below all that is on a terminal of any size: a cursor cannot go beyond the last line, and a new line
/// scrolls there.
const BELOW: &[u8] = b"\x1b[999;1H\r\n";

/// What a session's task and its connections share.
pub(super) struct Stream {
    flow: Mutex<Flow>,
    pub input: Arc<Input>,
    /// Since when no page has been connected; absent while one is.
    alone: watch::Sender<Option<Instant>>,
}

pub(super) struct Flow {
    pub replay: Replay,
    pub state: State,
    /// The length of the stream when the state came to be.
    pub since: u64,
    /// Counts states.
    pub version: u64,
    pub connection: Option<Connection>,
    connections: u64,
    /// Whether the shell is held up until much has been drawn.
    paused: bool,
    shell: Option<Waker>,
}

/// The page that is connected.
pub(super) struct Connection {
    pub number: u64,
    /// Up to where the stream has been sent to it.
    pub sent: u64,
    /// The last state that it was told.
    pub told: u64,
    /// Nothing that it sends is read for now. What it has drawn is then not known, and must not be waited for: a shell
    /// that is held up takes no input either.
    pub deaf: bool,
    pub wake: Arc<Notify>,
    pub over: oneshot::Sender<Over>,
}

impl Stream {
    pub(super) fn new(state: State) -> Stream {
        let flow = Flow {
            replay: Replay::default(),
            state,
            since: 0,
            version: 1,
            connection: None,
            connections: 0,
            paused: false,
            shell: None,
        };
        Stream {
            flow: Mutex::new(flow),
            input: Arc::default(),
            alone: watch::Sender::new(Some(Instant::now())),
        }
    }

    pub(super) fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the shell is.
    pub(super) fn state(&self) -> State {
        self.flow().state.clone()
    }

    /// Since when no page has been connected, now and in future.
    pub(super) fn alone(&self) -> watch::Receiver<Option<Instant>> {
        self.alone.subscribe()
    }

    /// Connects a page that has the first `offset` bytes of the stream; it is told when it is to go. The page before is
    /// sent off.
    pub(super) fn attach(self: &Arc<Self>, offset: u64) -> (Attachment, oneshot::Receiver<Over>) {
        let (over, is_over) = oneshot::channel();
        let wake = Arc::new(Notify::new());
        let mut flow = self.flow();
        let from = offset.clamp(flow.replay.start(), flow.replay.end());
        flow.replay.acknowledge(from);
        flow.connections += 1;
        let number = flow.connections;
        let connection = Connection {
            number,
            sent: from,
            told: flow.version - 1,
            deaf: false,
            wake: wake.clone(),
            over,
        };
        if let Some(before) = flow.connection.replace(connection) {
            // It may be gone already.
            let _ = before.over.send(Over::TakenOver);
        }
        // Under the lock, so that whoever leaves at the same time does not have the last word.
        self.alone.send_replace(None);
        drop(flow);
        let attachment = Attachment {
            stream: self.clone(),
            number,
            wake,
            offset: from,
            lost: from.saturating_sub(offset),
        };
        (attachment, is_over)
    }

    /// Says that the page of this number is gone.
    pub(super) fn detach(&self, number: u64) {
        let mut flow = self.flow();
        if !flow.is_of(number) {
            return;
        }
        flow.connection = None;
        flow.paused = false;
        flow.go_on();
        self.alone.send_replace(Some(Instant::now()));
    }

    /// Sends the page off, if one is connected.
    pub(super) fn end(&self) {
        if let Some(connection) = self.flow().connection.take() {
            let _ = connection.over.send(Over::Ended);
        }
    }
}

impl Flow {
    /// Whether this is the page that is connected.
    pub(super) fn is_of(&self, number: u64) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.number == number)
    }

    /// Has the shell go on if there is room.
    pub(super) fn go_on(&mut self) {
        if self.room() > 0
            && let Some(shell) = self.shell.take()
        {
            shell.wake();
        }
    }

    /// How many bytes a page has been sent, or will be, and has not drawn.
    fn ahead(&self) -> usize {
        let drawn = match &self.connection {
            Some(connection) if connection.deaf => connection.sent.max(self.replay.acknowledged()),
            _ => self.replay.acknowledged(),
        };
        (self.replay.end() - drawn) as usize
    }

    /// How much the shell may say.
    fn room(&mut self) -> usize {
        let ahead = self.ahead();
        if self.connection.is_none() {
            return CAPACITY.saturating_sub(ahead);
        }
        if ahead >= HIGH {
            self.paused = true;
        } else if ahead < LOW {
            self.paused = false;
        }
        match self.paused {
            true => 0,
            false => HIGH - ahead,
        }
    }

    fn wake_page(&self) {
        if let Some(connection) = &self.connection {
            connection.wake.notify_one();
        }
    }
}

impl Front for Stream {
    fn set_state(&self, state: State) {
        let mut flow = self.flow();
        if !state.takes_keys() {
            self.input.clear();
        }
        flow.state = state;
        flow.since = flow.replay.end();
        flow.version += 1;
        flow.wake_page();
    }

    fn ends(self: &Arc<Self>) -> (shell::Input, shell::Output) {
        let output = Output(self.clone());
        (Box::new(self.input.reader()), Box::new(output))
    }

    fn renew(&self, fresh: &[u8]) {
        let mut flow = self.flow();
        flow.replay.append(fresh);
        flow.replay.append(BELOW);
        flow.wake_page();
    }
}

/// A shell's way into the stream.
struct Output(Arc<Stream>);

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let turn = ready!(coop::poll_proceed(context));
        let mut flow = self.0.flow();
        let taken = bytes.len().min(flow.room()).min(SLICE);
        if taken == 0 && !bytes.is_empty() {
            flow.shell = Some(context.waker().clone());
            return Poll::Pending;
        }
        flow.replay.append(&bytes[..taken]);
        flow.wake_page();
        turn.made_progress();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
