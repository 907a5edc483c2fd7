//! SQLite: migrations and queries, nothing else. One file per table; rows are plain structs.
//!
//! The database is in WAL mode, so that any number of processes read while one writes (<https://sqlite.org/wal.html>).
//! A [`Store`] is cheap to clone; its one connection is behind a mutex, and no query is held across an `await`.
//!
//! A killed process loses nothing that was committed. When the host loses power, the last commits may be lost and what
//! they were about may not (`synchronous=NORMAL`, <https://sqlite.org/pragma.html#pragma_synchronous>). That must not
//! happen to the beginning of an operation, lest its disks and files be nobody's, nor to its end, lest a deploy that was
//! called done be taken back: those commits reach the disk before they return, and with them all earlier ones.

mod error;
pub mod history;
pub mod images;
pub mod machines;
pub mod networks;
mod open;
pub mod operations;
mod owners;
pub mod ports;
pub mod snapshots;
mod version;
pub mod volumes;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, Row};

pub use error::Error;
use open::connect;
pub use version::Versions;

/// How many characters of an identifier are the least that may stand for it: fewer are begun by too many to be meant, and
/// a short name of something that is gone is not to be taken for them.
pub const LEAST_PREFIX: usize = 4;

/// The open database.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<Connection>>);

impl Store {
    /// Opens the database at `path`, making it or bringing it up to date as needed. One that this program does not
    /// understand is left as it is.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = connect(path).map_err(|failure| failure.about(path))?;
        Ok(Store(Arc::new(Mutex::new(connection))))
    }

    /// The connection, for one query or one transaction.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work`, and has what it commits on the disk, with all that was committed before, when it returns.
    fn durably<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.lock();
        connection.pragma_update(None, "synchronous", "FULL")?;
        let result = work(&mut connection);
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        result
    }
}

/// Now, as rows and JSON hold it: RFC 3339, UTC, whole milliseconds.
pub fn now() -> String {
    ago(Duration::ZERO)
}

/// The time that was so long ago, in the same form.
pub fn ago(past: Duration) -> String {
    let now = jiff::Timestamp::now();
    now.checked_sub(past)
        .unwrap_or(now)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// A row's columns in the order of the query. By name each would be looked for among all of them, which is most of the
/// work of reading a thousand rows.
struct Fields<'a> {
    row: &'a Row<'a>,
    at: usize,
}

impl<'a> Fields<'a> {
    fn of(row: &'a Row<'a>) -> Self {
        Fields { row, at: 0 }
    }

    /// The next column as it is.
    fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.at += 1;
        self.row.get(self.at - 1)
    }

    /// The next column, text that stands for a value.
    fn parsed<T: FromStr>(&mut self) -> rusqlite::Result<T>
    where
        T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        parsed(self.text()?.unwrap_or_default())
    }

    /// The same of a column that may be NULL.
    fn parsed_or_null<T: FromStr>(&mut self) -> rusqlite::Result<Option<T>>
    where
        T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.text()?.map(parsed).transpose()
    }

    fn text(&mut self) -> rusqlite::Result<Option<&'a str>> {
        self.at += 1;
        Ok(self.row.get_ref(self.at - 1)?.as_str_or_null()?)
    }
}

/// A text column parsed into the type it stands for.
fn column<T: FromStr>(row: &Row<'_>, name: &str) -> rusqlite::Result<T>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    parsed(&row.get::<_, String>(name)?)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_database_is_opened_by_many_at_once_and_read_by_nobody_else() {
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("sistemo.db");
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        Store::open(&path).unwrap().machines().unwrap();
                    });
                }
            });
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_done_durably_leaves_the_database_as_quick_as_before() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("sistemo.db")).unwrap();
        let level = |connection: &Connection| -> u32 {
            connection
                .query_row("PRAGMA synchronous", [], |row| row.get(0))
                .unwrap()
        };
        // FULL is 2, NORMAL is 1.
        let during = store.durably(|connection| Ok(level(connection))).unwrap();
        let failed: Result<(), Error> =
            store.durably(|_| Err(rusqlite::Error::InvalidQuery.into()));
        assert!(failed.is_err());
        assert_eq!((during, level(&store.lock())), (2, 1));
    }
}
