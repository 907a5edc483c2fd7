//! A page's end of a session: what is to be sent to it, and what it says.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Notify;

use super::stream::{Connection, Flow, HIGH, Stream};
use crate::shell::State;
use crate::web::terminal::frame;

/// The most data in a message to a page, in bytes; with the byte for its kind 64 KiB.
const LARGEST: usize = (64 << 10) - 1;

/// Why a page is sent off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web::terminal) enum Over {
    /// Another page has the session now.
    TakenOver,
    /// The session is over.
    Ended,
}

/// A page claims to have drawn what it was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("acknowledged up to {claimed}, of {sent} that were sent")]
pub(in crate::web::terminal) struct Ahead {
    claimed: u64,
    sent: u64,
}

/// What there is for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web::terminal) enum Next {
    /// How the shell is, now that all that was said before has been sent.
    State(State),
    /// The next of what it says, as a message.
    Data(Bytes),
}

/// The connection of a page to a session. It ends when this is dropped.
pub(in crate::web::terminal) struct Attachment {
    pub(super) stream: Arc<Stream>,
    pub(super) number: u64,
    pub(super) wake: Arc<Notify>,
    /// Where in the stream its data begins.
    pub(in crate::web::terminal) offset: u64,
    /// How many bytes before that it does not have.
    pub(in crate::web::terminal) lost: u64,
}

impl Attachment {
    /// How many bytes may be sent now.
    pub(in crate::web::terminal) fn ready(&self) -> usize {
        let flow = self.stream.flow();
        let connection = flow.connection.as_ref();
        match connection.filter(|connection| connection.number == self.number) {
            Some(connection) => ready(&flow, connection),
            None => 0,
        }
    }

    /// What is to be sent now.
    pub(in crate::web::terminal) fn next(&self) -> Option<Next> {
        let mut flow = self.stream.flow();
        let flow = &mut *flow;
        let connection = flow.connection.as_ref()?;
        if connection.number != self.number {
            return None;
        }
        let length = ready(flow, connection).min(LARGEST);
        let connection = flow.connection.as_mut()?;
        if connection.told < flow.version && connection.sent >= flow.since {
            connection.told = flow.version;
            return Some(Next::State(flow.state.clone()));
        }
        if length == 0 {
            return None;
        }
        let mut message = BytesMut::with_capacity(1 + length);
        message.put_u8(frame::DATA);
        let from = connection.sent.max(flow.replay.start());
        let read = flow.replay.read(from, length, &mut message);
        connection.sent = from + read as u64;
        Some(Next::Data(message.freeze()))
    }

    /// Waits until there may be something to send.
    pub(in crate::web::terminal) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes note that the page has drawn the stream up to an offset.
    ///
    /// # Errors
    ///
    /// [`Ahead`] when it cannot have.
    pub(in crate::web::terminal) fn acknowledge(&self, claimed: u64) -> Result<(), Ahead> {
        let mut flow = self.stream.flow();
        if !flow.is_of(self.number) {
            return Ok(());
        }
        let sent = flow.connection.as_ref().map_or(0, |page| page.sent);
        if claimed > sent {
            return Err(Ahead { claimed, sent });
        }
        if claimed > flow.replay.acknowledged() {
            flow.replay.acknowledge(claimed);
            flow.go_on();
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Passes on what was typed. It waits while the shell does not take what was typed before, and drops what there is no
    /// shell for.
    pub(in crate::web::terminal) async fn typed(&self, bytes: &[u8]) {
        let input = &self.stream.input;
        let is_through = || !self.stream.state().takes_keys() || input.offer(bytes);
        if is_through() {
            return;
        }
        self.be_deaf(true);
        loop {
            let room = input.room.notified();
            if is_through() {
                break;
            }
            room.await;
        }
        self.be_deaf(false);
    }

    fn be_deaf(&self, deaf: bool) {
        let mut flow = self.stream.flow();
        if !flow.is_of(self.number) {
            return;
        }
        if let Some(connection) = &mut flow.connection {
            connection.deaf = deaf;
        }
        flow.go_on();
        self.wake.notify_one();
    }
}

/// How many bytes a page may be sent: what there is before a state that it is to be told, and not much more than it has
/// drawn.
fn ready(flow: &Flow, connection: &Connection) -> usize {
    let until = match connection.told < flow.version {
        true => flow.since,
        false => flow.replay.end(),
    };
    let unsent = until.saturating_sub(connection.sent) as usize;
    let drawn = match connection.deaf {
        true => connection.sent,
        false => flow.replay.acknowledged(),
    };
    let in_flight = connection.sent.saturating_sub(drawn) as usize;
    unsent.min(HIGH.saturating_sub(in_flight))
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.stream.detach(self.number);
    }
}
