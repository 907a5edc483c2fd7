//! Which name servers guests are told of.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::home::Home;

/// Public resolvers (Cloudflare, Quad9), for a host whose own configuration names none that a guest could reach.
const PUBLIC: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
];

/// As many as a resolver reads (`MAXNS`, resolv.conf(5)).
const MOST: usize = 3;

impl Home {
    /// The name servers that guests shall ask: those of the first file that names any a guest can reach, of
    /// `/etc/netns/NAME/resolv.conf` (ip-netns(8), for a home that has a name), `/etc/resolv.conf`, and the one that
    /// systemd-resolved writes with the servers behind its stub; public ones when none does.
    ///
    /// A guest can reach IPv4 servers elsewhere; not the home's own addresses, loopback among them.
    pub async fn name_servers(&self) -> Result<Vec<IpAddr>, Error> {
        let own = self
            .namespace
            .work(async |links| {
                let addresses = links.addresses().await?;
                Ok(addresses
                    .into_iter()
                    .map(|(_, address)| address.addr())
                    .collect())
            })
            .await?;
        let named = self.path.as_deref().and_then(Path::file_name);
        let named = named.map(|name| Path::new("/etc/netns").join(name).join("resolv.conf"));
        let usual = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"].map(PathBuf::from);
        let files = named.into_iter().chain(usual);
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        Ok(choose(texts, &own))
    }
}

fn choose(texts: impl Iterator<Item = String>, own: &HashSet<Ipv4Addr>) -> Vec<IpAddr> {
    let servers = texts
        .map(|text| reachable(&text, own))
        .find(|servers| !servers.is_empty());
    servers.unwrap_or_else(|| PUBLIC.into())
}

fn reachable(text: &str, own: &HashSet<Ipv4Addr>) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let server = match (words.next(), words.next()) {
            (Some("nameserver"), Some(address)) => address.parse::<Ipv4Addr>(),
            _ => continue,
        };
        let Ok(server) = server else { continue };
        let elsewhere = !server.is_loopback() && !server.is_unspecified() && !own.contains(&server);
        if elsewhere && !servers.contains(&IpAddr::V4(server)) {
            servers.push(IpAddr::V4(server));
        }
    }
    servers.truncate(MOST);
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(texts: &[&str]) -> Vec<String> {
        let own = HashSet::from([Ipv4Addr::new(192, 168, 1, 5)]);
        let texts = texts.iter().map(|text| text.to_string());
        choose(texts, &own).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn the_first_file_with_a_server_that_a_guest_can_reach() {
        let stub = "# stub\nnameserver 127.0.0.53\noptions edns0\n";
        assert_eq!(
            chosen(&["nameserver 10.1.1.1\n", "nameserver 8.8.8.8"]),
            ["10.1.1.1"]
        );
        assert_eq!(chosen(&[stub, "nameserver 192.168.1.1\n"]), ["192.168.1.1"]);
        assert_eq!(chosen(&[stub]), ["1.1.1.1", "9.9.9.9"]);
        assert_eq!(chosen(&[]), ["1.1.1.1", "9.9.9.9"]);
        // The host's own address, IPv6, nonsense and repetitions are passed over.
        let text = "nameserver 192.168.1.5\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver x\nnameserver\n\
                    #nameserver 7.7.7.7\n nameserver\t8.8.4.4 # c\nnameserver 8.8.4.4";
        assert_eq!(chosen(&[text]), ["8.8.4.4"]);
        let many = "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4";
        assert_eq!(chosen(&[many]), ["1.0.0.1", "1.0.0.2", "1.0.0.3"]);
    }
}
