//! What can go wrong between the host and a guest's SFTP server.

use std::io;

use crate::guest::client;

/// A failure of one request, or of the connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The guest says no, and why.
    #[error("{text}")]
    Status { code: u32, text: String },
    /// The guest does not keep to the protocol.
    #[error("the guest sent {0}")]
    Protocol(&'static str),
    /// The connection or the session ended.
    #[error(transparent)]
    Connection(Box<client::Error>),
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Error {
        Error::Connection(Box::new(error))
    }
}

impl Error {
    /// What a status means; `text` is the guest's own word.
    pub(super) fn status(code: u32, text: &[u8]) -> Error {
        let text = String::from_utf8_lossy(text);
        // As it may be shown on a terminal.
        let text = text.chars().filter(|c| !c.is_control()).take(200).collect();
        Error::Status { code, text }
    }

    /// The kind of failure as far as the protocol tells (§7).
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Error::Status { code: 2, .. } => io::ErrorKind::NotFound,
            Error::Status { code: 3, .. } => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        }
    }

    /// Whether nothing more can come over this connection.
    pub fn is_end(&self) -> bool {
        !matches!(self, Error::Status { .. })
    }
}
