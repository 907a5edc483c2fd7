//! What changes both rows and the firewall outside an operation: the ports of a machine, and the end of a network. Each is
//! marked in the store before it begins, so that whoever finds the mark without its lock knows that the two may differ,
//! and has the firewall follow the rows.

use super::duty::Duty;
use super::fault::fault;
use super::lock::Lock;
use super::{Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::network;
use crate::store::machines::MachineRow;
use crate::store::networks;
use crate::value::{MachineId, Name};

/// The duty of whoever deletes a network.
const NETWORKS: &str = "networks";

impl Machines {
    /// Ends what killed commands were changing. Comes back with what could not be ended.
    pub(super) async fn settle_marked(&self, progress: &Progress) -> Result<Vec<String>> {
        let rooms = &*self.0;
        let mut left = Vec::new();
        for id in rooms.store.unsettled_machines()? {
            if let Err(error) = rooms.settle_machine(&id, progress).await {
                left.push(error.to_string());
            }
        }
        for name in rooms.store.unsettled_networks()? {
            let Some(_alone) = Duty::try_take(&rooms.paths, NETWORKS)? else {
                continue;
            };
            match rooms.remove_network(&name).await {
                Ok(()) => progress.note(format!("recovered network {name}: it is deleted")),
                Err(error) => left.push(format!("network {name}: {error}")),
            }
        }
        Ok(left)
    }
}

impl Rooms {
    async fn settle_machine(&self, id: &MachineId, progress: &Progress) -> Result<()> {
        let Some(_lock) = Lock::try_take(self, id, "recovery")? else {
            return Ok(());
        };
        let Some(row) = self.store.machine(id)? else {
            return Ok(());
        };
        self.settle_ports(&row).await?;
        self.store.set_unsettled(id, false)?;
        progress.note(format!("recovered the ports of machine {}", row.name));
        Ok(())
    }

    /// Has the firewall follow the machine's rows, whatever it has. The caller holds the machine's lock.
    pub(super) async fn settle_ports(&self, row: &MachineRow) -> Result<()> {
        if !row.status.is_up() {
            return Ok(());
        }
        if let Some(place) = self.place(row)? {
            self.home.unpublish_all(&place).await?;
        }
        self.restore_network(row).await
    }

    /// Takes a network's bridge and rules down, then its row. Nobody else does.
    pub(super) async fn delete_network_alone(&self, name: &Name) -> Result<()> {
        let alone = Duty::take(&self.paths, NETWORKS).await?;
        // Another process may have deleted it meanwhile.
        self.store.mark_network(name, true)?;
        fault("network-delete", "before")?;
        let removed = self.remove_network(name).await;
        if removed.is_err() {
            self.store.mark_network(name, false)?;
        }
        drop(alone);
        removed
    }

    async fn remove_network(&self, name: &Name) -> Result<()> {
        let row = match self.store.network(name) {
            Err(networks::Error::NotFound { .. }) => return Ok(()),
            row => row?,
        };
        self.home
            .down(&network::plan_network(&row, 0, None))
            .await?;
        fault("network-delete", "after")?;
        match self.store.delete_network(name) {
            // A machine was put on it in the last moment: it stays.
            Err(networks::Error::InUse { name, machines }) => {
                self.store.mark_network(&name, false)?;
                Err(networks::Error::InUse { name, machines }.into())
            }
            deleted => Ok(deleted?),
        }
    }

    /// Does something to the machine's ports, rows and firewall, under the mark. The caller holds the machine's lock.
    pub(super) async fn marked<T>(
        &self,
        row: &MachineRow,
        what: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.store.set_unsettled(&row.id, true)?;
        let outcome = async {
            fault(what, "before")?;
            let done = work.await?;
            fault(what, "after")?;
            Ok(done)
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            // What was begun may be half there.
            self.settle_ports(row).await?;
        }
        self.store.set_unsettled(&row.id, false)?;
        outcome
    }
}
