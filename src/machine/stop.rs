//! Stop: clean if the guest obeys in time, by force otherwise. The disk stays.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::journal::{Detail, Operation};
use super::{Error, Machine, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::store::machines::{MachineRow, ProcessRow, Status};
use crate::store::operations::OperationKind;
use crate::vmm;

/// How long a guest may take to hear that it shall power off, before its power button is pressed.
const HEARING: Duration = Duration::from_secs(10);
/// How long after a guest that did not hear it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Machines {
    /// Stops a machine. The guest has `grace` to power off; none at all when it is zero. A stopped one is left as it is.
    pub async fn stop(
        &self,
        name: &str,
        grace: Duration,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Machine> {
        let rooms = &*self.0;
        let (row, _lock) = rooms.take(name, "stop", progress, cancel).await?;
        if row.status == Status::Stopped {
            // Also one that was to come up again by itself.
            rooms.store.set_resume(&row.id, false)?;
            progress.note(format!("machine {} is stopped already", row.name));
        } else {
            // A deploy that could not be taken back whole, or a delete that could not be finished, leaves nothing to
            // start again.
            refuse_unless(
                &row,
                &[
                    Status::Running,
                    Status::Paused,
                    Status::Failed,
                    Status::Starting,
                    Status::Stopping,
                ],
                &unfinished(&row),
            )?;
            self.stop_locked(&row, grace, progress, cancel).await?;
        }
        self.show(&row.id.to_string())
    }

    pub(super) async fn stop_locked(
        &self,
        row: &MachineRow,
        grace: Duration,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let rooms = &*self.0;
        let begun = std::time::Instant::now();
        let operation = Operation {
            rooms,
            machine: row.id,
            name: row.name.clone(),
            kind: OperationKind::Stop,
            detail: Detail {
                grace_seconds: grace.as_secs(),
                was: Some(row.status),
                ..Detail::default()
            },
            progress,
            cancel,
            no_wait: false,
        };
        let outcome = operation.run().await;
        rooms.note_history("machine", "stop", &row.name, begun, &outcome);
        outcome
    }
}

/// Refuses an operation in a state that it does not fit.
pub(super) fn refuse_unless(row: &MachineRow, fit: &[Status], way_out: &str) -> Result<(), Error> {
    if fit.contains(&row.status) {
        return Ok(());
    }
    let (name, status) = (row.name.clone(), row.status);
    Err(Error::State {
        name,
        status,
        way_out: way_out.into(),
    })
}

/// The way out for a machine whose last operation could neither be ended nor be taken back.
pub(super) fn unfinished(row: &MachineRow) -> String {
    let name = &row.name;
    match row.status {
        Status::Starting | Status::Stopping => {
            format!("end it by force: sistemo machine stop {name} --force")
        }
        _ => format!("what is left of it goes with: sistemo machine delete {name}"),
    }
}

/// The hypervisor's process as the store knows it.
pub(super) fn process(row: &MachineRow) -> Option<vmm::Process> {
    row.process.as_ref().map(vmm::Process::from)
}

impl From<&ProcessRow> for vmm::Process {
    fn from(row: &ProcessRow) -> Self {
        vmm::Process {
            pid: row.pid,
            started: row.started,
            boot_id: row.boot_id.clone(),
        }
    }
}

/// Whether the hypervisor runs. One that cannot be looked at is taken to run: nothing is torn down on a guess.
pub(super) fn is_alive(process: &vmm::Process) -> bool {
    !matches!(process.current_state(), Ok(vmm::State::Dead))
}

/// Puts the process into words for what could not be done to it.
pub(super) fn process_error(
    act: &'static str,
    pid: u32,
) -> impl FnOnce(std::io::Error) -> vmm::Error {
    move |source| vmm::Error::Process { act, pid, source }
}

/// Asks the guest to power off and waits until its hypervisor has ended or the time is over.
pub(super) async fn power_off(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    let grace = Duration::from_secs(operation.detail.grace_seconds);
    let Some(process) = process(&row).filter(is_alive) else {
        return Ok(());
    };
    if grace.is_zero() {
        return Ok(());
    }
    let asked = async {
        if operation.detail.was == Some(Status::Paused)
            && let Ok(vmm) = rooms.driver_of(&row)
        {
            // One that is held still hears nothing.
            let _ = vmm.resume(&rooms.paths.run(&row.id)).await;
        }
        // A guest that cannot be asked over SSH may still heed its power button. One that is only just starting hears
        // neither and is asked again; one that heeds neither runs out of time and is ended by force.
        while !matches!(
            tokio::time::timeout(HEARING, rooms.ask_power_off(&row, grace)).await,
            Ok(Ok(()))
        ) {
            if let Ok(vmm) = rooms.driver_of(&row) {
                let _ = vmm.shutdown(&rooms.paths.run(&row.id)).await;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = process.wait_exit() => {
            Ok(ended.map_err(process_error("wait for", process.pid))?)
        }
        () = asked => Ok(()),
        () = tokio::time::sleep(grace) => {
            operation.progress.note(format!(
                "the guest did not power off within {} s; ending it by force",
                grace.as_secs()
            ));
            Ok(())
        }
        () = operation.cancel.cancelled() => Err(Error::Cancelled.into()),
    }
}

/// Ends the hypervisor, also one whose identity was never written down because its starter was killed.
pub(super) async fn kill(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    let row = rooms.row(&operation.machine)?;
    end_processes(rooms, &row).await?;
    rooms.store.set_process(&row.id, None)?;
    Ok(())
}

/// Ends whatever runs the machine, written down or not, and takes back what it had of the host.
pub(super) async fn end_processes(rooms: &Rooms, row: &MachineRow) -> Result<()> {
    // It looks at every process there is: not for the thread that everything else runs on.
    let (machine, run_dir) = (row.id.to_string(), rooms.paths.run(&row.id));
    let looked = tokio::task::spawn_blocking(move || vmm::find_strays(&machine, &run_dir)).await;
    let strays = looked.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    let mut processes = strays.map_err(process_error("look for", 0))?;
    processes.extend(process(row));
    for process in processes {
        process
            .kill()
            .await
            .map_err(process_error("end", process.pid))?;
    }
    vmm::tidy(&rooms.paths.run(&row.id))?;
    let (machine, folder) = (row.id.to_string(), rooms.paths.machine(&row.id));
    let volumes = rooms.store.volumes_of(&row.id)?;
    let disks: Vec<_> = volumes.into_iter().map(|volume| volume.path).collect();
    vmm::contain::release(&machine, &folder, &disks).map_err(vmm::Error::from)?;
    Ok(())
}

/// Takes the network of a machine down whose hypervisor has ended.
pub(super) async fn leave_if_dead(operation: &Operation<'_>) -> Result<()> {
    let row = operation.rooms.row(&operation.machine)?;
    match process(&row) {
        Some(process) if is_alive(&process) => Ok(()),
        _ => {
            operation.rooms.store.set_process(&row.id, None)?;
            detach(operation.rooms, &row).await
        }
    }
}

/// Takes the machine's namespace, tap and rules away.
pub(super) async fn detach_network(operation: &Operation<'_>) -> Result<()> {
    let rooms = operation.rooms;
    detach(rooms, &rooms.row(&operation.machine)?).await
}

/// The same for whoever has no operation.
pub(super) async fn detach(rooms: &Rooms, row: &MachineRow) -> Result<()> {
    if let Some(place) = rooms.place(row)? {
        rooms.home.detach(&place).await?;
    }
    Ok(())
}
