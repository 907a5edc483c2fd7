//! What changes rows of `machines`.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{MachineRow, ProcessRow, Status};
use crate::store::operations::{self, OperationRow};
use crate::store::{Error, Store, unreadable};
use crate::value::{MachineId, Name};

/// What became of giving a machine another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renamed {
    Done,
    /// Another machine has the name.
    NameTaken,
    /// Another volume has the name that the root volume would have.
    RootTaken,
}

impl Store {
    /// Adds a machine together with the first line of the operation that makes it. `false` when its name is taken.
    pub fn add_machine(&self, row: &MachineRow, begins: &OperationRow) -> Result<bool, Error> {
        let spec = serde_json::to_string(&row.spec).map_err(unreadable)?;
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
            operations::put(&transaction, begins)?;
        }
        transaction.commit()?;
        Ok(added == 1)
    }

    /// Says whether a machine's ports are being changed.
    pub fn set_unsettled(&self, id: &MachineId, unsettled: bool) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET unsettled = ?2 WHERE id = ?1",
            params![id.to_string(), unsettled],
        )?;
        Ok(())
    }

    /// Says whether a machine is to come up again by itself. That it runs, or that somebody stops it, settles it.
    pub fn set_resume(&self, id: &MachineId, resume: bool) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET resume = ?2 WHERE id = ?1",
            params![id.to_string(), resume],
        )?;
        Ok(())
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

    /// Says what a machine is about to be started with.
    pub fn set_vmm(&self, id: &MachineId, vmm: &str, accelerator: &str) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE machines SET vmm = ?2, accelerator = ?3 WHERE id = ?1",
            params![id.to_string(), vmm, accelerator],
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

pub(in crate::store) fn put_status(
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
