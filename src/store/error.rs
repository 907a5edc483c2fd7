//! What can go wrong with the database, and the way out.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::open::{BUSY, Failure};
use crate::error::{self, Advice};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or brought up to date.
    #[error("cannot open the database {}", path.display())]
    Open { path: PathBuf, source: Cause },
    /// It has tables that this program knows nothing of.
    #[error(
        "the database {} comes from a newer version of sistemo: its form is {found}, and this program knows those up to {known}",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    /// It is a database of another program.
    #[error("the database {} is not one of this program", .0.display())]
    Foreign(PathBuf),
    /// Its bytes are not what SQLite wrote.
    #[error("the database {} is damaged", path.display())]
    Damaged { path: PathBuf, source: Cause },
    /// Its disk has no room for what SQLite needs to work with it.
    #[error("cannot open the database {}: its disk is full", .0.display())]
    Full(PathBuf),
    /// Somebody else is at it and does not end.
    #[error("another process has held the database {} for {} s", .0.display(), BUSY.as_secs())]
    Held(PathBuf),
    /// A query failed.
    #[error("the database failed")]
    Query(#[from] rusqlite::Error),
}

impl Failure {
    /// The failure as an error that names the database.
    pub(super) fn about(self, path: &Path) -> Error {
        let path = path.to_path_buf();
        match self {
            Failure::Newer { found, known } => Error::Newer { path, found, known },
            Failure::Foreign => Error::Foreign(path),
            Failure::Held => Error::Held(path),
            Failure::Full => Error::Full(path),
            Failure::Database(error) => match code(&error) {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged {
                    path,
                    source: error.into(),
                },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Held(path),
                Some(ErrorCode::DiskFull) => Error::Full(path),
                _ => Error::Open {
                    path,
                    source: error.into(),
                },
            },
            Failure::File(error) => Error::Open {
                path,
                source: error.into(),
            },
            Failure::Other(error) => Error::Open {
                path,
                source: error.into(),
            },
        }
    }
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

const FULL: &str = "the disk that the data directory is on is full; free some space there: sistemo image prune, sistemo volume list";
const DAMAGED: &str = "nothing was changed. Put a copy of it there if you have one; else save what can be read of it: \
     sqlite3 sistemo.db .recover | sqlite3 new.db. To begin anew move it away; disks and images stay";

/// The way out of what SQLite says, when there is one.
pub(super) fn way_out_of(error: &rusqlite::Error) -> Option<String> {
    Some(match code(error)? {
        ErrorCode::DiskFull => FULL.into(),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => held("sistemo.db"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => DAMAGED.into(),
        ErrorCode::SystemIoFailure => {
            "the disk that the data directory is on may be failing, or a limit on the size of files is in the way: see dmesg, ulimit -f"
                .into()
        }
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            "it must be writable, and its folder too: run it as root (sudo), or name another data directory with --data-dir"
                .into()
        }
        _ => return None,
    })
}

fn held(path: &str) -> String {
    format!("see which, and try again when it has ended: fuser -v {path}")
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Open { path, source } => {
                let of_disk = source.downcast_ref().and_then(error::way_out_of);
                let of_database = || source.downcast_ref().and_then(way_out_of);
                Some(of_disk.or_else(of_database).unwrap_or_else(|| {
                    format!("check that {} can be read and written", path.display())
                }))
            }
            Error::Newer { .. } => Some(
                "nothing was changed; use the newer version, or another data directory: --data-dir"
                    .into(),
            ),
            Error::Foreign(_) => {
                Some("nothing was changed; name another data directory: --data-dir".into())
            }
            Error::Damaged { .. } => Some(DAMAGED.into()),
            // Not even something could be deleted by the program itself.
            Error::Full(path) => Some(format!(
                "free some space on it: df {0}; what was downloaded goes without harm: rm -r {0}/images/blobs",
                path.parent().unwrap_or(path).display()
            )),
            Error::Held(path) => Some(held(&path.display().to_string())),
            Error::Query(error) => way_out_of(error),
        }
    }
}
