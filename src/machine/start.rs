//! Start and restart.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::journal::{Detail, Operation};
use super::{Error, Machine, Machines, stop};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::OperationKind;

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
        if row.status == Status::Running {
            self.stop_locked(&row, grace, progress, cancel).await?;
        }
        let row = rooms.row(&row.id)?;
        self.start_locked(&row, "restart", false, progress, cancel)
            .await?;
        rooms.bury_finished(&row.id, &lock, progress).await?;
        self.show(&row.id.to_string())
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
        rooms.refuse_busy_volumes(&row.id)?;
        for port in rooms.store.ports_of(&row.id)? {
            rooms.refuse_busy_port(&port).await?;
        }
        rooms.check_boot_parts()?;
        let host = crate::host::memory()?;
        if row.spec.memory > host.available {
            let (asked, free) = (row.spec.memory, host.available);
            return Err(Error::MemoryShort { asked, free }.into());
        }
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
