//! Start and restart, and coming up again by itself.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::journal::{Detail, Operation};
use super::lock::Lock;
use super::recover::{Sighting, again};
use super::{Error, Machine, Machines, Rooms, stop};
use crate::error::{Error as Cause, Kind, Result};
use crate::event::Progress;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::OperationKind;
use crate::value::{ByteSize, MachineId, Name};

impl Machines {
    /// Starts a stopped or failed machine and waits until its guest answers. A running one is left as it is.
    pub async fn start(
        &self,
        name: &str,
        no_wait: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, lock) = rooms.take(name, "start", progress, cancel).await?;
        if row.status == Status::Paused {
            let way_out = format!("let it go on: sistemo machine resume {}", row.name);
            stop::refuse_unless(&row, &[], &way_out)?;
        }
        if row.status == Status::Running {
            progress.note(format!("machine {} is running already", row.name));
        } else {
            self.start_locked(&row, "start", no_wait, progress, cancel)
                .await?;
            rooms.bury_finished(&row.id, &lock, progress).await?;
        }
        self.show(&row.id.to_string())
    }

    /// Stops a machine and starts it again, as one operation to everyone else: nobody gets between.
    pub async fn restart(
        &self,
        name: &str,
        grace: Duration,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, lock) = rooms.take(name, "restart", progress, cancel).await?;
        if row.status.is_up() {
            self.stop_locked(&row, grace, progress, cancel).await?;
        }
        let row = rooms.row(&row.id)?;
        self.start_locked(&row, "restart", false, progress, cancel)
            .await?;
        rooms.bury_finished(&row.id, &lock, progress).await?;
        self.show(&row.id.to_string())
    }

    /// Starts a machine that is to come up again by itself, unless somebody has started or stopped it meanwhile. Comes
    /// back with its name if it did. One that cannot be started is tried again only if its policy is to have it run.
    pub(super) async fn come_up_again(
        &self,
        id: &MachineId,
        no_wait: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Option<Name>> {
        let rooms = &*self.0;
        // One that is gone has no lock to be taken.
        if !rooms.store.is_to_resume(id)? {
            return Ok(None);
        }
        let silent = Progress::silent();
        let lock = Lock::take(rooms, id, "start", &silent, cancel).await?;
        if !rooms.store.is_to_resume(id)? {
            return Ok(None);
        }
        let row = rooms.row(id)?;
        let started = self
            .start_locked(&row, "start", no_wait, &silent, cancel)
            .await;
        match started {
            Ok(()) => {
                rooms.bury_finished(id, &lock, progress).await?;
                Ok(Some(row.name))
            }
            Err(error) => {
                if error.kind() != Kind::Cancelled {
                    self.not_started(&row, &error)?;
                }
                Err(error)
            }
        }
    }

    /// Writes down that a machine did not come up again. The caller holds its lock.
    fn not_started(&self, row: &MachineRow, why: &Cause) -> Result<()> {
        let store = &self.0.store;
        let is_refused = store
            .machine(&row.id)?
            .is_some_and(|now| now.status == Status::Stopped);
        if is_refused {
            // Nobody has asked for it who could be told.
            store.set_status(&row.id, Status::Failed, Some(&why.to_string()))?;
        }
        if !again(row.spec.restart, Sighting::Crashed) {
            store.set_resume(&row.id, false)?;
        }
        Ok(())
    }

    pub(super) async fn start_locked(
        &self,
        row: &MachineRow,
        action: &'static str,
        no_wait: bool,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let rooms = &*self.0;
        stop::refuse_unless(
            row,
            &[Status::Stopped, Status::Failed],
            &stop::unfinished(row),
        )?;
        rooms.refuse_busy(row).await?;
        rooms
            .check_boot_parts(rooms.hypervisor_choice(row), row.spec.vcpus)
            .await?;
        check_memory(row.spec.memory)?;
        let begun = std::time::Instant::now();
        let operation = Operation {
            rooms,
            machine: row.id,
            name: row.name.clone(),
            kind: OperationKind::Start,
            detail: Detail::default(),
            progress,
            cancel,
            no_wait,
        };
        let outcome = operation.run().await;
        rooms.note_history("machine", action, &row.name, begun, &outcome);
        outcome
    }
}

impl Rooms {
    /// Refuses a machine that is down and whose volumes or ports are in somebody else's use.
    pub(super) async fn refuse_busy(&self, row: &MachineRow) -> Result<()> {
        self.refuse_busy_volumes(&row.id)?;
        for port in self.store.ports_of(&row.id)? {
            self.refuse_busy_port(&port).await?;
        }
        Ok(())
    }
}

/// Refuses a machine that wants more memory than the host has available.
pub(super) fn check_memory(asked: ByteSize) -> Result<()> {
    let free = crate::host::memory()?.available;
    match asked > free {
        true => Err(Error::MemoryShort { asked, free }.into()),
        false => Ok(()),
    }
}
