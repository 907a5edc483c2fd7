//! The addresses that machines hold: rows of `addresses`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use rusqlite::OptionalExtension;

use super::{Error, get};
use crate::store::Store;
use crate::value::{MachineId, Name};

impl Store {
    /// Gives the machine the lowest free address of the network, for as long as its row exists or until
    /// [`Store::release_address`]. A machine that has one keeps it. Two processes never get the same.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] or [`Error::Full`].
    pub fn allocate_address(&self, network: &Name, machine: &MachineId) -> Result<Ipv4Addr, Error> {
        self.immediately(|transaction| {
            let network = get(transaction, network)?.ok_or_else(|| Error::NotFound {
                name: network.to_string(),
            })?;
            let own = transaction
                .query_row(
                    "SELECT ip FROM addresses WHERE machine_id = ? AND network = ?",
                    [machine.to_string().as_str(), network.name.as_str()],
                    |row| row.get::<_, String>(0),
                )
                .optional()?;
            if let Some(text) = own {
                return address(text);
            }
            let taken = transaction
                .prepare("SELECT ip FROM addresses WHERE network = ?")?
                .query_map([network.name.as_str()], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()?;
            let taken: BTreeSet<Ipv4Addr> =
                taken.into_iter().map(address).collect::<Result<_, _>>()?;
            let ip = network.free_for_machines().find(|ip| !taken.contains(ip));
            let ip = ip.ok_or_else(|| Error::Full {
                name: network.name.clone(),
                subnet: network.subnet,
            })?;
            transaction.execute(
                "INSERT INTO addresses (network, ip, machine_id) VALUES (?, ?, ?)",
                [network.name.as_str(), &ip.to_string(), &machine.to_string()],
            )?;
            Ok(ip)
        })
    }

    /// The address that the machine of that name has in the network.
    pub fn guest_address(&self, network: &Name, machine: &Name) -> Result<Option<Ipv4Addr>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT addresses.ip FROM addresses JOIN machines ON machines.id = machine_id \
             WHERE name = ?1 AND addresses.network = ?2",
        )?;
        let ip = query.query_row([machine.as_str(), network.as_str()], |row| row.get(0));
        ip.optional()?.map(address).transpose()
    }

    /// The name of the machine that has an address of the network.
    pub fn guest_name(&self, network: &Name, ip: Ipv4Addr) -> Result<Option<Name>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT name FROM machines JOIN addresses ON machines.id = machine_id \
             WHERE addresses.ip = ?1 AND addresses.network = ?2",
        )?;
        let name = query.query_row([ip.to_string().as_str(), network.as_str()], |row| {
            row.get::<_, String>(0)
        });
        let parse = |text: String| {
            let unreadable = |_| Error::Row {
                what: "a machine's name",
                text: text.clone(),
            };
            text.parse().map_err(unreadable)
        };
        name.optional()?.map(parse).transpose()
    }

    /// Takes the machine's address back. Fine when it has none.
    pub fn release_address(&self, machine: &MachineId) -> Result<(), Error> {
        self.lock().execute(
            "DELETE FROM addresses WHERE machine_id = ?",
            [machine.to_string()],
        )?;
        Ok(())
    }
}

fn address(text: String) -> Result<Ipv4Addr, Error> {
    text.parse().map_err(|_| Error::Row {
        what: "an address",
        text,
    })
}
