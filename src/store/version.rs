//! Whether the database has changed, for whoever keeps what was read from it.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::open::BUSY;
use super::{Error, Store};

/// Tells versions of the database apart. It has a connection of its own, so it sees what every other one commits, this
/// process's included, and waits for none of them.
#[derive(Debug)]
pub struct Versions(Mutex<Connection>);

impl Store {
    /// Opens a way to tell versions of the database apart.
    pub fn versions(&self) -> Result<Versions, Error> {
        let connection = self.lock();
        let path = connection.path().unwrap_or_default();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let own = Connection::open_with_flags(path, flags)?;
        own.busy_timeout(BUSY)?;
        Ok(Versions(Mutex::new(own)))
    }
}

impl Versions {
    /// A number that is another one once anything was committed since it was last asked for
    /// (<https://sqlite.org/pragma.html#pragma_data_version>). It takes microseconds.
    pub fn now(&self) -> Result<i64, Error> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = connection.prepare_cached("PRAGMA data_version")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_is_another_version_whoever_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let store = Store::open(&path).unwrap();
        let versions = store.versions().unwrap();
        let first = versions.now().unwrap();
        assert_eq!(versions.now().unwrap(), first);
        let begun = std::time::Instant::now();
        store.note_history("machine", "deploy", "web", begun, None);
        let second = versions.now().unwrap();
        assert_ne!(second, first);
        let other = Store::open(&path).unwrap();
        assert_eq!(versions.now().unwrap(), second, "opening changes nothing");
        other.note_history("machine", "delete", "web", begun, None);
        assert_ne!(versions.now().unwrap(), second);
    }
}
