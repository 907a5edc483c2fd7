//! Rows of `history`: who did what, when, how long it took and how it ended.

use std::time::Instant;

use rusqlite::params;
use serde::Serialize;

use super::{Error, Store};
use crate::host::user;

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HistoryRow {
    /// Number in order; 0 for a row not yet written.
    pub id: i64,
    /// When it began: RFC 3339, UTC.
    pub at: String,
    /// Who did it; `null` of what was done before this was written down.
    pub user: Option<String>,
    pub action: String,
    /// `machine`, `volume`, `image`, `network`, `daemon`, `service`, or `session` for a login by the browser, whose name is
    /// the address it came from.
    pub target: String,
    pub name: String,
    pub duration_ms: i64,
    pub ok: bool,
    pub error: Option<String>,
}

/// How many entries are kept: years of use by hand, and a few megabytes where a script deploys all day.
const KEPT: i64 = 20_000;

impl Store {
    /// Writes down what was done to a `machine`, a `volume`, a `network` or an `image`, which began then and went wrong
    /// if there is an error. History that cannot be written stops nothing.
    pub fn note_history(
        &self,
        target: &str,
        action: &str,
        name: &str,
        begun: Instant,
        error: Option<String>,
    ) {
        let took = begun.elapsed();
        let row = HistoryRow {
            id: 0,
            at: super::ago(took),
            user: Some(user::name()),
            action: action.into(),
            target: target.into(),
            name: name.into(),
            duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            ok: error.is_none(),
            error,
        };
        if let Err(error) = self.add_history(&row) {
            tracing::warn!(%error, "history was not written");
        }
    }

    /// Writes down one thing done; `id` is given by the database. The oldest entries make room.
    pub fn add_history(&self, row: &HistoryRow) -> Result<(), Error> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO history (at, user, action, target, name, duration_ms, ok, error) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                row.at,
                row.user,
                row.action,
                row.target,
                row.name,
                row.duration_ms,
                row.ok,
                row.error
            ],
        )?;
        let latest = connection.last_insert_rowid();
        connection.execute("DELETE FROM history WHERE id <= ?1", [latest - KEPT])?;
        Ok(())
    }

    /// The latest `limit` entries, newest first; with `machine` those of the machines that had that name.
    pub fn history(&self, machine: Option<&str>, limit: u32) -> Result<Vec<HistoryRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT id, at, user, action, target, name, duration_ms, ok, error FROM history \
             WHERE ?2 IS NULL OR (target = 'machine' AND name = ?2) ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = query.query_map(params![limit, machine], |row| {
            Ok(HistoryRow {
                id: row.get(0)?,
                at: row.get(1)?,
                user: row.get(2)?,
                action: row.get(3)?,
                target: row.get(4)?,
                name: row.get(5)?,
                duration_ms: row.get(6)?,
                ok: row.get(7)?,
                error: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).unwrap();
        let row = |name: &str| HistoryRow {
            id: 0,
            at: crate::store::now(),
            user: None,
            action: "start".into(),
            target: "machine".into(),
            name: name.into(),
            duration_ms: 1,
            ok: true,
            error: None,
        };
        store.add_history(&row("first")).unwrap();
        let many = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
             INSERT INTO history (id, at, action, target, name, duration_ms, ok) \
             SELECT i, '', '', 'machine', 'many', 0, 1 FROM n";
        store.lock().execute(many, [KEPT]).unwrap();
        assert_eq!(store.history(Some("first"), 10).unwrap().len(), 1);
        store.add_history(&row("last")).unwrap();
        assert!(store.history(Some("first"), 10).unwrap().is_empty());
        assert_eq!(store.history(None, 30_000).unwrap().len(), 20_000);
    }
}
