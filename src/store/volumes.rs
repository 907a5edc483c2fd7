//! Rows of `volumes`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Error, Fields, LEAST_PREFIX, Store};
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

/// What is being done to a volume's file. Written down before it begins, so that another process can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is being made.
    Create,
    /// It and its file system are being grown.
    Resize,
    /// It is being removed.
    Delete,
}

impl Doing {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Doing::Create => "create",
            Doing::Resize => "resize",
            Doing::Delete => "delete",
        }
    }

    /// What is being done, for a person.
    pub fn says(self) -> &'static str {
        match self {
            Doing::Create => "being made",
            Doing::Resize => "being resized",
            Doing::Delete => "being deleted",
        }
    }
}

impl FromStr for Doing {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Doing::Create, Doing::Resize, Doing::Delete]
            .into_iter()
            .find(|doing| doing.as_str() == text)
            .ok_or_else(|| format!("unknown operation {text:?}"))
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
    pub doing: Option<Doing>,
    pub created_at: String,
}

const COLUMNS: &str =
    "id, name, role, size_bytes, path, machine_id, mount_path, image_digest, doing, created_at";

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
        doing: fields.parsed_or_null()?,
        created_at: fields.next()?,
    })
}

impl Store {
    /// Adds a volume. `false` when its name is taken.
    pub fn add_volume(&self, row: &VolumeRow) -> Result<bool, Error> {
        let added = self.lock().execute(
            "INSERT INTO volumes (id, name, role, size_bytes, path, machine_id, mount_path, \
             image_digest, doing, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
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
                row.doing.map(Doing::as_str),
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
        if text.len() < LEAST_PREFIX {
            return Ok(Vec::new());
        }
        let mut by_id = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM volumes WHERE substr(id, 1, length(?1)) = lower(?1) LIMIT 2"
        ))?;
        let rows = by_id.query_map([text], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// One volume.
    pub fn volume(&self, id: &str) -> Result<Option<VolumeRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes WHERE id = ?1"))?;
        Ok(query.query_row([id], from_row).optional()?)
    }

    /// Volumes to which something is being done.
    pub fn unfinished_volumes(&self) -> Result<Vec<VolumeRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM volumes WHERE doing IS NOT NULL"
        ))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives a free volume to which nothing is being done to a machine. `false` when that is not what it is.
    pub fn claim_volume(
        &self,
        id: &str,
        machine: &MachineId,
        mount_path: &str,
    ) -> Result<bool, Error> {
        let claimed = self.lock().execute(
            "UPDATE volumes SET machine_id = ?2, mount_path = ?3 \
             WHERE id = ?1 AND (machine_id IS NULL OR machine_id = ?2) AND doing IS NULL",
            params![id, machine.to_string(), mount_path],
        )?;
        Ok(claimed == 1)
    }

    /// Something begins to be done to a volume that belongs to `machine`, or to none. `false` when it belongs to
    /// another, or something is being done to it already.
    pub fn begin_on_volume(
        &self,
        id: &str,
        doing: Doing,
        machine: Option<&MachineId>,
    ) -> Result<bool, Error> {
        let begun = self.lock().execute(
            "UPDATE volumes SET doing = ?2 WHERE id = ?1 AND doing IS NULL AND machine_id IS ?3",
            params![id, doing.as_str(), machine.map(ToString::to_string)],
        )?;
        Ok(begun == 1)
    }

    /// What was being done to a volume has ended, and left it so large.
    pub fn end_on_volume(&self, id: &str, size: ByteSize) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE volumes SET doing = NULL, size_bytes = ?2 WHERE id = ?1",
            params![id, size.as_u64().cast_signed()],
        )?;
        Ok(())
    }

    /// Gives a volume another name. `false` when that is taken.
    pub fn rename_volume(&self, id: &str, name: &Name) -> Result<bool, Error> {
        let renamed = self.lock().execute(
            "UPDATE OR IGNORE volumes SET name = ?2 WHERE id = ?1",
            params![id, name.as_str()],
        )?;
        Ok(renamed == 1)
    }

    /// Keeps with a root volume what its image says of its application, as JSON.
    pub fn set_volume_config(&self, id: &str, config: &str) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE volumes SET image_config = ?2 WHERE id = ?1",
            [id, config],
        )?;
        Ok(())
    }

    /// What was kept with a root volume.
    pub fn volume_config(&self, id: &str) -> Result<Option<String>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT image_config FROM volumes WHERE id = ?1")?;
        Ok(query
            .query_row([id], |row| row.get(0))
            .optional()?
            .flatten())
    }

    /// Frees a volume.
    pub fn release_volume(&self, id: &str) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE volumes SET machine_id = NULL, mount_path = NULL WHERE id = ?1",
            [id],
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
