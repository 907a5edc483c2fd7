//! What can go wrong with networks, and the way out.

use ipnet::Ipv4Net;

use super::PREFIXES;
use crate::error::{Advice, Kind};
use crate::store;
use crate::value::Name;

/// A failure that has to do with networks' rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A query failed.
    #[error("the database failed")]
    Query(#[from] rusqlite::Error),
    /// A row holds what this version did not write.
    #[error("the database holds {text:?} where {what} should be")]
    Row { what: &'static str, text: String },
    /// There is no such network.
    #[error("there is no network {name:?}")]
    NotFound { name: String },
    /// The name is taken.
    #[error("the network \"{name}\" exists already")]
    Exists { name: Name },
    /// The subnet has no room, or is not written as one.
    #[error("{subnet} cannot be a network's addresses")]
    BadSubnet { subnet: Ipv4Net },
    /// Another network has some of these addresses.
    #[error("{subnet} overlaps {other_subnet} of the network \"{other}\"")]
    Overlaps {
        subnet: Ipv4Net,
        other: Name,
        other_subnet: Ipv4Net,
    },
    /// Machines hold addresses in it.
    #[error("the network \"{name}\" is in use by {}", machines.join(", "))]
    InUse { name: Name, machines: Vec<String> },
    /// Every address is held.
    #[error("every address of the network \"{name}\" ({subnet}) is taken")]
    Full { name: Name, subnet: Ipv4Net },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NotFound { .. } => Kind::NotFound,
            Error::BadSubnet { .. } => Kind::Usage,
            Error::Exists { .. }
            | Error::Overlaps { .. }
            | Error::InUse { .. }
            | Error::Full { .. } => Kind::Refused,
            Error::Query(_) | Error::Row { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotFound { .. } => "see: sistemo network list".into(),
            Error::Exists { .. } => "choose another name".into(),
            Error::BadSubnet { .. } => format!(
                "a subnet is a network address with a prefix of /{} to /{}: 10.201.0.0/16",
                PREFIXES.start(),
                PREFIXES.end()
            ),
            Error::Overlaps { .. } => "choose other addresses, such as 10.201.0.0/16".into(),
            Error::InUse { .. } => "delete those machines first".into(),
            Error::Full { .. } => {
                "delete machines of it, or use another network (--network)".into()
            }
            Error::Query(error) => return store::error::way_out_of(error),
            Error::Row { .. } => return None,
        })
    }
}
