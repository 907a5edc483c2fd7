//! Why pages and API cannot be served.

use std::net::SocketAddr;
use std::path::PathBuf;

use sistemo::error::{self, Advice, Kind};
use sistemo::value::Address;

/// A server that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{address} is taken by {}", owner.as_deref().unwrap_or("another program"))]
    Taken {
        address: SocketAddr,
        /// Its name and process, where that can be seen.
        owner: Option<String>,
    },
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the address of {listen} cannot be found out")]
    Unknown {
        listen: Address,
        source: std::io::Error,
    },
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("setting {0} is there without setting {1}")]
    HalfPair(&'static str, &'static str),
    #[error("{} cannot be used for TLS: {why}", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error(transparent)]
    Access(#[from] crate::web::access::Error),
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Taken { .. } => Kind::Refused,
            Error::HalfPair(..) | Error::Certificate { .. } => Kind::Usage,
            // Names are often known a little later, when the network is up: a service is to try again.
            Error::Unknown { .. } | Error::Listen { .. } | Error::File { .. } => Kind::Failed,
            Error::Access(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Taken { address, .. } => {
                let port = address.port().saturating_add(1);
                format!("end it, or listen elsewhere: sistemo up --listen localhost:{port}")
            }
            Error::Listen { .. } | Error::Unknown { .. } => {
                "listen elsewhere: sistemo up --listen localhost:7777".into()
            }
            Error::File { source, .. } => return error::way_out_of(source),
            Error::HalfPair(_, missing) => {
                format!("set it, too: sistemo config set {missing} PATH")
            }
            Error::Certificate { .. } => {
                "it wants PEM, certificates in one file and the key to the first in another".into()
            }
            Error::Access(error) => return error.hint(),
        })
    }
}
