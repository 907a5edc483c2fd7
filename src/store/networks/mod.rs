//! Networks: rows of `networks`, and in [`addresses`] the addresses in them that machines hold.

mod addresses;
mod error;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{Store, now};
use crate::value::Name;

pub use error::Error;

/// The name of the network of machines that were given none.
pub const DEFAULT: &str = "default";
/// Prefix lengths that a network may have: room for a gateway and a few machines, and no more than a private range.
const PREFIXES: std::ops::RangeInclusive<u8> = 8..=29;

/// A network: a row of the table of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: Name,
    /// Its addresses. No two networks overlap.
    pub subnet: Ipv4Net,
    /// Its bridge in the home: `sistemo0`, `sistemo1` …
    pub bridge: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

impl Network {
    /// The address of the bridge: the first of the subnet.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.subnet.network()) + 1)
    }

    /// The addresses that machines may have, in order: all but the network's own, the gateway's and the broadcast.
    fn free_for_machines(&self) -> impl Iterator<Item = Ipv4Addr> {
        let first = u32::from(self.subnet.network()) + 2;
        (first..u32::from(self.subnet.broadcast())).map(Ipv4Addr::from)
    }
}

const COLUMNS: &str = "name, subnet, bridge, created_at";

impl Store {
    /// Adds a network with the lowest free bridge name.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], [`Error::BadSubnet`] or [`Error::Overlaps`].
    pub fn create_network(&self, name: &Name, subnet: Ipv4Net) -> Result<Network, Error> {
        self.immediately(|transaction| {
            let networks = list(transaction)?;
            if networks.iter().any(|other| other.name == *name) {
                return Err(Error::Exists { name: name.clone() });
            }
            check_subnet(subnet, networks.iter())?;
            let taken: BTreeSet<_> = networks
                .iter()
                .map(|network| network.bridge.as_str())
                .collect();
            let bridge = (0u32..)
                .map(|n| format!("sistemo{n}"))
                .find(|name| !taken.contains(name.as_str()));
            let network = Network {
                name: name.clone(),
                subnet,
                bridge: bridge.unwrap_or_default(),
                created_at: now(),
            };
            transaction.execute(
                "INSERT INTO networks (name, subnet, bridge, created_at) VALUES (?, ?, ?, ?)",
                params![
                    name.as_str(),
                    subnet.to_string(),
                    network.bridge,
                    network.created_at
                ],
            )?;
            Ok(network)
        })
    }

    /// The network `name`, added with `subnet` if there is none of that name.
    pub fn ensure_network(&self, name: &Name, subnet: Ipv4Net) -> Result<Network, Error> {
        match self.network(name) {
            Err(Error::NotFound { .. }) => match self.create_network(name, subnet) {
                // Another process was quicker.
                Err(Error::Exists { .. }) => self.network(name),
                other => other,
            },
            other => other,
        }
    }

