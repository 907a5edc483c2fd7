//! Snapshots: a machine's disks, and its memory where it runs, at one moment.
//!
//! ```text
//!   running ── pause ── state to a file, disks by reflink or copy ── go on ──► a snapshot
//!
//!   snapshot ── restore ─► the same machine, at that moment     disks back, state loaded, told who and when it is
//!            ── fork ────► another machine, from that moment    disks copied, state loaded, told who it is now
//! ```
//!
//! Its files lie in `snapshots/ID`; what the machine was is in its row. A row with something being done to it belongs to
//! the machine's operation, or to whoever holds the lock of the snapshot's own; without either, the next command removes
//! it. A snapshot of a machine that is stopped has no memory, and makes machines that boot.

mod disks;
mod fit;
mod fork;
mod renew;
mod restore;
mod take;
mod view;

use tokio_util::sync::CancellationToken;

pub(super) use self::disks::{clone_disks, remove_disks};
pub(super) use self::fit::saved_by;
pub use self::fork::ForkRequest;
pub(super) use self::renew::{meet_guest, renew_guest};
pub(super) use self::restore::{drop_old_disks, stage_disks, swap_back, swap_disks};
pub(super) use self::take::{forget, keep, take};
pub use self::view::Snapshot;

use super::fault::fault;
use super::journal::{Detail, Operation};
use super::lock::Lock;
use super::stop::{refuse_unless, unfinished};
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::OperationKind;
use crate::store::snapshots::SnapshotRow;
use crate::store::volumes::Doing;
use crate::value::{MachineId, Name};

impl Machines {
    /// Makes a snapshot. Without a name it is called `snap0`, `snap1` … A machine that runs is held still for as long as it
    /// takes, and goes on.
    pub async fn create_snapshot(
        &self,
        machine: &str,
        name: Option<&Name>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Snapshot> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(machine, "snapshot", progress, cancel).await?;
        let id = MachineId::new();
        let begun = std::time::Instant::now();
        let made = rooms
            .snapshot_locked(&row, id, name, false, progress, cancel)
            .await;
        rooms.note_history("machine", "snapshot create", &row.name, begun, &made);
        made?;
        let snapshot = rooms.store.snapshot(&id)?;
        let snapshot = snapshot.ok_or_else(|| no_snapshot(&row, &id.to_string()))?;
        Ok(view::view(&snapshot, &row))
    }

    /// The snapshots of one machine, or of all; the oldest first.
    pub fn snapshots(&self, machine: Option<&str>) -> Result<Vec<Snapshot>> {
        let rooms = &*self.0;
        let only = machine.map(|name| rooms.find(name)).transpose()?;
        let rows = rooms.store.snapshots(only.as_ref().map(|row| &row.id))?;
        let machines = rooms.store.machines()?;
        let of = |row: &SnapshotRow| {
            machines
                .iter()
                .find(|machine| Some(machine.id) == row.machine)
        };
        Ok(rows
            .iter()
            .filter_map(|row| Some(view::view(row, of(row)?)))
            .collect())
    }

    /// One snapshot.
    pub fn snapshot(&self, machine: &str, name: &str) -> Result<Snapshot> {
        let (row, machine) = self.0.find_snapshot(machine, name)?;
        Ok(view::view(&row, &machine))
    }

    /// The snapshot with that identifier.
    pub fn snapshot_by_id(&self, id: &str) -> Result<Snapshot> {
        let rooms = &*self.0;
        let found = id
            .parse()
            .ok()
            .map(|id| rooms.store.snapshot(&id))
            .transpose()?
            .flatten()
            .filter(|row| row.doing.is_none() && !row.passing);
        let machine = match found.as_ref().and_then(|row| row.machine) {
            Some(id) => rooms.store.machine(&id)?,
            None => None,
        };
        match (found, machine) {
            (Some(row), Some(machine)) => Ok(view::view(&row, &machine)),
            _ => Err(Error::UnknownSnapshot(id.into()).into()),
        }
    }

