//! Ports of the host that lead into a machine.
//!
//! The store says which port is whose; the firewall's elements follow it, with the machine's place in the network while
//! it has one. What a command that is killed in between leaves, the next one puts right ([`super::settle`]).

use std::collections::HashMap;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::fault::fault;
use super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::network::{self, NetworkPlan};
use crate::store::machines::{MachineRow, Status};
use crate::value::{MachineId, Name, PortMapping};

impl Machines {
    /// Has a port of the host lead into a machine, at once if it runs and at every start from now on.
    pub async fn expose(
        &self,
        name: &str,
        port: &PortMapping,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "expose", progress, cancel).await?;
        let begun = Instant::now();
        let before = rooms.store.ports_of(&row.id)?;
        let same =
            |other: &&PortMapping| (other.host, other.protocol) == (port.host, port.protocol);
        let old = before.iter().find(same);
        if old.is_none() {
            rooms.refuse_port(port).await?;
        }
        let exposing = rooms.expose_locked(&row, port, old);
        let outcome = rooms.marked(&row, "expose", exposing).await;
        rooms.note_history("machine", "expose", &row.name, begun, &outcome);
        outcome?;
        self.show(&row.id.to_string())
    }

    /// Takes a port of the host back from a machine: the one of that number, or the only one that leads to the port of
    /// that number inside.
    pub async fn unexpose(
        &self,
        name: &str,
        port: &PortMapping,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "unexpose", progress, cancel).await?;
        let found = meant(&rooms.store.ports_of(&row.id)?, port).ok_or_else(|| {
            let machine = row.name.clone();
            Error::NotExposed {
                machine,
                port: *port,
            }
        })?;
        let begun = Instant::now();
        let taking = rooms.unexpose_locked(&row, &found);
        let outcome = rooms.marked(&row, "unexpose", taking).await;
        rooms.note_history("machine", "unexpose", &row.name, begun, &outcome);
        outcome?;
        self.show(&row.id.to_string())
    }
}

/// Which of a machine's ports `port` means.
fn meant(ports: &[PortMapping], port: &PortMapping) -> Option<PortMapping> {
    let alike = |other: &&PortMapping| other.protocol == port.protocol;
    if port.host != port.machine {
        return ports.iter().find(|other| *other == port).copied();
    }
    if let Some(found) = ports
        .iter()
        .filter(alike)
        .find(|other| other.host == port.host)
    {
        return Some(*found);
    }
    let mut inside = ports
        .iter()
        .filter(alike)
        .filter(|other| other.machine == port.machine);
    match (inside.next(), inside.next()) {
        (Some(found), None) => Some(*found),
        _ => None,
    }
}

impl Rooms {
    /// Refuses ports for a new machine of which one is asked for twice or cannot be had.
    pub(super) async fn refuse_ports(&self, ports: &[PortMapping]) -> Result<()> {
        for (index, port) in ports.iter().enumerate() {
            let same =
                |other: &PortMapping| (other.host, other.protocol) == (port.host, port.protocol);
            if ports[..index].iter().any(same) {
                return Err(Error::PortTwice(*port).into());
            }
            self.refuse_port(port).await?;
        }
        Ok(())
    }

    /// Refuses a port of the host that another machine has, or on which a program of the host listens.
    pub(super) async fn refuse_port(&self, port: &PortMapping) -> Result<()> {
        if let Some(owner) = self.store.port_owner(port)? {
            return Err(self.port_taken(port, &owner)?);
        }
        self.refuse_busy_port(port).await
    }

    /// Refuses a port on which a program of the host listens.
    pub(super) async fn refuse_busy_port(&self, port: &PortMapping) -> Result<()> {
        let networks = self.store.networks()?;
        let gateways: Vec<_> = networks.iter().map(|network| network.gateway()).collect();
        Ok(self.home.refuse_busy(port, &gateways).await?)
    }

    /// Gives a new machine its ports, once more checked against others that are deployed at the same time.
    pub(super) fn claim_ports(&self, machine: &MachineId, ports: &[PortMapping]) -> Result<()> {
        for port in ports {
            if let Some(owner) = self.store.claim_port(machine, port)? {
                return Err(self.port_taken(port, &owner)?);
            }
        }
        Ok(())
    }

