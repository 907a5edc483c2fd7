//! Values that are right by construction: names, identifiers, sizes. Parsed once, where they enter.

mod alike;
mod forward;
mod moment;
mod port;
#[cfg(test)]
mod properties;
mod site;
mod url;
mod variable;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use alike::nearest;
pub use forward::{Address, Forward, Listen, Reach};
pub use moment::Moment;
pub use port::{PortMapping, Protocol};
pub use site::{Scheme, Site};
pub use url::without_secrets;
pub use variable::{BadVariable, Variable};

use crate::error::{Advice, Kind};

/// Text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// Not a DNS label.
    #[error("{0:?} is not a name")]
    Name(String),
    /// Not a size.
    #[error("{0:?} is not a size")]
    Size(String),
    /// Not a time.
    #[error("{0:?} is not a time")]
    Moment(String),
    /// Not a port or a pair of ports.
    #[error("{0:?} is not a port")]
    Port(String),
    /// Not a forwarded port.
    #[error("{0:?} does not say what is forwarded where")]
    Forward(String),
    /// Not a port with or without an address.
    #[error("{0:?} is no port to listen on")]
    Listen(String),
    /// Not a name of a server.
    #[error("{0:?} is no name of a server")]
    Site(String),
}

impl Advice for BadValue {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            BadValue::Name(_) => {
                "a name has 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-': web, db-2".into()
            }
            BadValue::Port(_) => {
                "a port is a number from 1 to 65535, alone or behind the host's: 80, 8080:80, 53:53/udp".into()
            }
            BadValue::Forward(_) => {
                "write [ADDRESS:]PORT:HOST:PORT, or a path for either pair: 8080:localhost:80, 5432:/run/db.sock".into()
            }
            BadValue::Listen(_) => "write a port, or an address and a port: 1080, localhost:1080, [::1]:1080".into(),
            BadValue::Site(_) => "write a name, with a scheme and a port if they are others: vm.lan, https://vm.example".into(),
            BadValue::Moment(_) => {
                "a time is so long ago (10m, 1h30m, 2d), a date (2026-01-31, 2026-01-31T08:00, 2026-01-31T08:00:00Z), or \
                 seconds since 1970 (1769846400)".into()
            }
            BadValue::Size(_) => "a size is a number with a unit: 512M, 2G, 1.5GiB (a bare number is in MB)".into(),
        })
    }
}

/// The name of a machine, volume or network: a DNS label (RFC 1123 §2.1, lower case), so that it serves as host name,
/// file name and shell word alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes (RFC 1035 §2.3.4).
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends = |b: Option<&u8>| b.is_some_and(|b| plain(*b));
        let good = bytes.len() <= Self::MAX
            && ends(bytes.first())
            && ends(bytes.last())
            && bytes.iter().all(|b| plain(*b) || *b == b'-');
        if good {
            Ok(Name(text.into()))
        } else {
            Err(BadValue::Name(text.into()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = BadValue;
    fn try_from(text: String) -> Result<Self, BadValue> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A machine's identifier: a random UUID (RFC 9562 version 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MachineId(uuid::Uuid);

impl MachineId {
    /// A fresh identifier.
    #[expect(
        clippy::new_without_default,
        reason = "a default identifier would be a surprise"
    )]
    pub fn new() -> Self {
        MachineId(uuid::Uuid::new_v4())
    }

    /// The first eight hexadecimal digits: the part that kernel object names carry.
    pub fn short(&self) -> String {
        self.0.simple().to_string()[..8].to_string()
    }
}

impl FromStr for MachineId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::Uuid::parse_str(text).map(MachineId)
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A size in bytes. Never zero when parsed from text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        ByteSize(bytes)
    }

    /// So many MiB (2^20 bytes).
    pub const fn mib(mib: u64) -> Self {
        ByteSize(mib << 20)
    }

    /// So many GiB (2^30 bytes).
    pub const fn gib(gib: u64) -> Self {
        ByteSize(gib << 30)
    }

    /// The size in bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The size in whole MiB, rounded up.
    pub const fn mib_up(self) -> u64 {
        self.0.div_ceil(1 << 20)
    }
}

impl FromStr for ByteSize {
    type Err = BadValue;

    /// `512` (MB), `512M`, `2G`, `2GB`, `1.5GiB`; every unit is a power of 1024, as memory and disks of virtual
    /// machines are counted. Case does not matter. At most 2^63 - 1 bytes.
    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue::Size(text.into());
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "b" => 0,
            "k" | "kb" | "kib" => 10,
            "" | "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(bad()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
            return Err(bad());
        }
        let whole: u128 = whole.parse().map_err(|_| bad())?;
        let scale = 10u128.pow(fraction.len() as u32);
        let fraction: u128 = fraction.parse().map_err(|_| bad())?;
        let bytes = (whole
            .checked_mul(scale)
            .and_then(|w| w.checked_add(fraction)))
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(bad)?
            / scale;
        match i64::try_from(bytes) {
            Ok(bytes) if bytes > 0 => Ok(ByteSize(bytes as u64)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for ByteSize {
    /// The shortest of `512 B`, `1.5 KiB`, `512 MiB`, `2 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut value, mut unit) = (self.0 as f64, "B");
        for next in ["KiB", "MiB", "GiB", "TiB"] {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, next);
        }
        let text = if value.fract() < 0.05 || value >= 100.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.1}")
        };
        f.pad(&format!("{text} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "web", "db-2", "0", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "Web",
            "a_b",
            "a.b",
            "../x",
            "a b",
            "é",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let size = |text: &str| text.parse::<ByteSize>().map(ByteSize::as_u64);
        assert_eq!(size("512"), Ok(512 << 20));
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("2GB"), Ok(2 << 30));
        assert_eq!(size("1.5GiB"), Ok(3 << 29));
        assert_eq!(size("1.5 gib"), Ok(3 << 29));
        for bad in [
            "",
            "0",
            "0M",
            "-1",
            "-1G",
            "M",
            "1X",
            "1.G",
            ".5G",
            "1e3",
            "99999999999999T",
            "1.2.3G",
            "0.0000001M",
            "NaN",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_written_short() {
        let text = |bytes| ByteSize::bytes(bytes).to_string();
        assert_eq!(text(2 << 30), "2 GiB");
        assert_eq!(text(3 << 29), "1.5 GiB");
        assert_eq!(text(900), "900 B");
        assert_eq!(text(512 << 20), "512 MiB");
    }
}
