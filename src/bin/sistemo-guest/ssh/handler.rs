//! What one client may do: who it is, which channels it opened, what it asks of them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::killpg;
use nix::unistd::Pid;
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, Pty, Sig};

use super::flow::{Flow, Inbox};
use super::forward::{self, Agent, Listening};
use super::stage::{Stage, Stages};
use super::start::{Asked, Running, Start};
use super::{exit, keys, pty};
use crate::accounts::{self, Account};
use crate::environment::{self, Environment};

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    /// The keys that may log in as any user.
    pub keys: Vec<PublicKey>,
    pub stages: Stages,
    /// Whether this is a machine of its own, which may be powered off, and not a server on trial.
    pub machine: bool,
    /// The application's `ENV`; sessions see it too.
    pub environment: Vec<String>,
}

/// The inboxes of all channels of a connection.
#[derive(Clone, Debug, Default)]
pub struct Inboxes(Arc<Mutex<HashMap<ChannelId, Arc<Inbox>>>>);

impl Inboxes {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<ChannelId, Arc<Inbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: ChannelId) -> Option<Arc<Inbox>> {
        self.map().get(&id).cloned()
    }

    /// Adds one for a new channel and forgets those that are done.
    fn add(&self, id: ChannelId, flow: &Arc<Flow>) -> Arc<Inbox> {
        let inbox = Inbox::new(Arc::clone(flow));
        let mut map = self.map();
        map.retain(|_, inbox| !inbox.is_closed());
        map.insert(id, Arc::clone(&inbox));
        inbox
    }
}

/// A session channel, before and after its one request to run something.
struct Open {
    /// Taken by what runs.
    writer: Option<super::session::Writer>,
    wishes: Wishes,
    running: Running,
}

/// What a client asked for before it asked to run something.
#[derive(Default)]
pub struct Wishes {
    pub environment: Environment,
    pub terminal: Option<pty::Request>,
    pub agent: Option<Agent>,
}

/// One client.
pub struct Client {
    shared: Arc<Shared>,
    flow: Arc<Flow>,
    account: Option<Account>,
    authenticated: Arc<AtomicBool>,
    peer: SocketAddr,
    local: SocketAddr,
    inboxes: Inboxes,
    sessions: HashMap<ChannelId, Open>,
    listening: Listening,
}

impl Drop for Client {
    /// The connection is over: whatever runs for it learns so.
    fn drop(&mut self) {
        self.inboxes.map().values().for_each(|inbox| inbox.close());
    }
}

impl Client {
    pub fn new(
        shared: Arc<Shared>,
        flow: Arc<Flow>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Client {
        Client {
            shared,
            flow,
            account: None,
            authenticated: Arc::default(),
            peer,
            local,
            inboxes: Inboxes::default(),
            sessions: HashMap::new(),
            listening: Listening::default(),
        }
    }

    /// Becomes true once the client has proved who it is.
    pub fn authenticated(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.authenticated)
    }

