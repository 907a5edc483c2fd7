//! The server as a client meets it: russh's own client, over loopback, with this system's users.

use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Uid, User};
use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Pty, Sig};
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

#[tokio::test]
async fn the_streams_come_apart_and_the_status_comes_last() {
    let (_handle, mut channel) = session().await;
    channel
        .exec(true, "cat; echo to err >&2; exit 3")
        .await
        .unwrap();
    channel.data(&b"through\n"[..]).await.unwrap();
    channel.eof().await.unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(
        (said.out(), &said.err[..], said.status),
        ("through\n", &b"to err\n"[..], Some(3))
    );
    assert!(said.closed && said.replies == [true]);
}

#[tokio::test]
async fn only_the_right_key_and_a_known_user_get_in() {
    let (address, _) = server(Stage::Ready).await;
    let [_, good, bad] = KEY_SEEDS;
    assert!(log_in(address, &me(), good).await.1);
    assert!(!log_in(address, &me(), bad).await.1);
    assert!(!log_in(address, "no-such-user-here", good).await.1);
    let mut handle = connect(address).await;
    assert!(!handle.authenticate_none(me()).await.unwrap().success());
    assert!(
        !handle
            .authenticate_password(me(), "secret")
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn nobody_gets_in_before_the_image_is_there() {
    let (address, sender) = server(Stage::Waiting).await;
    let waiting = tokio::spawn(async move { log_in(address, &me(), KEY_SEEDS[1]).await });
    // The handshake itself is answered: a second client learns the host key meanwhile.
    drop(connect(address).await);
    assert!(!waiting.is_finished());
    sender.send_replace(Stage::Mounted);
    let (handle, admitted) = waiting.await.unwrap();
    assert!(admitted);
    let mut channel = handle.channel_open_session().await.unwrap();
    channel
        .request_subsystem(true, "sistemo-ready")
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| !said.replies.is_empty()).await;
    assert_eq!(said.status, None);
    sender.send_replace(Stage::Ready);
    let said = all_of(&mut channel).await;
    assert_eq!(said.status, Some(0));
    assert!(said.out().starts_with("{\"init\": \""), "{}", said.out());
}

#[tokio::test]
async fn a_server_on_trial_powers_nothing_off() {
    let (_handle, mut channel) = session().await;
    channel
        .request_subsystem(true, "sistemo-poweroff")
        .await
        .unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(said.status, Some(1));
}

#[tokio::test]
async fn the_environment_is_the_user_s_the_image_s_and_what_was_asked_for() {
    let (_handle, mut channel) = session().await;
    for (name, value) in [("ASKED", "a b"), ("not a name", "x")] {
        channel.set_env(true, name, value).await.unwrap();
    }
    channel
        .exec(
            true,
            "echo \"$ASKED|$FROM_IMAGE|$USER|${SSH_CONNECTION%% *}\"",
        )
        .await
        .unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!(said.out(), format!("a b|yes|{}|127.0.0.1\n", me()));
    assert_eq!(said.replies, [true, false, true]);
}

#[tokio::test]
async fn a_signal_reaches_the_process_and_its_death_is_told() {
    let (_handle, mut channel) = session().await;
    channel
        .exec(true, "echo up; exec sleep 1000")
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| !said.out.is_empty()).await;
    assert_eq!(said.out(), "up\n");
    channel.signal(Sig::TERM).await.unwrap();
    let said = all_of(&mut channel).await;
    assert!(matches!(said.signal, Some(Sig::TERM)), "{said:?}");
    assert_eq!(said.status, None);
}

#[tokio::test]
async fn a_terminal_has_the_size_that_was_asked_for_and_changes_it() {
    let (_handle, mut channel) = session().await;
    channel
        .request_pty(true, "xterm", 91, 17, 0, 0, &[(Pty::ECHO, 0)])
        .await
        .unwrap();
    channel
        .exec(
            true,
            "tty >/dev/null && echo $TERM; stty size; read line; stty size",
        )
        .await
        .unwrap();
    let said = listen_to(&mut channel, |said| said.out.ends_with(b"17 91\r\n")).await;
    assert_eq!(said.out(), "xterm\r\n17 91\r\n");
    channel.window_change(80, 24, 0, 0).await.unwrap();
    channel.data(&b"\n"[..]).await.unwrap();
    let said = all_of(&mut channel).await;
    assert_eq!((said.out(), said.status), ("24 80\r\n", Some(0)));
}