    /// Gives the network `name` other addresses, unless a machine holds one of those it has: then it keeps them. Comes
    /// back with the network as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::BadSubnet`] or [`Error::Overlaps`].
    pub fn readdress_network(&self, name: &Name, subnet: Ipv4Net) -> Result<Network, Error> {
        self.immediately(|transaction| {
            let mut network = get(transaction, name)?.ok_or_else(|| Error::NotFound {
                name: name.to_string(),
            })?;
            let held: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM addresses WHERE network = ?)",
                [name.as_str()],
                |row| row.get(0),
            )?;
            if held || network.subnet == subnet {
                return Ok(network);
            }
            let networks = list(transaction)?;
            check_subnet(subnet, networks.iter().filter(|other| other.name != *name))?;
            transaction.execute(
                "UPDATE networks SET subnet = ? WHERE name = ?",
                [subnet.to_string().as_str(), name.as_str()],
            )?;
            network.subnet = subnet;
            Ok(network)
        })
    }

    /// The network `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn network(&self, name: &Name) -> Result<Network, Error> {
        get(&self.lock(), name)?.ok_or_else(|| Error::NotFound {
            name: name.to_string(),
        })
    }

    /// Every network, the oldest first.
    pub fn networks(&self) -> Result<Vec<Network>, Error> {
        list(&self.lock())
    }

    /// Networks that were being deleted.
    pub fn unsettled_networks(&self) -> Result<Vec<Name>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT name FROM networks WHERE unsettled")?;
        let names = query.query_map([], |row| row.get(0))?;
        let names = names.collect::<Result<Vec<String>, _>>()?;
        let parse = |text: String| {
            let what = "a name";
            text.parse().map_err(|_| Error::Row { what, text })
        };
        names.into_iter().map(parse).collect()
    }

    /// Says whether a network is being deleted.
    pub fn mark_network(&self, name: &Name, unsettled: bool) -> Result<(), Error> {
        self.lock().execute(
            "UPDATE networks SET unsettled = ?2 WHERE name = ?1",
            params![name.as_str(), unsettled],
        )?;
        Ok(())
    }

    /// Deletes the network `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], and [`Error::InUse`] while any machine has an address in it.
    pub fn delete_network(&self, name: &Name) -> Result<(), Error> {
        self.immediately(|transaction| {
            let machines = transaction
                .prepare(
                    "SELECT machines.name FROM addresses JOIN machines ON machines.id = machine_id \
                     WHERE addresses.network = ? ORDER BY machines.name",
                )?
                .query_map([name.as_str()], |row| row.get(0))?
                .collect::<Result<Vec<String>, _>>()?;
            if !machines.is_empty() {
                return Err(Error::InUse {
                    name: name.clone(),
                    machines,
                });
            }
            match transaction.execute("DELETE FROM networks WHERE name = ?", [name.as_str()])? {
                0 => Err(Error::NotFound {
                    name: name.to_string(),
                }),
                _ => Ok(()),
            }
        })
    }

    /// Runs `work` in a transaction that writes from the start, so that nothing it read can have changed when it writes.
    fn immediately<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

/// Refuses addresses that are not a network's, or that another network has some of.
fn check_subnet<'a>(
    subnet: Ipv4Net,
    others: impl Iterator<Item = &'a Network>,
) -> Result<(), Error> {
    let first = subnet.network();
    // Addresses that mean something else to every computer (RFC 6890).
    let special = first.octets()[0] == 0
        || first.is_loopback()
        || first.is_link_local()
        || first.octets()[0] >= 224;
    if special || !PREFIXES.contains(&subnet.prefix_len()) || subnet.trunc() != subnet {
        return Err(Error::BadSubnet { subnet });
    }
    for other in others {
        if other.subnet.contains(&subnet) || subnet.contains(&other.subnet) {
            return Err(Error::Overlaps {
                subnet,
                other: other.name.clone(),
                other_subnet: other.subnet,
            });
        }
    }
    Ok(())
}

fn get(connection: &rusqlite::Connection, name: &Name) -> Result<Option<Network>, Error> {
    let query = format!("SELECT {COLUMNS} FROM networks WHERE name = ?");
    let row = connection
        .query_row(&query, [name.as_str()], texts)
        .optional()?;
    row.map(network).transpose()
}

fn list(connection: &rusqlite::Connection) -> Result<Vec<Network>, Error> {
    let query = format!("SELECT {COLUMNS} FROM networks ORDER BY created_at, rowid");
    let mut statement = connection.prepare(&query)?;
    let rows = statement
        .query_map([], texts)?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter().map(network).collect()
}

type Texts = (String, String, String, String);

fn texts(row: &Row<'_>) -> rusqlite::Result<Texts> {
    row.try_into()
}

fn network((name, subnet, bridge, created_at): Texts) -> Result<Network, Error> {
    let bad = |what, text| move || Error::Row { what, text };
    Ok(Network {
        name: name.parse().map_err(|_| bad("a name", name.clone())())?,
        subnet: subnet
            .parse()
            .map_err(|_| bad("a subnet", subnet.clone())())?,
        bridge,
        created_at,
    })
}
