//! The channels of a connection: what arrives on each, and what a session channel was asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::ChannelId;

use super::super::flow::{Flow, Inbox};
use super::super::forward::Agent;
use super::super::pty;
use super::super::session::Writer;
use super::super::start::Running;
use crate::environment::Environment;

/// Most channels of a connection; sshd has 10 (sshd_config(5), MaxSessions), too few for a browser behind a SOCKS proxy.
pub const MOST_CHANNELS: usize = 1024;

/// The inboxes of all channels of a connection.
#[derive(Clone, Debug, Default)]
pub struct Inboxes(Arc<Mutex<HashMap<ChannelId, Arc<Inbox>>>>);

impl Inboxes {
    fn map(&self) -> MutexGuard<'_, HashMap<ChannelId, Arc<Inbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: ChannelId) -> Option<Arc<Inbox>> {
        self.map().get(&id).cloned()
    }

    /// Whether something still runs for the channel.
    pub(super) fn is_open(&self, id: ChannelId) -> bool {
        self.get(id).is_some_and(|inbox| !inbox.is_closed())
    }

    /// The connection is over: closes them all.
    pub(super) fn close(&self) {
        self.map().values().for_each(|inbox| inbox.close());
    }

    /// Adds one for a new channel and forgets those that are done; `None` when there are [`MOST_CHANNELS`].
    pub(super) fn add(&self, id: ChannelId, flow: &Arc<Flow>) -> Option<Arc<Inbox>> {
        let mut map = self.map();
        map.retain(|_, inbox| !inbox.is_closed());
        if map.len() >= MOST_CHANNELS {
            return None;
        }
        let inbox = Inbox::new(Arc::clone(flow));
        map.insert(id, Arc::clone(&inbox));
        Some(inbox)
    }
}

/// A session channel, before and after its one request to run something.
pub(super) struct Open {
    /// Taken by what runs.
    pub(super) writer: Option<Writer>,
    pub(super) wishes: Wishes,
    pub(super) running: Running,
}

/// What a client asked for before it asked to run something.
#[derive(Default)]
pub struct Wishes {
    pub environment: Environment,
    pub terminal: Option<pty::Request>,
    pub agent: Option<Agent>,
}
