//! What a client may ask for, as russh hands it on: logging in, opening channels, and the requests on them.

use std::path::PathBuf;

use nix::sys::signal::killpg;
use nix::unistd::Pid;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};

use super::super::forward::{self, Agent};
use super::super::start::{Asked, Running};
use super::super::{exit, pty};
use super::{Client, Open, Wishes};
use crate::environment;

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
        if self.account.is_none() {
            return Ok(Auth::reject());
        }
        self.login.succeed();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (_, writer) = channel.split();
        let id = writer.id();
        // russh says nothing of the client's close that answers its own: those that are done, and their terminals, go here.
        let inboxes = &self.inboxes;
        self.sessions.retain(|id, _| inboxes.is_open(*id));
        if self.inboxes.add(id, &self.flow).is_none() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
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
        let Some(inbox) = self.inboxes.add(writer.id(), &self.flow) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
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
        let Some(inbox) = self.inboxes.add(writer.id(), &self.flow) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let path = PathBuf::from(path);
        tokio::spawn(forward::unix(account, path, writer, reply, inbox));
        Ok(())
    }

    /// A channel that this server opened (a forwarded port, the agent): data may follow at once. One too many gets no
    /// inbox, and is closed by who opened it.
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
        let session = self.sessions.remove(&channel);
        if let Some(inbox) = self.inboxes.get(channel) {
            match session {
                // Whatever runs for it learns so, and reads no more.
                Some(_) => inbox.close(),
                None => inbox.leave(),
            }
        }
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
            // Once it is over, its process group's number may be someone else's.
            .filter(|_| self.inboxes.is_open(channel))
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

/// Answers a channel request by whether it was granted.
fn reply(session: &mut Session, channel: ChannelId, granted: bool) -> Result<(), russh::Error> {
    if granted {
        session.channel_success(channel)
    } else {
        session.channel_failure(channel)
    }
}
