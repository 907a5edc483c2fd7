//! The SSH server (RFC 4252 to 4254, by way of russh): public keys only, a host key that the host made and pins.

mod channel;
mod exit;
pub(crate) mod process;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{ForkResult, fork};
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{self, Auth, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelOpenFailure, MethodKind, MethodSet, Preferred, SshId, cipher, kex};
use sistemo::guest::words::{self, Config};
use tokio::net::{TcpListener, TcpStream};

use crate::{Doing, Outcome, accounts, say};

/// Programs whose presence means that the image has an SSH server for port 22 itself.
const SERVERS: &[&str] = &["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/sbin/dropbear"];

/// Starts the server in a process of its own, which stays when PID 1 becomes something else.
pub(crate) fn start(config: &Config) -> Outcome {
    // SAFETY: the process has one thread.
    match unsafe { fork() }.doing("starting the SSH server")? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            let _ = nix::unistd::setsid();
            // The way into a machine that is out of memory; what it starts is not spared.
            let _ = std::fs::write("/proc/self/oom_score_adj", "-900");
            let mut addresses = vec![("0.0.0.0".to_string(), words::SSH_PORT)];
            if !SERVERS
                .iter()
                .any(|path| std::path::Path::new(path).exists())
            {
                addresses.push(("0.0.0.0".to_string(), 22));
            }
            if let Err(why) = serve(config, &addresses) {
                say(&format!("sistemo-guest: the SSH server ended: {why}"));
            }
            std::process::exit(1)
        }
    }
}

/// Serves at one address with the users of this system, until killed.
pub(crate) fn serve_here(config: &Config, address: &str) -> Outcome {
    let (host, port) = address.rsplit_once(':').ok_or("an address is HOST:PORT")?;
    serve(
        config,
        &[(host.to_string(), port.parse().doing("reading the port")?)],
    )
}

fn serve(config: &Config, addresses: &[(String, u16)]) -> Outcome {
    let key = PrivateKey::from_openssh(&config.host_key).doing("reading the host key")?;
    let keys = config
        .authorized_keys
        .iter()
        .filter_map(|line| PublicKey::from_openssh(line).ok());
    let shared = Arc::new(Shared {
        keys: keys.collect(),
        env: config
            .command
            .as_ref()
            .map(|command| command.env.clone())
            .unwrap_or_default(),
    });
    let settings = Arc::new(server::Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-sistemo")),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        auth_rejection_time: Duration::from_secs(1),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        preferred: Preferred {
            kex: Cow::Borrowed(&[
                kex::CURVE25519,
                kex::CURVE25519_PRE_RFC_8731,
                kex::EXTENSION_SUPPORT_AS_SERVER,
                kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
            ]),
            cipher: Cow::Borrowed(&[
                cipher::AES_128_GCM,
                cipher::AES_256_GCM,
                cipher::CHACHA20_POLY1305,
            ]),
            ..Preferred::default()
        },
        window_size: 8 << 20,
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        nodelay: true,
        ..server::Config::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing("starting the SSH server")?;
    runtime.block_on(async {
        let mut listeners = Vec::new();
        for (host, port) in addresses {
            let listener =
                TcpListener::bind((host.parse::<std::net::IpAddr>().doing(host)?, *port));
            listeners.push(
                listener
                    .await
                    .doing(format_args!("listening on port {port}"))?,
            );
        }
        say(words::READY_LINE);
        let tasks = listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, settings.clone(), shared.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.doing("accepting connections")?;
        }
        Ok(())
    })
}

async fn accept(listener: TcpListener, settings: Arc<server::Config>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            shared: shared.clone(),
            user: None,
        };
        let settings = settings.clone();
        tokio::spawn(async move {
            // A client that goes away in the middle is nothing to report.
            if let Ok(session) = server::run_stream(settings, stream, connection).await {
                let _ = session.await;
            }
        });
    }
}

/// What all connections know.
pub(crate) struct Shared {
    keys: Vec<PublicKey>,
    /// The image's environment.
    pub(crate) env: Vec<String>,
}

/// One client.
struct Connection {
    shared: Arc<Shared>,
    user: Option<accounts::Account>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: server::PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = self
            .shared
            .keys
            .iter()
            .any(|key| key.key_data() == offer.public_key.key_data());
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        if !self
            .shared
            .keys
            .iter()
            .any(|known| known.key_data() == key.public_key.key_data())
        {
            return Ok(Auth::reject());
        }
        match accounts::find(user) {
            Ok(Some(account)) => {
                self.user = Some(account);
                Ok(Auth::Accept)
            }
            _ => Ok(Auth::reject()),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: server::ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(user) = self.user.clone() else {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(channel::serve(
            channel,
            session.handle(),
            user,
            self.shared.clone(),
        ));
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: server::ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (Some(address), Ok(port)) = (address_of(host), u16::try_from(port)) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        tokio::spawn(async move {
            match TcpStream::connect((address, port)).await {
                Ok(mut target) => {
                    reply.accept().await;
                    let mut stream = channel.into_stream();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

/// An address, or a name from the image's `/etc/hosts`: this program has no resolver.
fn address_of(host: &str) -> Option<std::net::IpAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().ok().or_else(|| {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let named = hosts.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        });
        named.or_else(|| (host == "localhost").then(|| std::net::Ipv4Addr::LOCALHOST.into()))
    })
}
