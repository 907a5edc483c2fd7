//! Rows of `ports`: which port of the host leads into which machine.

use rusqlite::{Row, params};

use super::{Error, Store, column};
use crate::value::{MachineId, PortMapping, Protocol};

fn from_row(row: &Row<'_>) -> rusqlite::Result<(MachineId, PortMapping)> {
    let mapping = PortMapping {
        host: row.get("host_port")?,
        machine: row.get("machine_port")?,
        protocol: column(row, "protocol")?,
    };
    Ok((column(row, "machine_id")?, mapping))
}

impl Store {
    /// Every port of the host that leads into a machine, in order.
    pub fn ports(&self) -> Result<Vec<(MachineId, PortMapping)>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT host_port, protocol, machine_port, machine_id FROM ports \
             ORDER BY host_port, protocol",
        )?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The ports that lead into one machine, in order.
    pub fn ports_of(&self, machine: &MachineId) -> Result<Vec<PortMapping>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT host_port, protocol, machine_port, machine_id FROM ports \
             WHERE machine_id = ?1 ORDER BY host_port, protocol",
        )?;
        let rows = query.query_map([machine.to_string()], |row| Ok(from_row(row)?.1))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives a port of the host to a machine; where it led before, if it was the machine's already, does not matter.
    /// When another machine has it, that one.
    pub fn claim_port(
        &self,
        machine: &MachineId,
        port: &PortMapping,
    ) -> Result<Option<MachineId>, Error> {
        let connection = self.lock();
        let claimed = connection.execute(
            "INSERT INTO ports (host_port, protocol, machine_port, machine_id) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (host_port, protocol) DO UPDATE \
             SET machine_port = excluded.machine_port WHERE machine_id = excluded.machine_id",
            params![
                port.host,
                port.protocol.as_str(),
                port.machine,
                machine.to_string()
            ],
        )?;
        if claimed == 1 {
            return Ok(None);
        }
        let owner = connection.query_row(
            "SELECT machine_id FROM ports WHERE host_port = ?1 AND protocol = ?2",
            params![port.host, port.protocol.as_str()],
            |row| column(row, "machine_id"),
        )?;
        Ok(Some(owner))
    }

    /// Takes a port of the host back from whichever machine has it.
    pub fn release_port(&self, host: u16, protocol: Protocol) -> Result<(), Error> {
        self.lock().execute(
            "DELETE FROM ports WHERE host_port = ?1 AND protocol = ?2",
            params![host, protocol.as_str()],
        )?;
        Ok(())
    }
}
