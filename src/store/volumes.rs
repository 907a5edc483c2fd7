//! Rows of `volumes`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Error, Fields, Store};
use crate::value::{ByteSize, MachineId, Name};

/// What a volume is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A machine boots from it.
    Root,
    /// A machine mounts it beside its root.
    Data,
}

impl Role {
    /// The word for it, as shown and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Data => "data",
        }
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "root" => Ok(Role::Root),
            "data" => Ok(Role::Data),
            _ => Err(format!("unknown role {text:?}")),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A volume as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeRow {
    pub id: String,
    pub name: Name,
    pub role: Role,
    pub size: ByteSize,
    pub path: PathBuf,
    pub machine: Option<MachineId>,
    pub mount_path: Option<String>,
    pub image_digest: Option<String>,
    pub created_at: String,
}

const COLUMNS: &str =
    "id, name, role, size_bytes, path, machine_id, mount_path, image_digest, created_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<VolumeRow> {
    let mut fields = Fields::of(row);
    // Fields are evaluated in the order in which they stand here, which is that of COLUMNS.
    Ok(VolumeRow {
        id: fields.next()?,
        name: fields.parsed()?,
        role: fields.parsed()?,
        size: ByteSize::bytes(fields.next::<i64>()?.cast_unsigned()),
        path: fields.next::<String>()?.into(),
        machine: fields.parsed_or_null()?,
        mount_path: fields.next()?,
        image_digest: fields.next()?,
        created_at: fields.next()?,
    })
}

impl Store {
    /// Adds a volume. `false` when its name is taken.
    pub fn add_volume(&self, row: &VolumeRow) -> Result<bool, Error> {
        let added = self.lock().execute(
            "INSERT INTO volumes (id, name, role, size_bytes, path, machine_id, mount_path, \
             image_digest, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT (name) DO NOTHING",
            params![
                row.id,
                row.name.as_str(),
                row.role.as_str(),
                row.size.as_u64().cast_signed(),
                row.path.to_string_lossy(),
                row.machine.map(|id| id.to_string()),
                row.mount_path,
                row.image_digest,
                row.created_at,
            ],
        )?;
        Ok(added == 1)
    }

    /// Every volume, by name.
    pub fn volumes(&self) -> Result<Vec<VolumeRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes ORDER BY name"))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The volumes of one machine: its root first, then by name.
    pub fn volumes_of(&self, machine: &MachineId) -> Result<Vec<VolumeRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM volumes WHERE machine_id = ?1 ORDER BY role = 'data', name"
        ))?;
        let rows = query.query_map([machine.to_string()], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Volumes that `text` may mean: the one of that name, else those whose identifier begins with it.
    pub fn volumes_like(&self, text: &str) -> Result<Vec<VolumeRow>, Error> {
        let connection = self.lock();
        let mut by_name =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes WHERE name = ?1"))?;
        if let Some(row) = by_name.query_row([text], from_row).optional()? {
            return Ok(vec![row]);
        }
        let mut by_id = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM volumes WHERE substr(id, 1, length(?1)) = lower(?1) LIMIT 2"
        ))?;
        let rows = by_id.query_map([text], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives a free volume to a machine, which mounts it at `mount_path`. `false` when another machine has it.
    pub fn claim_volume(
        &self,
        id: &str,
        machine: &MachineId,
        mount_path: &str,
    ) -> Result<bool, Error> {
        let claimed = self.lock().execute(
            "UPDATE volumes SET machine_id = ?2, mount_path = ?3 \
             WHERE id = ?1 AND (machine_id IS NULL OR machine_id = ?2)",
            params![id, machine.to_string(), mount_path],
        )?;
        Ok(claimed == 1)
    }

    /// Frees a volume.
    pub fn release_volume(&self, id: &str) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE volumes SET machine_id = NULL, mount_path = NULL WHERE id = ?1",
            [id],
        )?;
        Ok(())
    }

    /// Writes down a volume's size.
    pub fn set_volume_size(&self, id: &str, size: ByteSize) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE volumes SET size_bytes = ?2 WHERE id = ?1",
            params![id, size.as_u64().cast_signed()],
        )?;
        Ok(())
    }

    /// Takes a volume's row away.
    pub fn remove_volume(&self, id: &str) -> Result<(), Error> {
        self.lock()
            .execute("DELETE FROM volumes WHERE id = ?1", [id])?;
        Ok(())
    }
}