#[tokio::test]
async fn a_closed_connection_hangs_up_its_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    nix::unistd::mkfifo(&gone, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (handle, mut channel) = session().await;
    channel
        .request_pty(true, "dumb", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    let command = format!(
        "trap 'echo hup > {}; exit' HUP; echo set; while :; do sleep 1; done",
        gone.display()
    );
    channel.exec(true, command).await.unwrap();
    listen_to(&mut channel, |said| said.out.ends_with(b"set\r\n")).await;
    handle
        .disconnect(Disconnect::ByApplication, "", "")
        .await
        .unwrap();
    drop(handle);
    let word = tokio::task::spawn_blocking(move || std::fs::read_to_string(gone).unwrap());
    let word = tokio::time::timeout(Duration::from_secs(60), word)
        .await
        .expect("no hang-up")
        .unwrap();
    assert_eq!(word, "hup\n");
}

#[tokio::test]
async fn a_terminal_ends_even_for_who_ignores_the_hang_up() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    nix::unistd::mkfifo(&gone, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (handle, mut channel) = session().await;
    channel
        .request_pty(true, "dumb", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    let command = format!(
        "trap '' HUP; echo set; read line; echo $? > {}",
        gone.display()
    );
    channel.exec(true, command).await.unwrap();
    listen_to(&mut channel, |said| said.out.ends_with(b"set\r\n")).await;
    handle
        .disconnect(Disconnect::ByApplication, "", "")
        .await
        .unwrap();
    drop(handle);
    let word = tokio::task::spawn_blocking(move || std::fs::read_to_string(gone).unwrap());
    let word = tokio::time::timeout(Duration::from_secs(60), word)
        .await
        .expect("the terminal is still there")
        .unwrap();
    assert_eq!(word, "1\n");
}

/// With the clock paused, time passes at once when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_sent_away() {
    use tokio::io::AsyncReadExt;

    let (address, _stages) = server(Stage::Ready).await;
    let begun = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut said = String::new();
    silent.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("SSH-2.0-sistemo"), "{said}");
    assert!(begun.elapsed() >= LOGIN_GRACE);
}

/// The case that russh's own flow control blocks on: both directions full, nobody reading at first.
#[tokio::test]
async fn much_data_both_ways_neither_blocks_nor_gets_lost() {
    const BLOCK: usize = 1 << 20;
    const BLOCKS: usize = 24;
    let (_handle, channel) = session().await;
    channel.exec(true, "cat").await.unwrap();
    let (mut from, to) = channel.split();
    let sending = tokio::spawn(async move {
        for number in 0..BLOCKS {
            to.data_bytes(vec![u8::try_from(number).unwrap(); BLOCK])
                .await
                .unwrap();
        }
        to.eof().await.unwrap();
    });
    let receiving = async {
        let (mut count, mut status) = (0, None);
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    for byte in data {
                        assert_eq!(usize::from(byte), count / BLOCK);
                        count += 1;
                    }
                }
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        (count, status)
    };
    let (count, status) = tokio::time::timeout(Duration::from_secs(120), receiving)
        .await
        .expect("it is stuck");
    sending.await.unwrap();
    assert_eq!((count, status), (BLOCKS * BLOCK, Some(0)));
}

#[tokio::test]
async fn a_stalled_channel_does_not_stop_the_others() {
    let (handle, stalled) = session().await;
    stalled.exec(true, "sleep 1000").await.unwrap();
    // More than the window and the pipe hold; the rest waits for a reader that never comes.
    let flood = tokio::spawn(async move {
        let _ = stalled.data_bytes(vec![0; 8 << 20]).await;
    });
    let mut channel = handle.channel_open_session().await.unwrap();
    channel.exec(true, "echo still here").await.unwrap();
    assert_eq!(all_of(&mut channel).await.out(), "still here\n");
    assert!(!flood.is_finished());
    flood.abort();
}

#[tokio::test]
async fn a_connection_is_forwarded_and_a_closed_port_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = u32::from(echo.local_addr().unwrap().port());
    let echoing = tokio::spawn(async move {
        let (mut stream, _) = echo.accept().await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    let (handle, _channel) = session().await;
    let channel = handle
        .channel_open_direct_tcpip("localhost", port, "127.0.0.1", 1)
        .await
        .unwrap();
    let mut stream = channel.into_stream();
    stream.write_all(b"there and back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "there and back");
    echoing.await.unwrap();
    assert!(
        handle
            .channel_open_direct_tcpip("localhost", port, "127.0.0.1", 1)
            .await
            .is_err()
    );
}
