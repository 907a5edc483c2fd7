//! What can be wrong with secrets.

use std::path::PathBuf;

use sistemo::error::{self, Advice, Kind};

/// A secret that cannot be had, or does not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("others than its owner may read or change {}", .0.display())]
    Exposed(PathBuf),
    #[error("{} holds no token", .0.display())]
    NoToken(PathBuf),
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
    /// Somebody tried to come in with something else than the token.
    #[error("a wrong token")]
    WrongToken,
    /// The same with a ticket, or one that is used or too old.
    #[error("a wrong, used or old ticket")]
    WrongTicket,
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::File { .. } | Error::Random(_) => Kind::Failed,
            Error::Exposed(_) | Error::NoToken(_) | Error::WrongToken | Error::WrongTicket => {
                Kind::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::File { source, .. } => error::way_out_of(source),
            Error::Exposed(path) | Error::NoToken(path) => Some(format!(
                "somebody may know it; have a new one made: rm {}",
                path.display()
            )),
            Error::Random(_) => None,
            Error::WrongToken | Error::WrongTicket => {
                Some("a link that lets one in: sistemo web".into())
            }
        }
    }
}
