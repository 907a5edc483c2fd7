//! Names that the server answers to. A page of a stranger may have its own name lead to this computer (DNS rebinding),
//! and then sends that name: so a request for any other name than these is nobody's.

use std::net::SocketAddr;

use sistemo::value::{Scheme, Site};

/// The names, each with its scheme and port.
#[derive(Debug)]
pub(crate) struct Names {
    scheme: Scheme,
    port: u16,
    own: Vec<Origin>,
}

/// A scheme, a host and a port: what a browser calls an origin (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// Whether a `Host` header names it.
    fn is_at(&self, host: &str) -> bool {
        let Some(rest) = host.strip_prefix(self.host.as_str()) else {
            return false;
        };
        match rest.strip_prefix(':') {
            Some(port) => port == self.port.to_string(),
            None => rest.is_empty() && self.port == self.scheme.port(),
        }
    }

    /// Whether an `Origin` header is this one, letter by letter.
    fn is(&self, header: &str) -> bool {
        let (scheme, host) = (self.scheme.as_str(), &self.host);
        let bare = format!("{scheme}://{host}");
        match self.port == self.scheme.port() {
            true => header == bare,
            false => header == format!("{bare}:{}", self.port),
        }
    }
}

impl Names {
    /// The names of a server at `port`. What a site leaves out is the server's.
    pub(crate) fn new(scheme: Scheme, port: u16, sites: impl IntoIterator<Item = Site>) -> Names {
        let own = sites.into_iter().map(|site| Origin {
            scheme: site.scheme.unwrap_or(scheme),
            host: site.host,
            port: site.port.unwrap_or(port),
        });
        Names {
            scheme,
            port,
            own: own.collect(),
        }
    }

    /// The origins that a `Host` header stands for, of a request that came to the address `local`; none if it is no name
    /// of this server. An address is as good as a name if the request came to it: it cannot lead elsewhere.
    pub(super) fn of_host(&self, host: &str, local: SocketAddr) -> Vec<Origin> {
        let host = host.to_ascii_lowercase();
        let address = match local.ip().to_canonical() {
            std::net::IpAddr::V4(address) => address.to_string(),
            std::net::IpAddr::V6(address) => format!("[{address}]"),
        };
        let address = Origin {
            scheme: self.scheme,
            host: address,
            port: self.port,
        };
        let all = self.own.iter().chain([&address]);
        all.filter(|origin| origin.is_at(&host)).cloned().collect()
    }
}

/// Whether an `Origin` header is one of those.
pub(super) fn is_among(origins: &[Origin], header: &str) -> bool {
    origins.iter().any(|origin| origin.is(header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scheme: Scheme, port: u16, sites: &[&str]) -> Names {
        Names::new(scheme, port, sites.iter().map(|site| site.parse().unwrap()))
    }

    #[test]
    fn hosts_are_compared_whole() {
        let names = names(Scheme::Http, 7777, &["localhost", "127.0.0.1", "[::1]"]);
        let local = "127.0.0.1:7777".parse().unwrap();
        let knows = |host: &str| !names.of_host(host, local).is_empty();
        for host in [
            "localhost:7777",
            "LOCALHOST:7777",
            "127.0.0.1:7777",
            "[::1]:7777",
        ] {
            assert!(knows(host), "{host}");
        }
        for host in [
            "localhost",
            "localhost:80",
            "localhost:7778",
            "localhost:77770",
            "localhost:07777",
            "localhost:7777.",
            "localhost.:7777",
            "localhost.evil.example:7777",
            "evil-localhost:7777",
            "me@localhost:7777",
            "[::1]",
            "::1:7777",
            "192.0.2.1:7777",
            "",
        ] {
            assert!(!knows(host), "{host}");
        }
    }

    #[test]
    fn a_default_port_may_be_left_out_and_an_address_counts_where_it_is() {
        let names = names(Scheme::Https, 443, &["vm", "http://proxy", "other:8443"]);
        let local = "[::ffff:192.0.2.1]:443".parse().unwrap();
        for (host, origin) in [
            ("vm", "https://vm"),
            ("vm:443", "https://vm"),
            ("proxy", "http://proxy"),
            ("other:8443", "https://other:8443"),
            ("192.0.2.1", "https://192.0.2.1"),
        ] {
            let origins = names.of_host(host, local);
            assert!(is_among(&origins, origin), "{host}");
            for foreign in [
                "null",
                "",
                "https://vm:443",
                "http://vm",
                "https://vm.",
                "https://vm/",
            ] {
                assert!(!is_among(&origins, foreign), "{host} {foreign}");
            }
        }
        assert!(names.of_host("192.0.2.2", local).is_empty());
        assert!(names.of_host("proxy:443", local).is_empty());
    }
}
