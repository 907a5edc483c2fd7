//! The step that waits until a guest answers.

use std::time::Duration;

use super::console::{self, Console};
use super::journal::Operation;
use super::{Error, Rooms};
use crate::error::Result;
use crate::guest::words;
use crate::store::machines::MachineRow;
use crate::store::operations::OperationKind;
use crate::vmm;

/// Waits until the guest answers over SSH, its hypervisor ends, time runs out, or the user gives up. An application
/// that has done its work by then is none that failed.
pub(super) async fn await_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    if operation.no_wait {
        return Ok(());
    }
    // One that goes on was ready before, and has just said so again.
    let goes_on = matches!(operation.kind, OperationKind::Fork | OperationKind::Restore);
    let (limit, console) = (rooms.config.ssh_timeout, rooms.paths.console(&row.id));
    let over = tokio::select! {
        biased;
        () = operation.cancel.cancelled() => return Err(Error::Cancelled.into()),
        over = ends_first(rooms, &row, goes_on) => over?,
        () = tokio::time::sleep(limit) => return Err(Error::Silent(limit.as_secs()).into()),
    };
    if !over || rooms.has_finished(&row) {
        return Ok(());
    }
    let failure = rooms.command_failure(&row);
    Err(failure
        .unwrap_or_else(|| Error::Died(console::last_words(&console)))
        .into())
}

/// Comes back when the guest answers, or its hypervisor has ended; whether it has.
async fn ends_first(rooms: &Rooms, row: &MachineRow, goes_on: bool) -> Result<bool> {
    let process = super::stop::process(row);
    tokio::select! {
        biased;
        () = ended(process.clone()) => return Ok(true),
        answered = answers(rooms, row, goes_on) => answered?,
    }
    // An application that has ended by the time that its machine answers takes the machine along.
    let console = rooms.paths.console(&row.id);
    let takes_along = row.spec.command.is_some() && console::command_has_ended(&console);
    if takes_along {
        ended(process).await;
    }
    Ok(takes_along)
}

/// Comes back when the hypervisor has ended; at once when nobody knows which process it is.
async fn ended(process: Option<vmm::Process>) {
    if let Some(process) = process {
        // One that cannot be watched is left to the clock.
        if process.wait_exit().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Comes back when the guest's SSH server has handed over to the image's init. Attempts follow what the guest writes
/// to its console: a network that is not up yet does not answer, and says nothing of when to ask again.
async fn answers(rooms: &Rooms, row: &MachineRow, goes_on: bool) -> Result<()> {
    const AGAIN: Duration = Duration::from_millis(500);
    // A connection that was lost while the guest's network came up is not waited for until it is given up: asking anew
    // is cheap, and a guest that is not ready says so again.
    const ANSWER: Duration = Duration::from_secs(15);
    let mut console = Console::open(rooms.paths.console(&row.id))?;
    let (mut seen, mut listening) = (Vec::new(), false);
    let line = words::READY_LINE.as_bytes();
    loop {
        seen.extend(console.read()?.bytes);
        listening |= seen.windows(line.len()).any(|window| window == line);
        // A guest that says it listens and does not may go on writing for as long as it is waited for.
        seen.drain(..seen.len().saturating_sub(line.len()));
        let asked = async {
            match goes_on {
                true => rooms.greets(row).await,
                false => rooms.ask_ready(row).await,
            }
        };
        if listening && let Ok(Ok(())) = tokio::time::timeout(ANSWER, asked).await {
            return Ok(());
        }
        tokio::select! {
            grown = console.grown() => drop(grown?),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
