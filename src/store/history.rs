//! Rows of `history`: who did what, when, how long it took and how it ended.

use std::fmt::Display;
use std::time::Instant;

use rusqlite::params;
use serde::Serialize;

use super::{Error, Store};

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// Number in order; 0 for a row not yet written.
    pub id: i64,
    /// When it began: RFC 3339, UTC.
    pub at: String,
    /// Who did it; `null` of what was done before this was written down.
    pub user: Option<String>,
    pub action: String,
    /// `machine`, `volume`, `image` or `network`.
    pub target: String,
    pub name: String,
    pub duration_ms: i64,
    pub ok: bool,
    pub error: Option<String>,
}

impl HistoryRow {
    /// What `user` began to do to something at a time, and how it has ended now.
    pub fn ended<T, E: Display>(
        user: String,
        (target, action, name): (&str, &str, &str),
        begun: Instant,
        outcome: &Result<T, E>,
    ) -> HistoryRow {
        let took = begun.elapsed();
        HistoryRow {
            id: 0,
            at: super::ago(took),
            user: Some(user),
            action: action.into(),
            target: target.into(),
            name: name.into(),
            duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            ok: outcome.is_ok(),
            error: outcome.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Store {
    /// Writes down one thing done; `id` is given by the database.
    pub fn add_history(&self, row: &HistoryRow) -> Result<(), Error> {
        self.lock().execute(
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
