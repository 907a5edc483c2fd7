//! Forwarded ports as ssh(1) writes them, and addresses to listen on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::BadValue;

/// Where connections are waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listen {
    /// On this machine alone when no address is named; on all of its addresses for `*` or nothing before the colon.
    Tcp {
        bind: Option<String>,
        port: u16,
    },
    Unix(PathBuf),
}

/// Where connections are led to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// `[BIND:]PORT:HOST:PORT`, with a path in the place of either pair; an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Forward {
    pub listen: Listen,
    pub reach: Reach,
}

impl FromStr for Forward {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::Forward(text.into());
        let fields = fields(text).ok_or_else(bad)?;
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let (listen, reach) = match fields.as_slice() {
            [listen, rest @ ..] if is_path(listen) => (Some(Listen::Unix(listen.into())), rest),
            [bind, port, rest @ ..] if rest.len() == 2 => (tcp(Some(bind), port), rest),
            [bind, port, path] if is_path(path) => (tcp(Some(bind), port), &fields[2..]),
            [port, rest @ ..] => (tcp(None, port), rest),
            [] => (None, &fields[..]),
        };
        let reach = match reach {
            [path] if is_path(path) => Some(Reach::Unix(path.into())),
            [host, port] if !host.is_empty() => {
                port_number(port)
                    .filter(|port| *port > 0)
                    .map(|port| Reach::Tcp {
                        host: (*host).into(),
                        port,
                    })
            }
            _ => None,
        };
        Ok(Forward {
            listen: listen.ok_or_else(bad)?,
            reach: reach.ok_or_else(bad)?,
        })
    }
}

impl FromStr for Listen {
    type Err = BadValue;

    /// `[BIND:]PORT`, as `ssh -D` has it.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let fields = fields(text).unwrap_or_default();
        let listen = match fields.as_slice() {
            [port] => tcp(None, port),
            [bind, port] => tcp(Some(bind), port),
            _ => None,
        };
        listen.ok_or_else(|| BadValue::Listen(text.into()))
    }
}

/// The address of a server: `localhost:7777`, `[::1]:7777`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text.parse()? {
            Listen::Tcp {
                bind: Some(host),
                port,
            } if !host.is_empty() && port > 0 => Ok(Address { host, port }),
            _ => Err(BadValue::Listen(text.into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp { bind: None, port } => write!(f, "localhost:{port}"),
            Listen::Tcp {
                bind: Some(bind),
                port,
            } if bind.is_empty() => write!(f, "*:{port}"),
            Listen::Tcp {
                bind: Some(bind),
                port,
            } => write!(f, "{}:{port}", bracketed(bind)),
            Listen::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Tcp { host, port } => write!(f, "{}:{port}", bracketed(host)),
            Reach::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.into(),
    }
}

fn is_path(field: &str) -> bool {
    field.contains('/')
}

fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn tcp(bind: Option<&str>, port: &str) -> Option<Listen> {
    // An empty address is every address, as `*` is.
    let bind = bind.map(|bind| if bind == "*" { "" } else { bind }.to_string());
    Some(Listen::Tcp {
        bind,
        port: port_number(port)?,
    })
}

/// The fields between colons; in brackets colons are letters.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (field, after) = inner.split_once(']')?;
                (field, after)
            }
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        fields.push(field.to_string());
        match (after.is_empty(), after.strip_prefix(':')) {
            (true, _) => return Some(fields),
            (false, Some(more)) => rest = more,
            (false, None) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(bind: Option<&str>, port: u16) -> Listen {
        Listen::Tcp {
            bind: bind.map(String::from),
            port,
        }
    }

    fn to(host: &str, port: u16) -> Reach {
        Reach::Tcp {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn forwards_are_read_as_ssh_reads_them() {
        let cases = [
            ("8080:localhost:80", tcp(None, 8080), to("localhost", 80)),
            ("0:db:5432", tcp(None, 0), to("db", 5432)),
            ("*:8080:web:80", tcp(Some(""), 8080), to("web", 80)),
            (":8080:web:80", tcp(Some(""), 8080), to("web", 80)),
            ("10.0.0.1:1:a:2", tcp(Some("10.0.0.1"), 1), to("a", 2)),
            ("[::1]:1:[fe80::1]:2", tcp(Some("::1"), 1), to("fe80::1", 2)),
            (
                "8080:/run/app.sock",
                tcp(None, 8080),
                Reach::Unix("/run/app.sock".into()),
            ),
            (
                "[::1]:8080:/run/a",
                tcp(Some("::1"), 8080),
                Reach::Unix("/run/a".into()),
            ),
            (
                "./a.sock:db:1",
                Listen::Unix("./a.sock".into()),
                to("db", 1),
            ),
            ("/a:/b", Listen::Unix("/a".into()), Reach::Unix("/b".into())),
        ];
        for (text, listen, reach) in cases {
            assert_eq!(text.parse(), Ok(Forward { listen, reach }), "{text}");
        }
        for bad in [
            "",
            "8080",
            "8080:80",
            "8080:",
            "a:b:c",
            "8080:host:",
            "8080:host:0",
            "8080::80",
            "1:2:3:4:5",
            "65536:a:1",
            "1:a:65536",
            "-1:a:1",
            "+1:a:1",
            "[::1:1:a:2",
            "[::1]x:1:a:2",
            "1:a:b:2",
        ] {
            assert!(bad.parse::<Forward>().is_err(), "{bad}");
        }
    }

    #[test]
    fn places_to_listen_and_addresses() {
        assert_eq!("1080".parse(), Ok(tcp(None, 1080)));
        assert_eq!("[::]:1080".parse(), Ok(tcp(Some("::"), 1080)));
        for bad in ["", "a", "1:2:3", "1.2.3.4", "/sock"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
        for text in ["localhost:7777", "[::1]:80"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for bad in [
            "7777",
            ":7777",
            "localhost:0",
            "localhost",
            "localhost:http",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
