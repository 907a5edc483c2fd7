//! Rows of `machines`: what they hold, and what is asked of them.

mod change;
mod row;

use std::collections::HashSet;

use rusqlite::OptionalExtension;

pub use change::Renamed;
pub(super) use change::put_status;
use row::{COLUMNS, from_row, process};
pub use row::{Limits, MachineRow, ProcessRow, Spec, Status};

use super::{Error, Fields, LEAST_PREFIX, Store, column};
use crate::value::MachineId;

impl Store {
    /// Every machine, by name.
    pub fn machines(&self) -> Result<Vec<MachineRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM machines ORDER BY name"))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every machine that is said to run, or whose hypervisor has ended and was not cleaned up after, and to which nothing
    /// is being done; by name.
    pub fn machines_to_watch(&self) -> Result<Vec<MachineRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM machines WHERE (status IN ('running', 'paused') OR pid IS NOT NULL) \
             AND id NOT IN (SELECT machine_id FROM operations) ORDER BY name"
        ))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Machines whose ports were being changed.
    pub fn unsettled_machines(&self) -> Result<Vec<MachineId>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT id FROM machines WHERE unsettled")?;
        let ids = query.query_map([], |row| column(row, "id"))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether any machine runs, or is about to, or is being stopped.
    pub fn any_machine_up(&self) -> Result<bool, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM machines \
             WHERE status IN ('creating', 'starting', 'running', 'paused', 'stopping'))",
        )?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// The processes of all machines that run and to which nothing is being done.
    pub fn running_processes(&self) -> Result<Vec<(MachineId, ProcessRow)>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT id, pid, pid_started, boot_id FROM machines WHERE status IN ('running', 'paused') \
             AND pid IS NOT NULL AND id NOT IN (SELECT machine_id FROM operations)",
        )?;
        let rows = query.query_map([], |row| {
            let mut fields = Fields::of(row);
            let id = fields.parsed()?;
            Ok((id, process(fields.next()?, fields.next()?, fields.next()?)))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, process)| Some((id, process?)))
            .collect())
    }

    /// Every machine that runs, or is about to, or is being stopped; with when its hypervisor was started, in clock ticks.
    pub fn machines_up(&self) -> Result<Vec<(MachineId, Option<u64>)>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT id, pid_started FROM machines \
             WHERE status IN ('creating', 'starting', 'running', 'paused', 'stopping')",
        )?;
        let rows = query.query_map([], |row| {
            let mut fields = Fields::of(row);
            let id = fields.parsed()?;
            Ok((id, fields.next::<Option<i64>>()?.map(i64::cast_unsigned)))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Machines that are down, to which nothing is being done, and that are to come up again: those that ran when the
    /// host went down, and those whose restart a daemon did not live to see.
    pub fn machines_to_resume(&self) -> Result<Vec<MachineRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM machines WHERE resume AND status IN ('stopped', 'failed') \
             AND id NOT IN (SELECT machine_id FROM operations) ORDER BY name"
        ))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether a machine is down and to come up again by itself.
    pub fn is_to_resume(&self, id: &MachineId) -> Result<bool, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM machines \
             WHERE id = ?1 AND resume AND status IN ('stopped', 'failed'))",
        )?;
        Ok(query.query_row([id.to_string()], |row| row.get(0))?)
    }

    /// The identifiers of all machines.
    pub fn machine_ids(&self) -> Result<HashSet<MachineId>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT id FROM machines")?;
        let rows = query.query_map([], |row| column(row, "id"))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// One machine.
    pub fn machine(&self, id: &MachineId) -> Result<Option<MachineRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM machines WHERE id = ?1"))?;
        Ok(query.query_row([id.to_string()], from_row).optional()?)
    }

    /// Machines that `text` may mean: the one of that name, else those whose identifier begins with it.
    pub fn machines_like(&self, text: &str) -> Result<Vec<MachineRow>, Error> {
        let connection = self.lock();
        let mut by_name = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM machines WHERE name = ?1"))?;
        if let Some(row) = by_name.query_row([text], from_row).optional()? {
            return Ok(vec![row]);
        }
        if text.len() < LEAST_PREFIX {
            return Ok(Vec::new());
        }
        let mut by_id = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM machines WHERE substr(id, 1, length(?1)) = lower(?1) LIMIT 2"
        ))?;
        let rows = by_id.query_map([text], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
