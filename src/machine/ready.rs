//! The step that waits until a guest answers.

use std::time::Duration;

use super::console::{self, Console};
use super::journal::Operation;
use super::{Error, Rooms};
use crate::error::Result;
use crate::guest::words;
use crate::store::machines::MachineRow;
use crate::vmm;

/// Waits until the guest answers over SSH, its hypervisor ends, time runs out, or the user gives up.
pub(super) async fn await_guest(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    if !operation.no_wait {
        let limit = rooms.config.ssh_timeout;
        let process = super::stop::process(&row);
        tokio::select! {
            biased;
            () = operation.cancel.cancelled() => return Err(Error::Cancelled.into()),
            () = ended(process) => {
                let why = console::last_words(&rooms.paths.console(&row.id));
                return Err(Error::Died(why).into());
            }
            answered = answers(rooms, &row) => answered?,
            () = tokio::time::sleep(limit) => return Err(Error::Silent(limit.as_secs()).into()),
        }
    }
    Ok(())
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
async fn answers(rooms: &Rooms, row: &MachineRow) -> Result<()> {
    const AGAIN: Duration = Duration::from_millis(500);
    // A connection that was lost while the guest's network came up is not waited for until it is given up: asking anew
    // is cheap, and a guest that is not ready says so again.
    const ANSWER: Duration = Duration::from_secs(15);
    let mut console = Console::open(rooms.paths.console(&row.id))?;
    let mut seen = Vec::new();
    let line = words::READY_LINE.as_bytes();
    loop {
        seen.extend(console.read()?.bytes);
        let listening = seen.windows(line.len()).any(|window| window == line);
        if listening && let Ok(Ok(())) = tokio::time::timeout(ANSWER, rooms.ask_ready(row)).await {
            return Ok(());
        }
        seen.drain(
            ..if listening {
                0
            } else {
                seen.len().saturating_sub(line.len())
            },
        );
        tokio::select! {
            grown = console.grown() => drop(grown?),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}
