//! Rows of `ports`: which port of the host leads into which machine.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

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
    /// The ports of the host that lead into each machine that has any, in order.
    pub fn ports_by_machine(&self) -> Result<HashMap<MachineId, Vec<PortMapping>>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT host_port, protocol, machine_port, machine_id FROM ports \
             ORDER BY host_port, protocol",
        )?;
        let mut ports: HashMap<_, Vec<_>> = HashMap::new();
        for row in query.query_map([], from_row)? {
            let (machine, port) = row?;
            ports.entry(machine).or_default().push(port);
        }
        Ok(ports)
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
        match claimed {
            1 => Ok(None),
            _ => owner(&connection, port),
        }
    }

    /// The machine that a port of the host leads into.
    pub fn port_owner(&self, port: &PortMapping) -> Result<Option<MachineId>, Error> {
        owner(&self.lock(), port)
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

fn owner(connection: &Connection, port: &PortMapping) -> Result<Option<MachineId>, Error> {
    let mut query = connection
        .prepare_cached("SELECT machine_id FROM ports WHERE host_port = ?1 AND protocol = ?2")?;
    let key = params![port.host, port.protocol.as_str()];
    Ok(query
        .query_row(key, |row| column(row, "machine_id"))
        .optional()?)
}
