//! Names under which browsers reach a server.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::BadValue;

/// How a browser speaks to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// As it stands in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that is not written in addresses (RFC 9110, sections 4.2.1 and 4.2.2).
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A name that a server is to answer to, `[http://|https://]NAME[:PORT]`. What is left out is the server's own; behind a
/// scheme it is the scheme's own port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    pub scheme: Option<Scheme>,
    /// In lower case: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl FromStr for Site {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::Site(text.into());
        let lower = text.to_ascii_lowercase();
        let schemes = [Scheme::Http, Scheme::Https];
        let (scheme, rest) = match lower.split_once("://") {
            None => (None, lower.as_str()),
            Some((name, rest)) => {
                let scheme = schemes.into_iter().find(|scheme| scheme.as_str() == name);
                (Some(scheme.ok_or_else(bad)?), rest)
            }
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let number = |digits: &str| -> Option<u16> {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|port| all_digits && *port > 0)
        };
        let port = match port {
            Some(digits) => Some(number(digits).ok_or_else(bad)?),
            None => scheme.map(Scheme::port),
        };
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            // In its one form, in which browsers write it.
            Some(address) => match address.parse::<Ipv6Addr>() {
                Ok(address) => format!("[{address}]"),
                Err(_) => return Err(bad()),
            },
            None => host.into(),
        };
        let site = Site { scheme, host, port };
        match site.address().is_some() || is_name(&site.host) {
            true => Ok(site),
            false => Err(bad()),
        }
    }
}

impl Site {
    /// The address, if it is one and no name.
    pub fn address(&self) -> Option<IpAddr> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().ok()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.as_str())?;
        }
        f.write_str(&self.host)?;
        match (self.scheme, self.port) {
            (Some(scheme), Some(port)) if scheme.port() == port => Ok(()),
            (_, Some(port)) => write!(f, ":{port}"),
            (_, None) => Ok(()),
        }
    }
}

/// Labels of letters, digits and `-` (RFC 1123, section 2.1), of which the last is no number, since that were an address.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253
        && host.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_names_with_or_without_the_rest() {
        for (text, shown, port) in [
            ("localhost", "localhost", None),
            ("LocalHost:7777", "localhost:7777", Some(7777)),
            ("vm.example", "vm.example", None),
            ("https://vm.example", "https://vm.example", Some(443)),
            ("https://vm.example:443", "https://vm.example", Some(443)),
            ("http://vm:8080", "http://vm:8080", Some(8080)),
            ("192.0.2.1:80", "192.0.2.1:80", Some(80)),
            ("[2001:db8:0::1]", "[2001:db8::1]", None),
            ("[::1]:7777", "[::1]:7777", Some(7777)),
        ] {
            let site: Site = text.parse().unwrap();
            assert_eq!((site.to_string().as_str(), site.port), (shown, port));
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a..b",
            "-a",
            "a_b",
            "me@host",
            "ftp://host",
            "host/",
            "http://",
            "host:0",
            "host:+1",
            "host:70000",
            "[::1",
            "::1",
            "1.2.3",
            "localhost.",
            "*",
        ] {
            assert!(bad.parse::<Site>().is_err(), "{bad}");
        }
    }
}