    /// The account that `key` may enter as `user`. Waits for the image, whose users are meant.
    async fn admit(&self, user: &str, key: &PublicKey) -> Option<Account> {
        if !self.shared.stages.reach(Stage::Mounted).await {
            return None;
        }
        let account = accounts::find(user).ok().flatten()?;
        let known = self
            .shared
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
        let start = Start {
            account,
            asked,
            wishes,
            image: &self.shared.environment,
            stages: self.shared.stages.clone(),
            machine: self.shared.machine,
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

/// Answers a channel request by whether it was granted.
fn reply(session: &mut Session, channel: ChannelId, granted: bool) -> Result<(), russh::Error> {
    if granted {
        session.channel_success(channel)
    } else {
        session.channel_failure(channel)
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let admitted = self.admit(user, offer.public_key).await;
        Ok(if admitted.is_some() {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.account = self.admit(user, key.public_key).await;
        let admitted = self.account.is_some();
        self.authenticated.store(admitted, Ordering::Relaxed);
        Ok(if admitted {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (_, writer) = channel.split();
        let id = writer.id();
        self.inboxes.add(id, &self.flow);
        let open = Open {
            writer: Some(writer),
            wishes: Wishes::default(),
            running: Running::default(),
        };
        self.sessions.insert(id, open);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (_, writer) = channel.split();
        let inbox = self.inboxes.add(writer.id(), &self.flow);
        tokio::spawn(forward::tcp(host.to_owned(), port, writer, reply, inbox));
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(account) = self.account.clone() else {
            return Ok(());
        };
        let (_, writer) = channel.split();
        let inbox = self.inboxes.add(writer.id(), &self.flow);
        let path = PathBuf::from(path);
        tokio::spawn(forward::unix(account, path, writer, reply, inbox));
        Ok(())
    }

    /// A channel that this server opened (a forwarded port, the agent): data may follow at once.
    async fn channel_open_confirmation(
        &mut self,
        id: ChannelId,
        _max_packet_size: u32,
        _window_size: u32,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.inboxes.add(id, &self.flow);
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(inbox) = self.inboxes.get(channel) {
            inbox.push(data);
        }
        Ok(())
    }

    fn adjust_window(&mut self, _channel: ChannelId, _current: u32) -> u32 {
        self.flow.next_window()
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(inbox) = self.inboxes.get(channel) {
            inbox.finish();
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some(inbox) = self.inboxes.get(channel) {
            inbox.close();
        }
        self.sessions.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let request = pty::Request {
            term: term.to_owned(),
            size: pty::size(columns, rows, width, height),
            modes: modes.to_vec(),
        };
        let granted = self
            .wishes(channel)
            .map(|wishes| wishes.terminal = Some(request))
            .is_some();
        reply(session, channel, granted)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let size = pty::size(columns, rows, width, height);
        let Some(open) = self.sessions.get_mut(&channel) else {
            return session.channel_failure(channel);
        };
        let granted = match (&open.running.master, &mut open.wishes.terminal) {
            (Some(master), _) => pty::resize(master.get_ref(), size).is_ok(),
            (None, Some(wish)) => {
                wish.size = size;
                true
            }
            (None, None) => false,
        };
        reply(session, channel, granted)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let granted = environment::is_name(name)
            && !value.contains('\0')
            && self.wishes(channel).is_some_and(|wishes| {
                let used: usize = wishes
                    .environment
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum();
                let fits = used + name.len() + value.len() <= environment::REQUEST_LIMIT;
                if fits {
                    wishes.environment.insert(name.to_owned(), value.to_owned());
                }
                fits
            });
        reply(session, channel, granted)
    }

    async fn agent_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<bool, Self::Error> {
        let Some(account) = self.account.clone() else {
            return Ok(false);
        };
        let (handle, inboxes) = (session.handle(), self.inboxes.clone());
        let Some(wishes) = self.wishes(channel) else {
            return Ok(false);
        };
        wishes.agent = Agent::listen(&account, handle, inboxes).ok();
        Ok(wishes.agent.is_some())
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.run(channel, Asked::Shell, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.run(channel, Asked::Command(command.to_vec()), session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match Asked::subsystem(name) {
            Some(asked) => self.run(channel, asked, session),
            None => session.channel_failure(channel),
        }
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let group = self
            .sessions
            .get(&channel)
            .filter(|_| self.runs(channel))
            .and_then(|open| open.running.group);
        let sent = match (exit::requested(&signal), group) {
            (Some(signal), Some(group)) => killpg(Pid::from_raw(group), signal).is_ok(),
            _ => false,
        };
        reply(session, channel, sent)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, Self::Error> {
        let Some(account) = &self.account else {
            return Ok(false);
        };
        let (handle, inboxes) = (session.handle(), self.inboxes.clone());
        match self
            .listening
            .add(account, address, *port, handle, inboxes)
            .await
        {
            Ok(bound) => {
                *port = bound;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(self.listening.remove(address, port))
    }
}

impl Client {
    /// Whether what the channel started still runs; afterwards its process group's number may be someone else's.
    fn runs(&self, channel: ChannelId) -> bool {
        self.inboxes
            .get(channel)
            .is_some_and(|inbox| !inbox.is_closed())
    }
}

/// The user's shell if the image has it, else `/bin/sh` if it has that.
pub fn shell_of(account: &Account) -> Option<PathBuf> {
    [account.shell.as_path(), Path::new("/bin/sh")]
        .into_iter()
        .find(|shell| super::process::is_program(shell))
        .map(Path::to_path_buf)
}
