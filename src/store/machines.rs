//! Rows of `machines`.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::operations::OperationRow;
use super::{Error, Fields, Store, column};
use crate::guest::words::{Command, Restart};
use crate::value::{ByteSize, MachineId, Name};

/// What a machine was last seen to be. The drawing of its life is in [`crate::machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Creating,
    Stopped,
    Starting,
    Running,
    Stopping,
    Failed,
    Deleting,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 7] = [
        Status::Creating,
        Status::Stopped,
        Status::Starting,
        Status::Running,
        Status::Stopping,
        Status::Failed,
        Status::Deleting,
    ];

    /// The word for it, as shown and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Stopped => "stopped",
            Status::Starting => "starting",
            Status::Running => "running",
            Status::Stopping => "stopping",
            Status::Failed => "failed",
            Status::Deleting => "deleting",
        }
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("unknown status {text:?}"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was asked for at deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub vcpus: u8,
    pub memory: ByteSize,
    /// What runs instead of an init, from the image's configuration and the user's wishes; absent for an OS image.
    pub command: Option<Command>,
    /// Ports that the image says its application listens on: `80/tcp`.
    #[serde(default)]
    pub exposed: Vec<String>,
    /// When the machine is started again after its hypervisor has ended by itself.
    #[serde(default = "never")]
    pub restart: Restart,
    #[serde(default)]
    pub limits: Limits,
}

/// How much of the host a machine may take; without a limit as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Megabits per second that it may send, and as many that it may be sent.
    pub bandwidth_mbps: Option<u32>,
    /// Reads and writes per second, of all its disks together.
    pub iops: Option<u32>,
}

fn never() -> Restart {
    Restart::No
}

/// Which hypervisor process runs a machine. A pid alone proves nothing: it is reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    pub pid: u32,
    /// Clock ticks since boot at which it began (proc_pid_stat(5), field 22).
    pub started: u64,
    /// `/proc/sys/kernel/random/boot_id` of the boot it belongs to.
    pub boot_id: String,
}

/// A machine as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineRow {
    pub id: MachineId,
    pub name: Name,
    pub status: Status,
    pub spec: Spec,
    pub image: Option<String>,
    pub image_digest: Option<String>,
    pub network: Option<Name>,
    pub ip: Option<std::net::Ipv4Addr>,
    pub mac: Option<String>,
    /// Public half of the guest's SSH host key, OpenSSH form.
    pub host_key: Option<String>,
    pub vmm: Option<String>,
    pub accelerator: Option<String>,
    pub process: Option<ProcessRow>,
    pub failure: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
}

/// What became of giving a machine another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    Done,
    /// Another machine has the name.
    NameTaken,
    /// Another volume has the name that the root volume would have.
    RootTaken,
}

const COLUMNS: &str = "id, name, status, spec, image, image_digest, network, ip, mac, host_key, \
     vmm, accelerator, pid, pid_started, boot_id, failure, created_at, started_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<MachineRow> {
    let mut fields = Fields::of(row);
    // Fields are evaluated in the order in which they stand here, which is that of COLUMNS.
    Ok(MachineRow {
        id: fields.parsed()?,
        name: fields.parsed()?,
        status: fields.parsed()?,
        spec: serde_json::from_str(fields.text()?.unwrap_or_default())
            .map_err(super::unreadable)?,
        image: fields.next()?,
        image_digest: fields.next()?,
        network: fields.parsed_or_null()?,
        ip: fields.parsed_or_null()?,
        mac: fields.next()?,
        host_key: fields.next()?,
        vmm: fields.next()?,
        accelerator: fields.next()?,
        process: process(fields.next()?, fields.next()?, fields.next()?),
        failure: fields.next()?,
        created_at: fields.next()?,
        started_at: fields.next()?,
    })
}

fn process(pid: Option<u32>, started: Option<i64>, boot_id: Option<String>) -> Option<ProcessRow> {
    Some(ProcessRow {
        pid: pid?,
        started: started?.cast_unsigned(),
        boot_id: boot_id?,
    })
}

impl Store {
    /// Adds a machine together with the first line of the operation that makes it. `false` when its name is taken.
    pub fn add_machine(&self, row: &MachineRow, begins: &OperationRow) -> Result<bool, Error> {
        let spec = serde_json::to_string(&row.spec).map_err(super::unreadable)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let added = transaction.execute(
            "INSERT INTO machines (id, name, status, spec, image, image_digest, network, ip, mac, \
             host_key, vmm, accelerator, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
             ON CONFLICT (name) DO NOTHING",
            params![
                row.id.to_string(),
                row.name.as_str(),
                row.status.as_str(),
                spec,
                row.image,
                row.image_digest,
                row.network.as_ref().map(Name::as_str),
                row.ip.map(|ip| ip.to_string()),
                row.mac,
                row.host_key,
                row.vmm,
                row.accelerator,
                row.created_at,
            ],
        )?;
        if added == 1 {
            super::operations::put(&transaction, begins)?;
        }
        transaction.commit()?;
        Ok(added == 1)
    }

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
            "SELECT {COLUMNS} FROM machines WHERE (status = 'running' OR pid IS NOT NULL) \
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

