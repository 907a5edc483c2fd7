//! Networks, and the addresses in them that machines hold.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{Store, now};
use crate::error::{Advice, Kind};
use crate::value::{MachineId, Name};

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

/// A failure that has to do with networks' rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A query failed.
    #[error("the database failed")]
    Query(#[from] rusqlite::Error),
    /// A row holds what this version did not write.
    #[error("the database holds {text:?} where {what} should be")]
    Row { what: &'static str, text: String },
    /// There is no such network.
    #[error("there is no network {name:?}")]
    NotFound { name: String },
    /// The name is taken.
    #[error("the network \"{name}\" exists already")]
    Exists { name: Name },
    /// The subnet has no room, or is not written as one.
    #[error("{subnet} cannot be a network's addresses")]
    BadSubnet { subnet: Ipv4Net },
    /// Another network has some of these addresses.
    #[error("{subnet} overlaps {other_subnet} of the network \"{other}\"")]
    Overlaps {
        subnet: Ipv4Net,
        other: Name,
        other_subnet: Ipv4Net,
    },
    /// Machines hold addresses in it.
    #[error("the network \"{name}\" is in use by {}", machines.join(", "))]
    InUse { name: Name, machines: Vec<String> },
    /// Every address is held.
    #[error("every address of the network \"{name}\" ({subnet}) is taken")]
    Full { name: Name, subnet: Ipv4Net },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NotFound { .. } => Kind::NotFound,
            Error::BadSubnet { .. } => Kind::Usage,
            Error::Exists { .. }
            | Error::Overlaps { .. }
            | Error::InUse { .. }
            | Error::Full { .. } => Kind::Refused,
            Error::Query(_) | Error::Row { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotFound { .. } => "see: sistemo network list".into(),
            Error::Exists { .. } => "choose another name".into(),
            Error::BadSubnet { .. } => format!(
                "a subnet is a network address with a prefix of /{} to /{}: 10.201.0.0/16",
                PREFIXES.start(),
                PREFIXES.end()
            ),
            Error::Overlaps { .. } => "choose other addresses, such as 10.201.0.0/16".into(),
            Error::InUse { .. } => "delete those machines first".into(),
            Error::Full { .. } => {
                "delete machines of it, or use another network (--network)".into()
            }
            Error::Query(_) | Error::Row { .. } => return None,
        })
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

    /// Takes the machine's address back. Fine when it has none.
    pub fn release_address(&self, machine: &MachineId) -> Result<(), Error> {
        self.lock().execute(
            "DELETE FROM addresses WHERE machine_id = ?",
            [machine.to_string()],
        )?;
        Ok(())
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
    if !PREFIXES.contains(&subnet.prefix_len()) || subnet.trunc() != subnet {
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

fn address(text: String) -> Result<Ipv4Addr, Error> {
    text.parse().map_err(|_| Error::Row {
        what: "an address",
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("sistemo.db")).unwrap();
        (directory, store)
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn machine(store: &Store, called: &str) -> MachineId {
        let id = MachineId::new();
        let row = [id.to_string(), called.into(), now()];
        store
            .lock()
            .execute(
                "INSERT INTO machines (id, name, status, spec, created_at) \
                 VALUES (?, ?, 'creating', '{}', ?)",
                row,
            )
            .unwrap();
        id
    }

    #[test]
    fn networks_come_and_go() {
        let (_directory, store) = store();
        assert!(matches!(
            store.network(&name("default")),
            Err(Error::NotFound { .. })
        ));
        let default = store
            .ensure_network(&name("default"), net("10.200.0.0/16"))
            .unwrap();
        assert_eq!(default.bridge, "sistemo0");
        assert_eq!(default.gateway(), Ipv4Addr::new(10, 200, 0, 1));
        // A subnet asked for later does not change a network that is there.
        assert_eq!(
            store
                .ensure_network(&name("default"), net("10.9.0.0/16"))
                .unwrap(),
            default
        );
        let lab = store
            .create_network(&name("lab"), net("10.201.0.0/24"))
            .unwrap();
        assert_eq!(lab.bridge, "sistemo1");
        assert_eq!(store.networks().unwrap(), [default.clone(), lab]);
        store.delete_network(&name("default")).unwrap();
        assert!(matches!(
            store.delete_network(&name("default")),
            Err(Error::NotFound { .. })
        ));
        let again = store
            .create_network(&name("again"), net("10.202.0.0/24"))
            .unwrap();
        assert_eq!(again.bridge, "sistemo0", "the lowest free bridge name");
    }

    #[test]
    fn bad_networks_are_refused() {
        let (_directory, store) = store();
        store
            .create_network(&name("a"), net("10.200.0.0/16"))
            .unwrap();
        let refused = |called: &str, subnet: &str| {
            let error = store
                .create_network(&name(called), net(subnet))
                .unwrap_err();
            assert!(error.hint().is_some());
            (error.to_string(), error.kind())
        };
        let exists = refused("a", "10.201.0.0/16");
        assert_eq!(
            exists,
            ("the network \"a\" exists already".into(), Kind::Refused)
        );
        for subnet in ["10.200.5.0/24", "10.0.0.0/8", "10.200.0.0/16"] {
            assert_eq!(refused("b", subnet).1, Kind::Refused, "{subnet}");
        }
        for subnet in [
            "10.201.0.0/30",
            "10.201.0.0/32",
            "0.0.0.0/0",
            "10.201.0.1/16",
        ] {
            assert_eq!(refused("b", subnet).1, Kind::Usage, "{subnet}");
        }
        assert_eq!(store.networks().unwrap().len(), 1);
    }

    #[test]
    fn a_network_changes_its_addresses_while_no_machine_has_one() {
        let (_directory, store) = store();
        let (default, lab) = (name("default"), name("lab"));
        store
            .create_network(&default, net("10.200.0.0/16"))
            .unwrap();
        store.create_network(&lab, net("10.201.0.0/16")).unwrap();
        let moved = store.readdress_network(&default, net("10.202.0.0/16"));
        assert_eq!(moved.unwrap(), store.network(&default).unwrap());
        let subnet = || store.network(&default).unwrap().subnet;
        assert_eq!(subnet(), net("10.202.0.0/16"));
        // Addresses that overlap only its own are fine; another network's are not, nor is nonsense.
        store
            .readdress_network(&default, net("10.202.0.0/17"))
            .unwrap();
        for bad in ["10.201.7.0/24", "10.0.0.0/8", "10.203.0.1/16"] {
            store.readdress_network(&default, net(bad)).unwrap_err();
        }
        let id = machine(&store, "web");
        store.allocate_address(&default, &id).unwrap();
        let kept = store.readdress_network(&default, net("10.203.0.0/16"));
        assert_eq!(kept.unwrap().subnet, net("10.202.0.0/17"));
        assert_eq!(subnet(), net("10.202.0.0/17"));
    }

    #[test]
    fn addresses_are_the_lowest_free_until_there_is_none() {
        let (_directory, store) = store();
        let tiny = name("tiny");
        store.create_network(&tiny, net("10.200.0.0/29")).unwrap();
        let ids: Vec<_> = (0..6).map(|n| machine(&store, &format!("m{n}"))).collect();
        let last = |ip: Ipv4Addr| ip.octets()[3];
        // Of eight, .0 is the network, .1 the gateway, .7 the broadcast.
        for (id, expected) in ids.iter().zip(2..=6) {
            assert_eq!(last(store.allocate_address(&tiny, id).unwrap()), expected);
        }
        assert_eq!(
            last(store.allocate_address(&tiny, &ids[3]).unwrap()),
            5,
            "it keeps its own"
        );
        let full = store.allocate_address(&tiny, &ids[5]).unwrap_err();
        assert_eq!(
            full.to_string(),
            "every address of the network \"tiny\" (10.200.0.0/29) is taken"
        );
        store.release_address(&ids[1]).unwrap();
        store.release_address(&ids[1]).unwrap();
        assert_eq!(last(store.allocate_address(&tiny, &ids[5]).unwrap()), 3);
        // A machine's row takes its address with it.
        store
            .lock()
            .execute("DELETE FROM machines WHERE id = ?", [ids[0].to_string()])
            .unwrap();
        assert_eq!(last(store.allocate_address(&tiny, &ids[1]).unwrap()), 2);
        let in_use = store.delete_network(&tiny).unwrap_err();
        assert_eq!(
            in_use.to_string(),
            "the network \"tiny\" is in use by m1, m2, m3, m4, m5"
        );
    }

    #[test]
    fn processes_at_once_never_get_the_same_address() {
        let (directory, store) = store();
        let network = name("default");
        let ids: Vec<_> = (0..40).map(|n| machine(&store, &format!("m{n}"))).collect();
        let threads: Vec<_> = ids
            .chunks(10)
            .map(|ids| {
                // As another process would: a connection of its own.
                let (ids, path) = (ids.to_vec(), directory.path().join("sistemo.db"));
                let network = network.clone();
                std::thread::spawn(move || {
                    let store = Store::open(&path).unwrap();
                    store
                        .ensure_network(&network, net("10.200.0.0/16"))
                        .unwrap();
                    let allocate = |id| store.allocate_address(&network, id).unwrap();
                    ids.iter().map(allocate).collect::<Vec<_>>()
                })
            })
            .collect();
        let all: BTreeSet<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let expected = (2..42).map(|last| Ipv4Addr::new(10, 200, 0, last));
        assert!(all.into_iter().eq(expected));
    }
}
