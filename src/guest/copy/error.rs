//! What can go wrong while files are copied.

use std::io;

use crate::error::{Advice, Kind};
use crate::guest::sftp;

/// A failure to copy. `place` is a path as a person reads it: `/srv/data`, `web:/srv/data`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {act} {place}")]
    Act {
        act: &'static str,
        place: String,
        source: Cause,
    },
    #[error("{0} is not a folder")]
    NotAFolder(String),
    #[error("{0} is a folder")]
    IsAFolder(String),
    #[error("there is no folder {0}")]
    NoFolder(String),
    #[error("{place} is a {what}")]
    Special { place: String, what: &'static str },
    #[error("{0} is a symbolic link, through which nothing is written")]
    ThroughLink(String),
    #[error("{0} would be copied into itself")]
    IntoItself(String),
    #[error("the guest calls something in {place} {name:?}, which is not a name")]
    BadName { place: String, name: String },
    #[error("another copy is writing {0}")]
    Busy(String),
    #[error("{0} changed while it was copied")]
    Changed(String),
    #[error("{failed} of {all} could not be copied")]
    Some {
        failed: u64,
        all: u64,
        /// The first of them, a line each.
        lines: Vec<String>,
    },
    #[error("neither side of the copy is a machine")]
    NoMachine,
    #[error("standard input and something else cannot be copied together")]
    TwoStreams,
    /// A failure that was reported, in its words.
    #[error("{0}")]
    Told(String),
    #[error("cancelled")]
    Cancelled,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Host(#[from] io::Error),
    #[error(transparent)]
    Guest(#[from] sftp::Error),
}

impl From<nix::Error> for Cause {
    fn from(error: nix::Error) -> Cause {
        Cause::Host(error.into())
    }
}

impl Cause {
    pub(super) fn kind(&self) -> io::ErrorKind {
        match self {
            Cause::Host(error) => error.kind(),
            Cause::Guest(error) => error.kind(),
        }
    }

    /// Whether a disk is full. A guest says so in words only.
    fn is_full(&self) -> bool {
        match self {
            Cause::Host(error) => matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            Cause::Guest(sftp::Error::Status { text, .. }) => text.contains("No space left"),
            Cause::Guest(_) => false,
        }
    }
}

impl Error {
    fn cause(&self) -> Option<&Cause> {
        match self {
            Error::Act { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether this was the end of the connection.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.cause(), Some(Cause::Guest(error)) if error.is_end())
    }

    /// Whether it makes no sense to go on with other files.
    pub(super) fn ends_all(&self) -> bool {
        self.is_lost()
            || matches!(self, Error::Cancelled)
            || self.cause().is_some_and(Cause::is_full)
    }

    /// Whether what there is of a file may be of use when it is copied again.
    pub(super) fn keeps_part(&self) -> bool {
        self.is_lost() || matches!(self, Error::Cancelled)
    }

    /// The error and its cause on one line.
    pub(super) fn line(&self) -> String {
        match self.cause() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Act { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Error::NoFolder(_) => Kind::NotFound,
            Error::NotAFolder(_)
            | Error::IsAFolder(_)
            | Error::IntoItself(_)
            | Error::NoMachine
            | Error::TwoStreams => Kind::Usage,
            Error::Busy(_) | Error::ThroughLink(_) | Error::Special { .. } => Kind::Refused,
            Error::Cancelled => Kind::Cancelled,
            Error::Act { .. }
            | Error::BadName { .. }
            | Error::Changed(_)
            | Error::Told(_)
            | Error::Some { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Act { place, source, .. } => match source.kind() {
                io::ErrorKind::NotFound if place.contains(['*', '?', '[']) => {
                    "patterns are not expanded in a machine; name the folder, or each file"
                }
                _ if source.is_full() => "make room there, and run the command again",
                _ if self.is_lost() => {
                    "run the command again; large files go on where they stopped"
                }
                io::ErrorKind::PermissionDenied if matches!(source, Cause::Guest(_)) => {
                    "copy as a user who may: USER@MACHINE:PATH"
                }
                io::ErrorKind::PermissionDenied => {
                    "run it as a user who may, for example with sudo"
                }
                io::ErrorKind::NotFound => {
                    "check the path; in a machine, a relative one begins in the user's home"
                }
                _ => return None,
            },
            Error::NotAFolder(_) => "name a folder to copy several files or a folder to",
            Error::IsAFolder(_) => "remove it, or name another destination",
            Error::NoFolder(_) => "make it first, or name another destination",
            Error::Special { .. } => {
                "only files, folders and symbolic links are copied; - is standard input and output"
            }
            Error::ThroughLink(_) => "remove the link, or copy to where it leads",
            Error::IntoItself(_) => "name a destination outside of it",
            Error::Busy(_) => "wait for it to end",
            Error::Changed(_) => "run the command again when nothing writes to it",
            Error::Cancelled => "run the command again; large files go on where they stopped",
            Error::NoMachine => {
                "a path in a machine is MACHINE:PATH, for example: sistemo machine cp notes.txt web:/root/"
            }
            Error::TwoStreams => "copy them one after the other",
            Error::BadName { .. } | Error::Told(_) | Error::Some { .. } => return None,
        };
        Some(hint.into())
    }

    fn detail(&self) -> Option<String> {
        match self {
            Error::Some { failed, lines, .. } => {
                let mut text = lines.join("\n");
                let more = failed.saturating_sub(lines.len() as u64);
                if more > 0 {
                    text += &format!("\n… and {more} more");
                }
                Some(text)
            }
            _ => None,
        }
    }
}
