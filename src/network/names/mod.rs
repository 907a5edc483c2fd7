//! The name server of a home: on the gateway of each network it knows the machines of that network, `web` and
//! `web.default`, and asks the host's resolvers for everything else.
//!
//! ```text
//!  guest ──▶ gateway:53 ──▶ a machine's name, or an address of the network? ──▶ answered from the store, never kept
//!                       └─▶ anything else ──▶ the host's resolvers (RFC 1035 §7.1), kept for as long as they say
//! ```
//!
//! A guest sees its own network only: what is named on another cannot be reached from here anyway.

mod answer;
mod gate;
mod upstream;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, MessageType, Metadata, OpCode, ResponseCode};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, sockopt};
use tokio::net::{TcpListener, UdpSocket};

use self::answer::Answer;
use self::gate::Gate;
use self::upstream::Upstream;
use super::error::Error;
use super::home::Home;
use super::publish::owner;
use crate::store::Store;
use crate::store::networks::Network;
use crate::value::{Name, PortMapping, Protocol};

/// Domain, RFC 1035 §4.2.
pub const PORT: u16 = 53;
/// How long a connection over TCP may be silent (RFC 7766 §6.2.3 wants some seconds).
const SILENCE: Duration = Duration::from_secs(10);
/// Responses that one connection over TCP may have outstanding.
const OUTSTANDING: usize = 32;

/// Answers on the gateways of networks. To be made and used inside the home, see [`Home::inside`]: its sockets belong to
/// the namespace of the thread that makes them.
#[derive(Debug)]
pub struct NameServer {
    store: Store,
    upstream: Arc<Upstream>,
    serving: BTreeMap<Name, Serving>,
}

struct Serving {
    gateway: Ipv4Addr,
    server: Server<Handler>,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.shutdown_token().cancel();
    }
}

impl NameServer {
    /// A name server that knows the machines in `store`; it answers nowhere yet.
    pub fn new(home: &Home, store: Store) -> NameServer {
        NameServer {
            upstream: Arc::new(Upstream::new(home.path.as_deref(), store.clone())),
            store,
            serving: BTreeMap::new(),
        }
    }

    /// Answers on the gateways of these networks and on no others. Comes back with those where it cannot: where another
    /// program has the port.
    pub fn serve(&mut self, networks: &[Network]) -> Vec<(Network, io::Error)> {
        self.serving.retain(|name, serving| {
            networks
                .iter()
                .any(|network| network.name == *name && network.gateway() == serving.gateway)
        });
        let mut failed = Vec::new();
        for network in networks {
            if self.serving.contains_key(&network.name) {
                continue;
            }
            match self.listen(network) {
                Ok(serving) => drop(self.serving.insert(network.name.clone(), serving)),
                Err(error) => failed.push((network.clone(), error)),
            }
        }
        failed
    }

    fn listen(&self, network: &Network) -> io::Result<Serving> {
        let gateway = network.gateway();
        let datagrams = bind(gateway, SockType::Datagram)?;
        let stream = bind(gateway, SockType::Stream)?;
        socket::listen(&stream, Backlog::MAXCONN)?;
        let mut server = Server::new(Handler {
            network: network.clone(),
            store: self.store.clone(),
            upstream: Arc::clone(&self.upstream),
            gate: Gate::default(),
        });
        server.register_socket(UdpSocket::from_std(datagrams.into())?);
        let listener = TcpListener::from_std(stream.into())?;
        server.register_listener(listener, SILENCE, OUTSTANDING);
        Ok(Serving { gateway, server })
    }
}

impl Home {
    /// The program that answers on the gateway of a network instead of a name server: one that listens on port 53 of
    /// every address that the home has or gets. `None` while the port is free.
    ///
    /// # Errors
    ///
    /// When the home cannot be entered.
    pub async fn who_answers(&self, network: &Network) -> Result<Option<String>, Error> {
        let gateway = network.gateway();
        let look = move || {
            for (kind, protocol) in [
                (SockType::Datagram, Protocol::Udp),
                (SockType::Stream, Protocol::Tcp),
            ] {
                let taken =
                    bind(gateway, kind).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
                if taken {
                    let port = PortMapping {
                        host: PORT,
                        machine: PORT,
                        protocol,
                    };
                    let owner = owner(&port).unwrap_or_else(|| "another program".into());
                    return Ok(Some(owner));
                }
            }
            Ok(None)
        };
        self.namespace.blocking(look).await
    }
}

/// A socket on port 53 of a gateway, also of one whose bridge is not up yet.
fn bind(gateway: Ipv4Addr, kind: SockType) -> io::Result<std::os::fd::OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let made = socket::socket(AddressFamily::Inet, kind, flags, None)?;
    socket::setsockopt(&made, sockopt::IpFreebind, &true)?;
    if kind == SockType::Stream {
        // Connections of a server that was here before do not keep this one out.
        socket::setsockopt(&made, sockopt::ReuseAddr, &true)?;
    }
    let [a, b, c, d] = gateway.octets();
    let address = SockaddrIn::new(a, b, c, d, PORT);
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&made.as_fd()), &address)?;
    Ok(made)
}

/// Answers the questions that come from one network.
struct Handler {
    network: Network,
    store: Store,
    upstream: Arc<Upstream>,
    gate: Gate,
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        let (code, record) = match self.own(request) {
            Answer::Elsewhere => match self.gate.enter(request.src().ip()) {
                Some(_held) => {
                    let forward = self.upstream.current();
                    return forward.handle_request::<R, T>(request, response).await;
                }
                None => (ResponseCode::Refused, None),
            },
            Answer::Record(record) => (ResponseCode::NoError, Some(record)),
            Answer::Nothing => (ResponseCode::NoError, None),
            Answer::NoSuchName => (ResponseCode::NXDomain, None),
            Answer::Failed => (ResponseCode::ServFail, None),
        };
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = code;
        metadata.authoritative = code != ResponseCode::Refused;
        metadata.recursion_available = true;
        // Who asks with EDNS is answered with it (RFC 6891 §7).
        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_max_payload(asked.max_payload().max(512));
            edns
        });
        let message = MessageResponseBuilder::new(&request.queries, edns.as_ref());
        let message = message.build(metadata, record.as_deref(), [], [], []);
        match response.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "an answer could not be sent");
                ResponseInfo::from(hickory_server::proto::op::Header {
                    metadata,
                    counts: Default::default(),
                })
            }
        }
    }
}

impl Handler {
    /// What this network itself has to say. Anything but a plain question is for the resolver to refuse.
    fn own(&self, request: &Request) -> Answer {
        let plain = request.metadata.message_type == MessageType::Query
            && request.metadata.op_code == OpCode::Query;
        match request.request_info() {
            Ok(info) if plain => answer::answer(&self.store, &self.network, info.query),
            _ => Answer::Elsewhere,
        }
    }
}