    fn port_taken(&self, port: &PortMapping, owner: &MachineId) -> Result<crate::error::Error> {
        let owner = self.store.machine(owner)?;
        let machine = owner.map_or_else(|| "another machine".into(), |row| row.name.to_string());
        Ok(Error::PortTaken {
            port: port.host,
            protocol: port.protocol,
            machine,
        }
        .into())
    }

    async fn expose_locked(
        &self,
        row: &MachineRow,
        port: &PortMapping,
        old: Option<&PortMapping>,
    ) -> Result<()> {
        if let Some(old) = old
            && old != port
        {
            self.withdraw(row, old).await?;
        }
        self.claim_ports(&row.id, std::slice::from_ref(port))?;
        fault("expose", "between")?;
        let applied = self.restore_network(row).await;
        if applied.is_err() {
            match old {
                Some(old) => drop(self.store.claim_port(&row.id, old)?),
                None => self.store.release_port(port.host, port.protocol)?,
            }
        }
        applied
    }

    async fn unexpose_locked(&self, row: &MachineRow, port: &PortMapping) -> Result<()> {
        self.withdraw(row, port).await?;
        fault("unexpose", "between")?;
        Ok(self.store.release_port(port.host, port.protocol)?)
    }

    /// Brings what a running machine's network lacks, published ports included.
    pub(super) async fn restore_network(&self, row: &MachineRow) -> Result<()> {
        self.restore_place(row, &mut HashMap::new()).await
    }

    /// The same for one of many: a network that is in `up` is not looked at again.
    pub(super) async fn restore_place(
        &self,
        row: &MachineRow,
        up: &mut HashMap<Name, NetworkPlan>,
    ) -> Result<()> {
        let (Status::Running, Some(name)) = (row.status, &row.network) else {
            return Ok(());
        };
        if !up.contains_key(name) {
            let network = self.whole_network(name).await?;
            self.home.up(&network).await?;
            up.insert(name.clone(), network);
        }
        if let Some(network) = up.get(name)
            && let Some(machine) = self.place_in(network, row)?
        {
            self.home.attach(&machine).await?;
        }
        Ok(())
    }

    /// Running machines whose rules are not all there any more, as after `nft flush ruleset`. The rules are listed once,
    /// however many machines there are.
    pub(super) async fn without_rules(&self) -> Result<Vec<MachineRow>> {
        let mut ports = self.store.ports_by_machine()?;
        let networks: HashMap<Name, _> = (self.store.networks()?.into_iter())
            .map(|row| (row.name.clone(), network::plan_network(&row, 0, None)))
            .collect();
        let mut rows = self.store.machines_to_watch()?;
        rows.retain(|row| row.status == Status::Running);
        if rows.is_empty() {
            return Ok(rows);
        }
        let plans: Vec<_> = rows
            .iter()
            .map(|row| {
                let (network, ip) = (networks.get(row.network.as_ref()?)?, row.ip?);
                let ports = ports.remove(&row.id).unwrap_or_default();
                let mac = network::mac_for(ip);
                Some(network::plan_machine(&row.id, network, ip, mac, ports))
            })
            .collect();
        let wanted: Vec<_> = plans.iter().flatten().cloned().collect();
        let lacking = self.home.lacking(wanted).await?;
        let lacks = rows.into_iter().zip(plans).filter_map(|(row, plan)| {
            let lacks = plan.is_some_and(|plan| lacking.contains(&plan.port));
            lacks.then_some(row)
        });
        Ok(lacks.collect())
    }

    async fn withdraw(&self, row: &MachineRow, port: &PortMapping) -> Result<()> {
        if let Some(place) = self.place(row)? {
            self.home.unpublish(&place, port).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_meant_by_the_hosts_number_else_by_the_machines() {
        let port = |text: &str| text.parse::<PortMapping>().unwrap();
        let ports = ["8080:80", "80:8080", "9090:90", "9091:90", "53:53/udp"].map(port);
        let found = |text: &str| meant(&ports, &port(text)).map(|port| port.to_string());
        assert_eq!(found("8080:80").as_deref(), Some("8080:80/tcp"));
        assert_eq!(found("8080:81"), None);
        assert_eq!(
            found("80").as_deref(),
            Some("80:8080/tcp"),
            "the host's number first"
        );
        assert_eq!(found("90"), None, "two lead there");
        assert_eq!(found("53"), None);
        assert_eq!(found("53/udp").as_deref(), Some("53:53/udp"));
    }
}
