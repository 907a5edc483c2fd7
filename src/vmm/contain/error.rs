//! What goes wrong with containment, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Advice, Kind};

/// A hypervisor could not be contained, or not be seen off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It always is to be contained, and cannot be here.
    #[error("hypervisors cannot be contained here: {0}")]
    Unable(String),
    /// The kernel refused a part of it.
    #[error("cannot {act} for the hypervisor")]
    Refused {
        act: &'static str,
        #[source]
        source: io::Error,
    },
    /// The kernel refused something about a file or folder.
    #[error("cannot {act} {}", path.display())]
    Path {
        act: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The program is a script, whose interpreter is not there for it.
    #[error("{} is not a program but a script, which cannot be contained", .0.display())]
    Script(PathBuf),
}

impl Error {
    /// For `map_err`: what could not be done to the file or folder.
    pub(super) fn path<E: Into<io::Error>>(act: &'static str, path: &Path) -> impl Fn(E) -> Self {
        move |source| Error::Path {
            act,
            path: path.into(),
            source: source.into(),
        }
    }

    /// For `map_err`: what could not be done.
    pub(super) fn act<E: Into<io::Error>>(act: &'static str) -> impl Fn(E) -> Self {
        move |source| Error::Refused {
            act,
            source: source.into(),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unable(_) => Kind::Refused,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Unable(_) => {
                "as much of it as can be had: sistemo config set contain auto".into()
            }
            Error::Path { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "sistemo doctor finds out what is missing".into()
            }
            Error::Path { source, .. } if crate::error::way_out_of(source).is_some() => {
                return crate::error::way_out_of(source);
            }
            _ => "to run machines without containment: sistemo config set contain never".into(),
        })
    }
}
