//! Which resolvers the host has: whom the name server asks for what it does not know.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// Public resolvers (Cloudflare, Quad9), for a host whose own configuration names none.
const PUBLIC: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
];

/// As many as a resolver reads (`MAXNS`, resolv.conf(5)).
const MOST: usize = 3;

/// The files that name resolvers for a home; the first that names any counts.
#[derive(Debug)]
pub(super) struct Files(Vec<File>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Whether a loopback address in it is one of the home.
    local: bool,
}

impl Files {
    /// Of the host itself when `home` is absent: `/etc/resolv.conf`, with the stubs on its loopback. Of the namespace at
    /// `home`: `/etc/netns/NAME/resolv.conf` (ip-netns(8)); then the host's, and what systemd-resolved writes with the
    /// servers behind its stub, but for the host's loopback, which cannot be reached from there.
    pub(super) fn of(home: Option<&Path>) -> Files {
        let usual = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
        let usual = usual.map(|path| File {
            path: path.into(),
            local: home.is_none(),
        });
        let named = home.and_then(Path::file_name).map(|name| File {
            path: Path::new("/etc/netns").join(name).join("resolv.conf"),
            local: true,
        });
        Files(named.into_iter().chain(usual).collect())
    }

    /// The resolvers that are named now, at least one; none of `own`, the addresses that the name server itself has.
    pub(super) fn servers(&self, own: &[Ipv4Addr]) -> Vec<IpAddr> {
        let read = |file: &File| Some((fs::read_to_string(&file.path).ok()?, file.local));
        choose(self.0.iter().filter_map(read), own)
    }
}

fn choose(texts: impl Iterator<Item = (String, bool)>, own: &[Ipv4Addr]) -> Vec<IpAddr> {
    let servers = texts
        .map(|(text, local)| named(&text, local, own))
        .find(|servers| !servers.is_empty());
    servers.unwrap_or_else(|| PUBLIC.into())
}

fn named(text: &str, local: bool, own: &[Ipv4Addr]) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let server = match (words.next(), words.next()) {
            // One with a zone, fe80::1%eth0, is of a link that only the host has.
            (Some("nameserver"), Some(address)) => address.parse::<IpAddr>(),
            _ => continue,
        };
        let Ok(server) = server else { continue };
        let usable = !server.is_unspecified()
            && (local || !server.is_loopback())
            && !own.iter().any(|own| IpAddr::V4(*own) == server);
        if usable && !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers.truncate(MOST);
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(texts: &[(&str, bool)]) -> Vec<String> {
        let own = [Ipv4Addr::new(10, 200, 0, 1)];
        let texts = texts.iter().map(|(text, local)| (text.to_string(), *local));
        choose(texts, &own).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn the_first_file_with_a_server_that_can_be_asked() {
        let stub = "# stub\nnameserver 127.0.0.53\noptions edns0\n";
        assert_eq!(
            chosen(&[
                ("nameserver 10.1.1.1\n", false),
                ("nameserver 8.8.8.8", false)
            ]),
            ["10.1.1.1"]
        );
        // The host's stub is the host's to ask; a namespace asks the servers behind it.
        assert_eq!(chosen(&[(stub, true)]), ["127.0.0.53"]);
        let behind = ("nameserver 192.168.1.1\n", false);
        assert_eq!(chosen(&[(stub, false), behind]), ["192.168.1.1"]);
        assert_eq!(chosen(&[(stub, false)]), ["1.1.1.1", "9.9.9.9"]);
        assert_eq!(chosen(&[]), ["1.1.1.1", "9.9.9.9"]);
        // The name server itself, nonsense and repetitions are passed over.
        let text = "nameserver 10.200.0.1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\nnameserver x\nnameserver\n\
                    #nameserver 7.7.7.7\n nameserver\t8.8.4.4 # c\nnameserver 8.8.4.4\nnameserver 2001:db8::1";
        assert_eq!(chosen(&[(text, true)]), ["8.8.4.4", "2001:db8::1"]);
        let many = "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4";
        assert_eq!(chosen(&[(many, false)]), ["1.0.0.1", "1.0.0.2", "1.0.0.3"]);
    }
}
