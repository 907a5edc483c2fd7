//! Ports of the host that lead into a machine: `80`, `8080:80`, `53:53/udp`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::BadValue;

/// A transport protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Protocol {
    /// The word for it, as shown, as stored and as nftables knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

impl FromStr for Protocol {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            _ => Err(BadValue::Port(text.into())),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A port of the host that leads to a port of a machine. Neither is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortMapping {
    pub host: u16,
    pub machine: u16,
    pub protocol: Protocol,
}

impl FromStr for PortMapping {
    type Err = BadValue;

    /// Reads `[HOST:]MACHINE[/tcp|/udp]`.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::Port(text.into());
        let (ports, protocol) = match text.split_once('/') {
            Some((ports, protocol)) => (ports, protocol.parse().map_err(|_| bad())?),
            None => (text, Protocol::Tcp),
        };
        // Digits only: a number's own parser would take a sign.
        let port = |text: &str| match text.parse() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
            _ => Err(bad()),
        };
        let (host, machine) = ports.split_once(':').unwrap_or((ports, ports));
        Ok(PortMapping {
            host: port(host)?,
            machine: port(machine)?,
            protocol,
        })
    }
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.machine, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<PortMapping>().map(|port| port.to_string());
        assert_eq!(read("80").unwrap(), "80:80/tcp");
        assert_eq!(read("8080:80").unwrap(), "8080:80/tcp");
        assert_eq!(read("53:53/udp").unwrap(), "53:53/udp");
        assert_eq!(read("65535:1/tcp").unwrap(), "65535:1/tcp");
        for bad in [
            "",
            "0",
            "80:0",
            "65536",
            "+80",
            "-1",
            "80:",
            ":80",
            "80:80:80",
            "80/sctp",
            "http",
            "80 ",
            "127.0.0.1:80:80",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
