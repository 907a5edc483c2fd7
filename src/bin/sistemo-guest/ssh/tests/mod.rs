//! The server as a client meets it: russh's own client, over loopback, with this system's users.

mod flow;
mod forward;
mod login;
mod many;
mod orders;
mod session;
mod terminal;

use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, User};
use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Sig};
use sistemo::guest::words::{Command, Config, Disk, Restart};

use super::*;

const KEY_SEEDS: [u8; 3] = [1, 2, 3];

fn key(seed: u8) -> PrivateKey {
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::from(pair)
}

fn config() -> Config {
    let [host, user, _] = KEY_SEEDS.map(key);
    Config {
        hostname: "test".into(),
        network: None,
        authorized_keys: vec![user.public_key().to_openssh().unwrap()],
        host_key: host.to_openssh(Default::default()).unwrap().to_string(),
        root: Disk {
            serial: String::new(),
            index: 0,
            read_only: false,
        },
        volumes: Vec::new(),
        modules: None,
        hosts: Vec::new(),
        command: Some(Command {
            argv: vec!["true".into()],
            env: vec!["FROM_IMAGE=yes".into()],
            cwd: "/".into(),
            user: String::new(),
            stop_signal: 15,
            instead_of_init: false,
            restart: Restart::No,
            first: false,
            volumes: Vec::new(),
        }),
    }
}

/// A client that trusts the pinned host key alone.
struct Pinned;

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(
            matches!(shown, PublicKeyOrCertificate::PublicKey { key, .. }
            if key.key_data() == self::key(KEY_SEEDS[0]).public_key().key_data()),
        )
    }
}

/// Who the tests run as.
fn me() -> String {
    User::from_uid(Uid::current()).unwrap().unwrap().name
}

/// Starts a server at `stage`; its address, and the way to move it on.
async fn server(stage: Stage) -> (SocketAddr, tokio::sync::watch::Sender<Stage>) {
    let (sender, stages) = Stages::new(stage);
    let server = Server::new(&config(), stages, false).unwrap();
    let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { server.accept(&listener).await });
    (address, sender)
}

async fn connect(address: SocketAddr) -> Handle<Pinned> {
    client::connect(Arc::new(client::Config::default()), address, Pinned)
        .await
        .unwrap()
}

async fn log_in(address: SocketAddr, user: &str, seed: u8) -> (Handle<Pinned>, bool) {
    let mut handle = connect(address).await;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key(seed)), None);
    let admitted = handle
        .authenticate_publickey(user, key)
        .await
        .unwrap()
        .success();
    (handle, admitted)
}

async fn session() -> (Handle<Pinned>, Channel<client::Msg>) {
    let (address, _) = server(Stage::Ready).await;
    let (handle, admitted) = log_in(address, &me(), KEY_SEEDS[1]).await;
    assert!(admitted);
    let channel = handle.channel_open_session().await.unwrap();
    (handle, channel)
}

/// All that a channel says until it closes.
#[derive(Debug, Default)]
struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
    status: Option<u32>,
    signal: Option<Sig>,
    /// Replies to requests, in order.
    replies: Vec<bool>,
    closed: bool,
}

impl Said {
    fn out(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }
}

async fn listen_to(
    channel: &mut Channel<client::Msg>,
    mut enough: impl FnMut(&Said) -> bool,
) -> Said {
    let mut said = Said::default();
    let hear = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => said.out.extend(&data[..]),
                ChannelMsg::ExtendedData { data, ext: 1 } => said.err.extend(&data[..]),
                ChannelMsg::ExitStatus { exit_status } => said.status = Some(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => said.signal = Some(signal_name),
                ChannelMsg::Success => said.replies.push(true),
                ChannelMsg::Failure => said.replies.push(false),
                ChannelMsg::Close => said.closed = true,
                _ => {}
            }
            if enough(&said) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), hear)
        .await
        .expect("the server says no more");
    said
}

async fn all_of(channel: &mut Channel<client::Msg>) -> Said {
    listen_to(channel, |_| false).await
}
