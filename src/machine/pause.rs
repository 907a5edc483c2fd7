//! Pause and resume: the guest's processors are held still, with everything that it has in memory, and go on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::enter::address_of;
use super::journal::{Detail, Operation};
use super::stop::{refuse_unless, unfinished};
use super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::guest::words::{self, Order};
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::OperationKind;

/// How long a guest that goes on may take to have its clock set.
const CLOCK: Duration = Duration::from_secs(10);

impl Machines {
    /// Holds a running machine still. One that is paused is left as it is.
    pub async fn pause(
        &self,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "pause", progress, cancel).await?;
        match row.status {
            Status::Paused => progress.note(format!("machine {} is paused already", row.name)),
            _ => {
                refuse_unless(&row, &[Status::Running], &to_run(&row))?;
                rooms
                    .run_noted(&row, OperationKind::Pause, "pause", progress, cancel)
                    .await?;
            }
        }
        self.show(&row.id.to_string())
    }

    /// Lets a paused machine go on. One that runs is left as it is.
    pub async fn resume(
        &self,
        name: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "resume", progress, cancel).await?;
        match row.status {
            Status::Running => progress.note(format!("machine {} is running already", row.name)),
            _ => {
                refuse_unless(&row, &[Status::Paused], &to_run(&row))?;
                rooms
                    .run_noted(&row, OperationKind::Resume, "resume", progress, cancel)
                    .await?;
            }
        }
        self.show(&row.id.to_string())
    }
}

/// The way out for a machine that is not up.
pub(super) fn to_run(row: &MachineRow) -> String {
    match row.status {
        Status::Stopped | Status::Failed => {
            format!("start it: sistemo machine start {}", row.name)
        }
        _ => unfinished(row),
    }
}

impl Rooms {
    async fn run_noted(
        &self,
        row: &MachineRow,
        kind: OperationKind,
        action: &'static str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let begun = std::time::Instant::now();
        let operation = Operation {
            rooms: self,
            machine: row.id,
            name: row.name.clone(),
            kind,
            detail: Detail {
                was: Some(row.status),
                ..Detail::default()
            },
            progress,
            cancel,
            no_wait: false,
        };
        let outcome = operation.run().await;
        self.note_history("machine", action, &row.name, begun, &outcome);
        outcome
    }

    /// Sets the guest's clock, which stood still. One that does not answer in time keeps the time that it has.
    pub(super) async fn correct_clock(&self, row: &MachineRow, progress: &Progress) {
        if let Err(error) = self.try_correct_clock(row).await {
            let why = format!("the clock of machine {} is behind: {error}", row.name);
            progress.note(why);
        }
    }

    async fn try_correct_clock(&self, row: &MachineRow) -> Result<(), Error> {
        let set = async {
            let stream = self.reach(row, words::ORDERS_PORT, CLOCK).await?;
            let order = || Order::SetClock { time_ns: now() };
            let set = self.give(row, address_of(row)?, stream, order).await;
            set.map(drop).map_err(|e| Error::connect(&row.name, e))
        };
        tokio::time::timeout(CLOCK, set)
            .await
            .unwrap_or(Err(Error::Silent(CLOCK.as_secs())))
    }
}

/// Nanoseconds since 1970, UTC.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Holds the guest still, if it was not when the operation began.
pub(super) async fn pause_guest(operation: &Operation<'_>) -> Result<()> {
    if operation.detail.was == Some(Status::Running) {
        let rooms = operation.rooms;
        let vmm = rooms.driver_of(&rooms.row(&operation.machine)?)?;
        vmm.pause(&rooms.paths.run(&operation.machine)).await?;
    }
    Ok(())
}

/// Lets the guest go on, if it did when the operation began.
pub(super) async fn go_on(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let alive = super::stop::process(&row).is_some_and(|process| super::stop::is_alive(&process));
    if operation.detail.was == Some(Status::Running) && alive {
        (rooms.driver_of(&row)?)
            .resume(&rooms.paths.run(&row.id))
            .await?;
    }
    Ok(())
}

/// Whether the snapshot that is made is for a fork, which corrects the clock while the other comes about.
fn is_for_a_fork(operation: &Operation<'_>) -> Result<bool> {
    Ok(operation.kind == OperationKind::Snapshot && operation.snapshot()?.passing)
}

/// Lets the guest go on and corrects its clock.
pub(super) async fn resume_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let goes_on = match operation.kind {
        OperationKind::Resume => true,
        _ => operation.detail.was == Some(Status::Running),
    };
    if !goes_on {
        return Ok(());
    }
    (rooms.driver_of(&row)?)
        .resume(&rooms.paths.run(&row.id))
        .await?;
    if !is_for_a_fork(operation)? {
        rooms.correct_clock(&row, operation.progress).await;
    }
    Ok(())
}
