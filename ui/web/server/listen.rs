//! Where the server listens.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::errno::Errno;
use sistemo::value::{Address, Site};
use tokio::net::{TcpListener, TcpSocket};

use super::Error;

/// The sockets of an address.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listeners: Vec<TcpListener>,
    /// The addresses they have.
    pub(super) addresses: Vec<SocketAddr>,
}

/// How many connections the kernel keeps for us until they are taken.
const BACKLOG: u32 = 1024;

/// Listens on all addresses of `listen`. `localhost` is both of its addresses, or nobody could tell who answers at the
/// other; a computer without IPv6 has one.
pub(super) async fn listen(listen: &Address) -> Result<Listening, Error> {
    let wanted = addresses(listen).await?;
    let mut listening = Listening {
        listeners: Vec::new(),
        addresses: Vec::new(),
    };
    let mut missing = None;
    for mut address in wanted {
        // Port 0 is any, and then the same for all.
        if let Some(first) = listening.addresses.first() {
            address.set_port(first.port());
        }
        match bind(address) {
            Ok(listener) => {
                listening
                    .addresses
                    .push(listener.local_addr().unwrap_or(address));
                listening.listeners.push(listener);
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let port = address.port();
                let owner = tokio::task::spawn_blocking(move || sistemo::network::listener(port));
                let owner = owner.await.unwrap_or_default();
                return Err(Error::Taken { address, owner });
            }
            Err(source) if is_no_address_of_ours(&source) => {
                missing = Some(Error::Listen { address, source });
            }
            Err(source) => return Err(Error::Listen { address, source }),
        }
    }
    match (listening.listeners.is_empty(), missing) {
        (true, Some(error)) => Err(error),
        _ => Ok(listening),
    }
}

/// Without IPv6, or without this address.
fn is_no_address_of_ours(error: &std::io::Error) -> bool {
    let known = [Errno::EADDRNOTAVAIL, Errno::EAFNOSUPPORT];
    error
        .raw_os_error()
        .is_some_and(|code| known.contains(&Errno::from_raw(code)))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Past connections are in nobody's way, listeners are (socket(7)).
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn addresses(listen: &Address) -> Result<Vec<SocketAddr>, Error> {
    let port = listen.port;
    if listen.host.eq_ignore_ascii_case("localhost") {
        // Whatever /etc/hosts says: it is the loopback (RFC 6761, section 6.3).
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(both.map(|ip: IpAddr| SocketAddr::new(ip, port)).into());
    }
    if let Ok(ip) = listen.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let unknown = |source| Error::Unknown {
        listen: listen.clone(),
        source,
    };
    let found = tokio::net::lookup_host((listen.host.as_str(), port));
    let mut found: Vec<_> = found.await.map_err(unknown)?.collect();
    found.dedup();
    Ok(found)
}

/// Where somebody on this computer connects to, to reach what listens at `address`.
pub(super) fn nearby(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// The host of an address as browsers write it; the computer's own name where it is every address.
pub(super) fn host_for_people(listen: &Address) -> String {
    match listen.host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => hostname().unwrap_or_else(|| "localhost".into()),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => listen.host.to_ascii_lowercase(),
    }
}

/// The names that a server at `addresses` has of itself.
pub(super) fn own_names(listen: &Address, addresses: &[SocketAddr]) -> Vec<Site> {
    let mut hosts = vec![host_for_people(listen)];
    if addresses
        .iter()
        .any(|address| address.ip().is_unspecified())
    {
        hosts.extend(outer_address());
    }
    let nearby = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };
    if addresses.iter().any(nearby) {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(String::from));
    }
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        hosts.extend(hostname());
    }
    let mut sites: Vec<Site> = Vec::new();
    for site in hosts.iter().filter_map(|host| host.parse().ok()) {
        if !sites.contains(&site) {
            sites.push(site);
        }
    }
    sites
}

/// The IPv4 address by which others reach this computer: the one that it would send from. Nothing is sent to find it out;
/// the target is for documentation (RFC 5737). The IPv6 address that it would send from changes from day to day
/// (RFC 8981), and a certificate is not to change with it.
fn outer_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// The computer's own name.
fn hostname() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    let name = name.to_ascii_lowercase();
    name.parse::<Site>().is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    async fn found(text: &str) -> Vec<String> {
        let found = addresses(&address(text)).await.unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn addresses_of_what_is_listened_on() {
        assert_eq!(
            found("localhost:7777").await,
            ["127.0.0.1:7777", "[::1]:7777"]
        );
        assert_eq!(found("[::1]:80").await, ["[::1]:80"]);
        assert_eq!(found("0.0.0.0:7777").await, ["0.0.0.0:7777"]);
        assert!(addresses(&address("nowhere.invalid:1")).await.is_err());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_said_with_who_has_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(&address(&format!("127.0.0.1:{port}")))
            .await
            .unwrap_err();
        let own = format!("(pid {})", std::process::id());
        assert!(error.to_string().contains(&own), "{error}");
        let error = listen(&address(&format!("localhost:{port}")))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Taken { .. }), "{error}");
        let error = listen(&address("192.0.2.1:7777")).await.unwrap_err();
        assert!(matches!(error, Error::Listen { .. }), "{error}");
    }

    #[test]
    fn names_go_by_what_is_listened_on() {
        let of = |listen: &str, at: &str| {
            let sites = own_names(&address(listen), &[at.parse().unwrap()]);
            sites.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            of("localhost:7777", "127.0.0.1:7777"),
            ["localhost", "127.0.0.1", "[::1]"]
        );
        assert_eq!(of("127.0.0.2:7777", "127.0.0.2:7777")[0], "127.0.0.2");
        let outside = of("192.0.2.1:7777", "192.0.2.1:7777");
        assert_eq!(outside[0], "192.0.2.1");
        assert!(!outside.contains(&"localhost".to_string()), "{outside:?}");
        assert!(of("[::]:7777", "[::]:7777").contains(&"localhost".to_string()));
    }
}
