//! Rows of `snapshots`: what is known of machines' snapshots beside their files.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::machines::Spec;
use super::volumes::{Doing, Role};
use super::{Error, Fields, Store, unreadable};
use crate::value::{ByteSize, MachineId, Name};

/// A snapshot as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Also the name of the folder that its files are in.
    pub id: MachineId,
    pub name: Name,
    /// The machine that it is of; none any more for one whose machine is gone while a fork still uses it.
    pub machine: Option<MachineId>,
    /// What is being done to its files.
    pub doing: Option<Doing>,
    /// Whether it was made for one fork, and goes with it.
    pub passing: bool,
    pub taken: Taken,
    /// What its files take on the host's disk.
    pub size: ByteSize,
    pub created_at: String,
}

/// What a machine was at the moment of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// What the machine was called.
    pub machine: Name,
    pub spec: Spec,
    pub image: Option<String>,
    pub image_digest: Option<String>,
    /// Where its guest was, as the guest knows it.
    pub place: Option<Place>,
    /// The state of its memory and devices, if it ran.
    pub memory: Option<Memory>,
    /// The disk with the kernel's modules, which is not copied.
    pub modules: Option<PathBuf>,
    /// Its disks in the order in which the guest numbers them, but for the modules, which come last.
    pub disks: Vec<TakenDisk>,
}

/// A guest's place in its network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub network: Name,
    pub ip: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
}

/// What a state was saved by, and so can be loaded by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub vmm: String,
    pub version: String,
    pub accelerator: String,
    /// What the guest's processor is made of: the host's model and features where it executes itself, and nothing under
    /// software emulation, which has one processor for each version.
    pub processor: String,
    /// The version of the orders that its guest program understands.
    #[serde(default)]
    pub orders: u32,
}

/// A copy of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenDisk {
    /// The volume that it is a copy of.
    pub volume: String,
    pub name: Name,
    pub role: Role,
    pub size: ByteSize,
    pub mount_path: Option<String>,
    pub image_digest: Option<String>,
    /// What its image says of its application, JSON.
    pub config: Option<String>,
    /// The name of the file in the snapshot's folder.
    pub file: String,
}

const COLUMNS: &str = "id, name, machine_id, doing, passing, taken, size_bytes, created_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<SnapshotRow> {
    let mut fields = Fields::of(row);
    // Fields are evaluated in the order in which they stand here, which is that of COLUMNS.
    Ok(SnapshotRow {
        id: fields.parsed()?,
        name: fields.parsed()?,
        machine: fields.parsed_or_null()?,
        doing: fields.parsed_or_null()?,
        passing: fields.next()?,
        taken: serde_json::from_str(fields.text()?.unwrap_or_default()).map_err(unreadable)?,
        size: ByteSize::bytes(fields.next::<i64>()?.cast_unsigned()),
        created_at: fields.next()?,
    })
}

impl Store {
    /// Adds a snapshot. `false` when the machine has one of that name.
    pub fn add_snapshot(&self, row: &SnapshotRow) -> Result<bool, Error> {
        let taken = serde_json::to_string(&row.taken).map_err(unreadable)?;
        let added = self.lock().execute(
            &format!(
                "INSERT INTO snapshots ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (machine_id, name) DO NOTHING"
            ),
            params![
                row.id.to_string(),
                row.name.as_str(),
                row.machine.map(|id| id.to_string()),
                row.doing.map(Doing::as_str),
                row.passing,
                taken,
                row.size.as_u64().cast_signed(),
                row.created_at,
            ],
        )?;
        Ok(added == 1)
    }

    /// One snapshot.
    pub fn snapshot(&self, id: &MachineId) -> Result<Option<SnapshotRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM snapshots WHERE id = ?1"))?;
        Ok(query.query_row([id.to_string()], from_row).optional()?)
    }

    /// The snapshots of one machine, or of all, that are whole and stay; the oldest first.
    pub fn snapshots(&self, machine: Option<&MachineId>) -> Result<Vec<SnapshotRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM snapshots WHERE doing IS NULL AND NOT passing \
             AND machine_id IS NOT NULL AND (?1 IS NULL OR machine_id = ?1) \
             ORDER BY created_at, name"
        ))?;
        let rows = query.query_map([machine.map(ToString::to_string)], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Snapshots of a machine that stay, whole or not.
    pub fn snapshots_to_delete(&self, machine: &MachineId) -> Result<Vec<SnapshotRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM snapshots WHERE machine_id = ?1 AND NOT passing"
        ))?;
        let rows = query.query_map([machine.to_string()], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Snapshots that are being made or deleted, or were made for one fork.
    pub fn unfinished_snapshots(&self) -> Result<Vec<SnapshotRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM snapshots WHERE doing IS NOT NULL OR passing"
        ))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A snapshot is whole, and its files take so much.
    pub fn keep_snapshot(&self, id: &MachineId, size: ByteSize) -> Result<(), Error> {
        self.durably(|connection| {
            connection.execute(
                "UPDATE snapshots SET doing = NULL, size_bytes = ?2 WHERE id = ?1",
                params![id.to_string(), size.as_u64().cast_signed()],
            )?;
            Ok(())
        })
    }

    /// Something begins to be done to a snapshot. `false` when it is gone.
    pub fn begin_on_snapshot(&self, id: &MachineId, doing: Doing) -> Result<bool, Error> {
        let begun = self.lock().execute(
            "UPDATE snapshots SET doing = ?2 WHERE id = ?1",
            [id.to_string().as_str(), doing.as_str()],
        )?;
        Ok(begun == 1)
    }

    /// Takes a snapshot's row away.
    pub fn remove_snapshot(&self, id: &MachineId) -> Result<(), Error> {
        self.lock()
            .execute("DELETE FROM snapshots WHERE id = ?1", [id.to_string()])?;
        Ok(())
    }
}
