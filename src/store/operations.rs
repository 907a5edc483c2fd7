//! Rows of `operations`: the journal of what is being done to each machine.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::machines::Status;
use super::{Error, Store, column};
use crate::value::MachineId;

/// What is being done to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Deploy,
    Start,
    Stop,
    Delete,
    Pause,
    Resume,
    /// A snapshot is made of the machine.
    Snapshot,
    /// The machine becomes what it was at a snapshot, memory included.
    Restore,
    /// Its disks become what they were; it is stopped then.
    RestoreDisks,
    /// The machine comes about from the snapshot of another.
    Fork,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [OperationKind; 10] = [
        OperationKind::Deploy,
        OperationKind::Start,
        OperationKind::Stop,
        OperationKind::Delete,
        OperationKind::Pause,
        OperationKind::Resume,
        OperationKind::Snapshot,
        OperationKind::Restore,
        OperationKind::RestoreDisks,
        OperationKind::Fork,
    ];

    /// The word for it, as stored and as history shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationKind::Deploy => "deploy",
            OperationKind::Start => "start",
            OperationKind::Stop => "stop",
            OperationKind::Delete => "delete",
            OperationKind::Pause => "pause",
            OperationKind::Resume => "resume",
            OperationKind::Snapshot => "snapshot",
            OperationKind::Restore => "restore",
            OperationKind::RestoreDisks => "restore-disks",
            OperationKind::Fork => "fork",
        }
    }
}

impl FromStr for OperationKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        OperationKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("unknown operation {text:?}"))
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An operation that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRow {
    pub machine: MachineId,
    pub kind: OperationKind,
    /// JSON that the steps need beyond the machine's row.
    pub detail: String,
    /// The step that may have acted; those before it have.
    pub step: usize,
    /// Whether it is being taken back.
    pub undoing: bool,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<OperationRow> {
    Ok(OperationRow {
        machine: column(row, "machine_id")?,
        kind: column(row, "kind")?,
        detail: row.get("detail")?,
        step: row.get::<_, u32>("step")? as usize,
        undoing: row.get("undoing")?,
    })
}

impl Store {
    /// An operation begins: its first line and the machine's status change together, and outlast a loss of power.
    pub fn begin_operation(&self, row: &OperationRow, status: Status) -> Result<(), Error> {
        self.durably(|connection| {
            let transaction = connection.transaction()?;
            put(&transaction, row)?;
            super::machines::put_status(&transaction, &row.machine, status, None)?;
            Ok(transaction.commit()?)
        })
    }

    /// Writes an operation's next step, or its turning back.
    pub fn put_operation(&self, row: &OperationRow) -> Result<(), Error> {
        put(&self.lock(), row)
    }

    /// Every operation that has not ended.
    pub fn operations(&self) -> Result<Vec<OperationRow>, Error> {
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT machine_id, kind, detail, step, undoing FROM operations")?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The operation that a machine is in, if any.
    pub fn operation(&self, machine: &MachineId) -> Result<Option<OperationRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT machine_id, kind, detail, step, undoing FROM operations WHERE machine_id = ?1",
        )?;
        Ok(query
            .query_row([machine.to_string()], from_row)
            .optional()?)
    }

    /// An operation has ended, and left the machine so; that outlasts a loss of power.
    pub fn end_operation(
        &self,
        machine: &MachineId,
        status: Status,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        self.durably(|connection| {
            let transaction = connection.transaction()?;
            super::machines::put_status(&transaction, machine, status, failure)?;
            transaction.execute(
                "DELETE FROM operations WHERE machine_id = ?1",
                [machine.to_string()],
            )?;
            Ok(transaction.commit()?)
        })
    }
}

pub(super) fn put(connection: &Connection, row: &OperationRow) -> Result<(), Error> {
    connection.execute(
        "INSERT INTO operations (machine_id, kind, detail, step, undoing, started_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (machine_id) DO UPDATE SET \
         kind = excluded.kind, detail = excluded.detail, step = excluded.step, \
         undoing = excluded.undoing",
        params![
            row.machine.to_string(),
            row.kind.as_str(),
            row.detail,
            u32::try_from(row.step).unwrap_or(u32::MAX),
            row.undoing,
            super::now(),
        ],
    )?;
    Ok(())
}
