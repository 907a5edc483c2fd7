//! One client: who it is, which channels it has open, and starting what it asks for. What it may ask for, request by
//! request, is in `handler`.

mod channels;
mod handler;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::ChannelId;
use russh::keys::PublicKey;
use russh::server::Session;

use self::channels::Open;
pub use self::channels::{Inboxes, MOST_CHANNELS, Wishes};
use super::flow::Flow;
use super::forward::Listening;
use super::keys;
use super::login::Login;
use super::shared::Shared;
use super::stage::Stage;
use super::start::{Asked, Start};
use crate::accounts::{self, Account};
use crate::environment::Environment;

/// One client.
pub struct Client {
    shared: Arc<Shared>,
    flow: Arc<Flow>,
    account: Option<Account>,
    login: Arc<Login>,
    peer: SocketAddr,
    local: SocketAddr,
    inboxes: Inboxes,
    sessions: HashMap<ChannelId, Open>,
    listening: Listening,
}

impl Drop for Client {
    /// The connection is over: whatever runs for it learns so.
    fn drop(&mut self) {
        self.inboxes.close();
    }
}

impl Client {
    pub fn new(
        shared: Arc<Shared>,
        flow: Arc<Flow>,
        login: Arc<Login>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Client {
        Client {
            shared,
            flow,
            account: None,
            login,
            peer,
            local,
            inboxes: Inboxes::default(),
            sessions: HashMap::new(),
            listening: Listening::default(),
        }
    }

    /// The account that `key` may enter as `user`. Waits for the image, whose users are meant.
    async fn admit(&self, user: &str, key: &PublicKey) -> Option<Account> {
        if !self.shared.stages.reach(Stage::Mounted).await {
            return None;
        }
        let account = accounts::find(user).ok().flatten()?;
        let known = self
            .shared
            .facts()
            .keys
            .iter()
            .any(|known| known.key_data() == key.key_data());
        (known
            || keys::of_account(&account)
                .iter()
                .any(|own| own.key_data() == key.key_data()))
        .then_some(account)
    }

    fn connection(&self, terminal: Option<&str>) -> Environment {
        let (peer, local) = (self.peer, self.local);
        let ip = |address: SocketAddr| address.ip().to_canonical().to_string();
        let mut environment = Environment::from([
            (
                "SSH_CONNECTION".into(),
                format!(
                    "{} {} {} {}",
                    ip(peer),
                    peer.port(),
                    ip(local),
                    local.port()
                ),
            ),
            (
                "SSH_CLIENT".into(),
                format!("{} {} {}", ip(peer), peer.port(), local.port()),
            ),
        ]);
        if let Some(name) = terminal {
            environment.insert("SSH_TTY".into(), name.into());
        }
        environment
    }

    fn wishes(&mut self, channel: ChannelId) -> Option<&mut Wishes> {
        let open = self.sessions.get_mut(&channel)?;
        open.writer.is_some().then_some(&mut open.wishes)
    }

    /// Runs what was asked for on a session channel; a channel runs one thing (RFC 4254 §6.5).
    fn run(
        &mut self,
        channel: ChannelId,
        asked: Asked,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (Some(account), Some(inbox)) = (self.account.clone(), self.inboxes.get(channel)) else {
            return session.channel_failure(channel);
        };
        let Some(open) = self.sessions.get_mut(&channel) else {
            return session.channel_failure(channel);
        };
        let Some(writer) = open.writer.take() else {
            return session.channel_failure(channel);
        };
        let wishes = std::mem::take(&mut open.wishes);
        let facts = self.shared.facts();
        let start = Start {
            account,
            asked,
            wishes,
            image: &facts.environment,
            shared: &self.shared,
            connection: &|terminal| self.connection(terminal),
        };
        session.channel_success(channel)?;
        let running = start.begin(writer, session.handle(), inbox);
        if let Some(open) = self.sessions.get_mut(&channel) {
            open.running = running;
        }
        Ok(())
    }
}
