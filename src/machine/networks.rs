//! Networks by name: made, shown and deleted. A network is only a row until its first machine starts; then its bridge
//! and rules are there too.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use ipnet::Ipv4Net;
use serde::Serialize;

use super::fault::fault;
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::network;
use crate::store::networks::{self, DEFAULT, Network as Row};
use crate::value::Name;

/// A network as front ends see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Network {
    pub name: String,
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub subnet: Ipv4Net,
    /// The host's address in it: the guests' way out.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub gateway: Ipv4Addr,
    pub bridge: String,
    /// Names of the machines on it.
    pub machines: Vec<String>,
    pub created_at: String,
}

impl Machines {
    /// Every network, the default one first.
    pub fn networks(&self) -> Result<Vec<Network>> {
        let rooms = &*self.0;
        let default: Name = DEFAULT.parse()?;
        rooms
            .store
            .ensure_network(&default, rooms.config.bridge_subnet)?;
        let mut machines: HashMap<Name, Vec<String>> = HashMap::new();
        for row in rooms.store.machines()? {
            if let Some(network) = row.network {
                machines
                    .entry(network)
                    .or_default()
                    .push(row.name.to_string());
            }
        }
        let mut rows = rooms.store.networks()?;
        rows.sort_by_key(|row| row.name != default);
        Ok(rows
            .into_iter()
            .map(|row| view(machines.remove(&row.name).unwrap_or_default(), row))
            .collect())
    }

    /// One network.
    pub fn network(&self, name: &str) -> Result<Network> {
        let found = self.networks()?.into_iter().find(|row| row.name == name);
        Ok(found.ok_or_else(|| networks::Error::NotFound { name: name.into() })?)
    }

    /// Adds a network; without a subnet, with the first of `10.201.0.0/24` to `10.254.0.0/24` that nothing else uses.
    pub async fn create_network(&self, name: &Name, subnet: Option<Ipv4Net>) -> Result<Network> {
        let rooms = &*self.0;
        // So that nobody else's subnet is the one that the default network will have.
        self.networks()?;
        let begun = Instant::now();
        let outcome = match subnet {
            Some(subnet) => rooms.add_network(name, subnet).await,
            None => rooms.add_network_somewhere(name).await,
        };
        rooms.note_history("network", "create", name, begun, &outcome);
        outcome?;
        self.network(name.as_str())
    }

    /// Deletes a network that no machine is on, with its bridge and its rules.
    pub async fn delete_network(&self, name: &str) -> Result<()> {
        let rooms = &*self.0;
        let network = self.network(name)?;
        let name: Name = network.name.parse()?;
        if name.as_str() == DEFAULT {
            return Err(Error::DefaultNetwork.into());
        }
        if !network.machines.is_empty() {
            let machines = network.machines;
            return Err(networks::Error::InUse { name, machines }.into());
        }
        let begun = Instant::now();
        let outcome = rooms.delete_network_alone(&name).await;
        rooms.note_history("network", "delete", &name, begun, &outcome);
        outcome
    }
}

impl Rooms {
    /// The network that a new machine is to be on.
    pub(super) async fn network_for(&self, name: Option<&Name>) -> Result<Row> {
        match name {
            Some(name) if name.as_str() != DEFAULT => Ok(self.store.network(name)?),
            _ => self.default_network().await,
        }
    }

    async fn add_network_somewhere(&self, name: &Name) -> Result<()> {
        let mut tried = Vec::new();
        for second in 201..=254 {
            let subnet = Ipv4Net::new_assert(Ipv4Addr::new(10, second, 0, 0), 24);
            let overlaps = |row: &Row| {
                row.subnet.contains(&subnet.network()) || subnet.contains(&row.subnet.network())
            };
            if self.store.networks()?.iter().any(overlaps)
                || self.home.route_into(subnet).await?.is_some()
            {
                tried.push(subnet);
                continue;
            }
            return self.add_network(name, subnet).await;
        }
        Err(Error::NoSubnet(tried.len()).into())
    }

    async fn add_network(&self, name: &Name, subnet: Ipv4Net) -> Result<()> {
        if let Some((route, device)) = self.home.route_into(subnet).await? {
            let network = name.to_string();
            return Err(network::Error::SubnetTaken {
                network,
                subnet,
                route,
                device,
            }
            .into());
        }
        fault("network-create", "before")?;
        self.store.create_network(name, subnet)?;
        fault("network-create", "after")
    }
}

fn view(machines: Vec<String>, row: Row) -> Network {
    Network {
        gateway: row.gateway(),
        name: row.name.to_string(),
        subnet: row.subnet,
        bridge: row.bridge,
        machines,
        created_at: row.created_at,
    }
}
