//! SQLite: migrations and queries, nothing else. One file per table; rows are plain structs.
//!
//! The database is in WAL mode, so that any number of processes read while one writes (<https://sqlite.org/wal.html>).
//! A [`Store`] is cheap to clone; its one connection is behind a mutex, and no query is held across an `await`.

pub mod history;
pub mod images;
pub mod machines;
pub mod networks;
pub mod operations;
pub mod volumes;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use rusqlite_migration::{M, Migrations};

use crate::error::Advice;

/// How long a query waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);

static MIGRATIONS: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(vec![M::up(include_str!("migrations/0001_first.sql"))]));

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or brought up to date.
    #[error("cannot open the database {}", path.display())]
    Open {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query failed.
    #[error("the database failed")]
    Query(#[from] rusqlite::Error),
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Open { path, .. } => Some(format!(
                "check that {} can be written and comes from this version of sistemo or an older one",
                path.display()
            )),
            Error::Query(_) => None,
        }
    }
}

/// The open database.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<Connection>>);

impl Store {
    /// Opens the database at `path`, making it or bringing it up to date as needed.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = || -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            MIGRATIONS.to_latest(&mut connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|source| Error::Open {
            path: path.into(),
            source,
        })?;
        Ok(Store(Arc::new(Mutex::new(connection))))
    }

    /// The connection, for one query or one transaction.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Now, as rows and JSON hold it: RFC 3339, UTC, whole milliseconds.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// A text column parsed into the type it stands for.
fn column<T: FromStr>(row: &Row<'_>, name: &str) -> rusqlite::Result<T>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    parsed(&row.get::<_, String>(name)?)
}

/// The same for a column that may be NULL.
fn column_or_null<T: FromStr>(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<T>>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    row.get::<_, Option<String>>(name)?
        .as_deref()
        .map(parsed)
        .transpose()
}

fn parsed<T: FromStr>(text: &str) -> rusqlite::Result<T>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    text.parse().map_err(|error: T::Err| unreadable(error))
}

/// A stored value that this program cannot read, or one that it cannot write.
fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
