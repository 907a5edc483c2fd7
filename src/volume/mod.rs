//! Disks: raw ext4 files in the data directory, usable without Sistemo.
//!
//! This room makes, grows and removes the files and finds their rows. Who may have a volume, and when, is decided in
//! [`crate::machine`].

mod clone;
mod filesystem;
mod place;
#[cfg(test)]
mod properties;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use clone::{Clone, clone_image, partial};
pub use filesystem::{LEAST, grow, make};
pub use place::{Attachment, BadPath, MountPath};

use crate::error::{self, Advice, Kind};
use crate::host::{command, reclaim};
use crate::store::volumes::VolumeRow;
use crate::store::{self, Store};

/// A failure around a disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no volume {0:?}")]
    Unknown(String),
    #[error("{0:?} begins the identifier of several volumes")]
    Ambiguous(String),
    #[error("cannot copy the image {} to {}", from.display(), to.display())]
    Copy {
        from: PathBuf,
        to: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot make the volume {}", path.display())]
    Make {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot grow the volume {}", path.display())]
    Grow {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Tool(#[from] command::Error),
    #[error("cannot remove the disk {}", path.display())]
    Remove {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown(_) => Kind::NotFound,
            Error::Ambiguous(_) => Kind::Usage,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Unknown(_) => Some("see what there is: sistemo volume list".into()),
            Error::Ambiguous(_) => Some("type more of it, or the name".into()),
            Error::Tool(error) => error.hint(),
            Error::Copy { source, .. }
            | Error::Make { source, .. }
            | Error::Grow { source, .. }
            | Error::Remove { source, .. } => error::way_out_of(source),
            Error::Store(error) => error.hint(),
        }
    }
}

/// A volume as front ends see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Volume {
    pub id: String,
    pub name: String,
    pub role: String,
    /// `available`, `attached` or `in-use`.
    pub status: String,
    /// What the guest sees, in bytes.
    pub size_bytes: u64,
    /// What the file takes on the host's disk, in bytes; `null` when the file is not there.
    pub used_bytes: Option<u64>,
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub path: PathBuf,
    /// Name of the machine it belongs to.
    pub machine: Option<String>,
    pub mount_path: Option<String>,
    pub created_at: String,
}

/// Finds one volume by name, identifier or the beginning of an identifier.
pub fn find(store: &Store, text: &str) -> Result<VolumeRow, Error> {
    let mut found = store.volumes_like(text)?;
    match (found.pop(), found.is_empty()) {
        (Some(row), true) => Ok(row),
        (Some(_), false) => Err(Error::Ambiguous(text.into())),
        (None, _) => Err(Error::Unknown(text.into())),
    }
}

/// Space that the file takes on the host's disk, in bytes; `None` when it is not there.
pub fn used(path: &Path) -> Option<u64> {
    // st_blocks counts units of 512 bytes whatever the file system's block size (stat(3type)).
    std::fs::metadata(path).ok().map(|meta| meta.blocks() * 512)
}

/// Removes a disk's file. One that is not there is no failure.
pub fn remove(path: &Path) -> Result<(), Error> {
    gone(path, std::fs::remove_file(path))
}

/// The same for one that nobody waits for: its space may be free only a moment later.
pub fn reclaim(path: &Path) -> Result<(), Error> {
    gone(path, reclaim::remove(path))
}

fn gone(path: &Path, removed: std::io::Result<()>) -> Result<(), Error> {
    match removed {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Remove {
            path: path.into(),
            source,
        }),
        _ => Ok(()),
    }
}