    /// Deletes a snapshot. Machines that were made of it do not need it.
    pub async fn delete_snapshot(
        &self,
        machine: &str,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let rooms = &*self.0;
        let (_, _lock) = rooms
            .take(machine, "snapshot delete", progress, cancel)
            .await?;
        let (row, machine) = rooms.find_snapshot(machine, name)?;
        let begun = std::time::Instant::now();
        let outcome = rooms.remove_snapshot(&row);
        rooms.note_history("machine", "snapshot delete", &machine.name, begun, &outcome);
        outcome
    }
}

impl Rooms {
    /// Makes the snapshot `id` of a machine whose lock the caller holds.
    pub(super) async fn snapshot_locked(
        &self,
        row: &MachineRow,
        id: MachineId,
        name: Option<&Name>,
        passing: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        refuse_unless(
            row,
            &[
                Status::Running,
                Status::Paused,
                Status::Stopped,
                Status::Failed,
            ],
            &unfinished(row),
        )?;
        self.reserve_snapshot(row, id, name, passing).await?;
        let operation = Operation {
            rooms: self,
            machine: row.id,
            name: row.name.clone(),
            kind: OperationKind::Snapshot,
            detail: Detail {
                was: Some(row.status),
                failure: row.failure.clone(),
                snapshot: Some(id),
                ..Detail::default()
            },
            progress,
            cancel,
            no_wait: false,
        };
        operation.run().await
    }

    /// The snapshot of that name, and its machine.
    pub(super) fn find_snapshot(
        &self,
        machine: &str,
        name: &str,
    ) -> Result<(SnapshotRow, MachineRow)> {
        let machine = self.find(machine)?;
        let rows = self.store.snapshots(Some(&machine.id))?;
        let found = rows.into_iter().find(|row| row.name.as_str() == name);
        match found {
            Some(row) => Ok((row, machine)),
            None => Err(no_snapshot(&machine, name)),
        }
    }

    /// Removes a snapshot's files and then its row; what was begun is gone on with.
    pub(super) fn remove_snapshot(&self, row: &SnapshotRow) -> Result<()> {
        self.store.begin_on_snapshot(&row.id, Doing::Delete)?;
        fault("snapshot-delete", "before")?;
        if row.passing {
            take::reclaim_files(self, &row.id);
        }
        take::remove_files(self, &row.id)?;
        fault("snapshot-delete", "after")?;
        self.store.remove_snapshot(&row.id)?;
        Ok(())
    }

    /// Removes what killed commands left of snapshots. Comes back with what could not be.
    pub(super) fn tend_snapshots(&self, progress: &Progress) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for found in self.store.unfinished_snapshots()? {
            // One that was made for a fork is that one's; all others are their machine's.
            let owner = match (found.passing, found.machine) {
                (false, Some(machine)) => machine,
                _ => found.id,
            };
            let Some(lock) = Lock::try_take(self, &owner, "recovery")? else {
                continue;
            };
            // Its owner may have ended it between the query and the lock, or its operation was not recovered yet.
            let row = self.store.snapshot(&found.id)?;
            let under_way = match found.machine {
                Some(machine) => self.store.operation(&machine)?.is_some_and(|operation| {
                    Detail::from_json(&operation.detail).snapshot == Some(found.id)
                }),
                None => false,
            };
            if let Some(row) = row.filter(|row| row.doing.is_some() || row.passing)
                && !under_way
            {
                match self.remove_snapshot(&row) {
                    Ok(()) => progress.note("removed what was left of a snapshot"),
                    Err(error) => left.push(format!("snapshot {}: {error}", row.name)),
                }
            }
            if owner == found.id {
                lock.retire()?;
            }
        }
        Ok(left)
    }
}

fn no_snapshot(machine: &MachineRow, name: &str) -> crate::error::Error {
    let (machine, snapshot) = (machine.name.clone(), name.to_owned());
    Error::NoSnapshot { machine, snapshot }.into()
}