    /// Says whether a machine's ports are being changed.
    pub fn set_unsettled(&self, id: &MachineId, unsettled: bool) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET unsettled = ?2 WHERE id = ?1",
            params![id.to_string(), unsettled],
        )?;
        Ok(())
    }

    /// Whether any machine runs, or is about to, or is being stopped.
    pub fn any_machine_up(&self) -> Result<bool, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM machines \
             WHERE status IN ('creating', 'starting', 'running', 'stopping'))",
        )?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// The processes of all machines that run and to which nothing is being done.
    pub fn running_processes(&self) -> Result<Vec<(MachineId, ProcessRow)>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT id, pid, pid_started, boot_id FROM machines WHERE status = 'running' \
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
             WHERE status IN ('creating', 'starting', 'running', 'stopping')",
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

    /// Says whether a machine is to come up again by itself. That it runs, or that somebody stops it, settles it.
    pub fn set_resume(&self, id: &MachineId, resume: bool) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET resume = ?2 WHERE id = ?1",
            params![id.to_string(), resume],
        )?;
        Ok(())
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
        let mut by_id = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM machines WHERE substr(id, 1, length(?1)) = lower(?1) LIMIT 2"
        ))?;
        let rows = by_id.query_map([text], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Sets what a machine was last seen to be, and why when it failed.
    pub fn set_status(
        &self,
        id: &MachineId,
        status: Status,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        put_status(&self.lock(), id, status, failure)
    }

    /// Gives a machine and its root volume other names, both or neither.
    pub fn rename_machine(
        &self,
        id: &MachineId,
        name: &Name,
        root: &Name,
    ) -> Result<Renamed, Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken = |query: &str, name: &Name| -> Result<bool, Error> {
            let names = params![id.to_string(), name.as_str()];
            Ok(transaction.query_row(query, names, |row| row.get(0))?)
        };
        if taken(
            "SELECT EXISTS (SELECT 1 FROM machines WHERE name = ?2 AND id <> ?1)",
            name,
        )? {
            return Ok(Renamed::NameTaken);
        }
        if taken(
            "SELECT EXISTS (SELECT 1 FROM volumes WHERE name = ?2 \
             AND NOT (role = 'root' AND machine_id IS ?1))",
            root,
        )? {
            return Ok(Renamed::RootTaken);
        }
        transaction.execute(
            "UPDATE machines SET name = ?2 WHERE id = ?1",
            params![id.to_string(), name.as_str()],
        )?;
        transaction.execute(
            "UPDATE volumes SET name = ?2 WHERE machine_id = ?1 AND role = 'root'",
            params![id.to_string(), root.as_str()],
        )?;
        transaction.commit()?;
        Ok(Renamed::Done)
    }

    /// Writes down the public half of the guest's SSH host key.
    pub fn set_host_key(&self, id: &MachineId, public: &str) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET host_key = ?2 WHERE id = ?1",
            params![id.to_string(), public],
        )?;
        Ok(())
    }

    /// Says which process runs a machine, or that none does any more.
    pub fn set_process(&self, id: &MachineId, process: Option<&ProcessRow>) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET pid = ?2, pid_started = ?3, boot_id = ?4 WHERE id = ?1",
            params![
                id.to_string(),
                process.map(|p| p.pid),
                process.map(|p| p.started.cast_signed()),
                process.map(|p| p.boot_id.as_str()),
            ],
        )?;
        Ok(())
    }

    /// Says with what and when a machine was started.
    pub fn set_started(
        &self,
        id: &MachineId,
        vmm: &str,
        accelerator: &str,
        at: &str,
    ) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET vmm = ?2, accelerator = ?3, started_at = ?4 WHERE id = ?1",
            params![id.to_string(), vmm, accelerator, at],
        )?;
        Ok(())
    }

    /// Gives a machine its address.
    pub fn set_address(
        &self,
        id: &MachineId,
        ip: std::net::Ipv4Addr,
        mac: &str,
    ) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET ip = ?2, mac = ?3 WHERE id = ?1",
            params![id.to_string(), ip.to_string(), mac],
        )?;
        Ok(())
    }

    /// Takes a machine's row away, with its address and its journal. Volumes must be gone or free.
    pub fn remove_machine(&self, id: &MachineId) -> Result<(), Error> {
        self.lock()
            .execute("DELETE FROM machines WHERE id = ?1", [id.to_string()])?;
        Ok(())
    }
}

pub(super) fn put_status(
    connection: &Connection,
    id: &MachineId,
    status: Status,
    failure: Option<&str>,
) -> Result<(), Error> {
    connection.execute(
        "UPDATE machines SET status = ?2, failure = ?3, \
         resume = resume AND ?2 NOT IN ('running', 'stopping') WHERE id = ?1",
        params![id.to_string(), status.as_str(), failure],
    )?;
    Ok(())
}
