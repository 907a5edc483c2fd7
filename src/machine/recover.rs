//! Bringing the record and the world together again, after a killed command, a dead hypervisor or a host restart.
//!
//! Every command begins here. What is found is handled by the operations themselves: an unfinished deploy or start is
//! taken back, and so is what has to do with snapshots; an unfinished stop or delete is finished. Whoever holds a machine's lock is alive and is left alone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::console;
use super::journal::{Detail, Operation};
use super::lock::Lock;
use super::steps::{Step, steps_of};
use super::stop::{detach, end_processes, is_alive, process};
use super::{Error, Machines, Rooms};
use crate::error::Result;
use crate::event::Progress;
use crate::guest::words::Restart;
use crate::store::machines::{MachineRow, Status};
use crate::store::operations::{OperationKind, OperationRow};
use crate::value::MachineId;
use crate::vmm::{self, console::Ending};

/// So many machines are looked at before whatever else waits for this thread has its turn.
const TOGETHER: usize = 64;

/// What is known of a machine that is said to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    Alive,
    /// The host has restarted since.
    HostRestarted,
    /// The guest powered off by itself.
    PoweredOff,
    /// The guest restarts: no hypervisor of ours resets a machine, so it is to be started again.
    Restarting,
    /// The hypervisor is gone, and the guest did not ask for it.
    Crashed,
}

/// How long to wait for whoever is at a machine that has ended: where no operation is under way, somebody else has just
/// seen it too, and what they find is what is to be told.
fn patience(status: Status) -> Duration {
    match status {
        Status::Running | Status::Paused | Status::Stopped | Status::Failed => {
            Duration::from_secs(2)
        }
        _ => Duration::ZERO,
    }
}

impl Machines {
    /// Finishes or takes back what killed commands left, and notices hypervisors that have ended. Comes back with what
    /// could not be put right; that is tried again by the next command. A machine that cannot be put right is in nobody
    /// else's way.
    pub async fn tend(&self, progress: &Progress) -> Result<Vec<String>> {
        let rooms = &*self.0;
        let mut left = Vec::new();
        for found in rooms.store.operations()? {
            match rooms.settle(&found, progress).await {
                Ok(remains) => left.extend(remains),
                Err(error) => left.push(error.to_string()),
            }
        }
        for found in rooms.store.unfinished_volumes()? {
            match rooms.tend_volume(&found, progress).await {
                Ok(remains) => left.extend(remains),
                Err(error) => left.push(format!("volume {}: {error}", found.name)),
            }
        }
        left.extend(rooms.tend_snapshots(progress)?);
        left.extend(self.settle_marked(progress).await?);
        if let Err(error) = rooms.images.tidy_build(progress).await {
            left.push(format!("an image build: {error}"));
        }
        Lock::sweep(rooms)?;
        for (number, row) in rooms.store.machines_to_watch()?.into_iter().enumerate() {
            if number % TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
            if rooms.sight(&row) != Sighting::Alive
                && let Err(error) = rooms.see_off(&row.id, patience(row.status), progress).await
            {
                left.push(format!("machine {}: {error}", row.name));
            }
        }
        if rooms.want_attendant()? {
            rooms.ensure_attendant(progress).await;
        }
        Ok(left)
    }
}

impl Rooms {
    /// Says what became of a machine whose hypervisor has ended, and cleans up after it. Whoever is at the machine for
    /// longer than `patience` is left to it; that is `false`.
    pub(super) async fn see_off(
        &self,
        id: &MachineId,
        patience: Duration,
        progress: &Progress,
    ) -> Result<bool> {
        let Some(lock) = Lock::take_within(self, id, "recovery", patience).await? else {
            return Ok(false);
        };
        self.bury_locked(id, &lock, progress).await?;
        Ok(true)
    }

    /// Machines that are down because their guests restart: they are to come up again, whatever their policy.
    pub(super) fn restarting(&self) -> Result<Vec<MachineRow>> {
        let mut rows = self.store.machines_to_resume()?;
        rows.retain(|row| self.sight(row) == Sighting::Restarting);
        Ok(rows)
    }

    /// Ends an operation if nobody is at it any more.
    async fn settle(&self, found: &OperationRow, progress: &Progress) -> Result<Vec<String>> {
        let Some(lock) = Lock::try_take(self, &found.machine, "recovery")? else {
            return Ok(Vec::new());
        };
        // Its owner may have finished it between the query and the lock.
        let left = match self.store.operation(&found.machine)? {
            Some(row) => self.recover(&row, progress).await?,
            None => Vec::new(),
        };
        if self.store.machine(&found.machine)?.is_none() {
            lock.retire()?;
        }
        Ok(left)
    }

    /// Ends an operation whose process was killed. The caller holds the machine's lock.
    async fn recover(&self, found: &OperationRow, progress: &Progress) -> Result<Vec<String>> {
        let Some(row) = self.store.machine(&found.machine)? else {
            return Ok(Vec::new());
        };
        tracing::info!(machine = %row.name, kind = %found.kind, step = found.step, "recovering");
        let silent = Progress::silent();
        let cancel = CancellationToken::new();
        let operation = Operation {
            rooms: self,
            machine: row.id,
            name: row.name.clone(),
            kind: found.kind,
            detail: Detail::from_json(&found.detail),
            progress: &silent,
            cancel: &cancel,
            no_wait: false,
        };
        let step = steps_of(found.kind).get(found.step).copied();
        let left = match found.kind {
            OperationKind::Deploy | OperationKind::Start | OperationKind::Fork => {
                // When the host lost power, a step may have acted whose line was lost. Undoing one that never acted is
                // harmless.
                let last = steps_of(found.kind).len() - 1;
                operation.take_back(last, None).await
            }
            OperationKind::Stop
                if step == Some(Step::PowerOff)
                    && process(&row).is_some_and(|process| is_alive(&process)) =>
            {
                operation.still_running().await
            }
            // What the steps behind it would undo may be the machine as it was; and after a loss of power there is nothing
            // that runs.
            OperationKind::Pause
            | OperationKind::Resume
            | OperationKind::Snapshot
            | OperationKind::Restore
            | OperationKind::RestoreDisks
                if step != Some(Step::DropOldDisks) =>
            {
                operation.take_back(found.step, None).await
            }
            _ => {
                let finished = operation.run_from(found.step).await;
                finished
                    .err()
                    .map(|error| error.to_string())
                    .into_iter()
                    .collect()
            }
        };
        if left.is_empty() {
            progress.note(format!(
                "recovered machine {}: a {} had been cut short",
                row.name, found.kind
            ));
        }
        Ok(left)
    }

    fn sight(&self, row: &MachineRow) -> Sighting {
        match process(row) {
            Some(process) if is_alive(&process) => return Sighting::Alive,
            Some(process) if vmm::boot_id().is_ok_and(|boot| boot != process.boot_id) => {
                return Sighting::HostRestarted;
            }
            _ => {}
        }
        match vmm::console::ending(&self.paths.console(&row.id)) {
            Ok(Ending::PoweredOff) => Sighting::PoweredOff,
            // A machine without a power switch restarts instead of powering off, and says which it was.
            Ok(Ending::Restarted) if console::meant_to_power_off(&self.paths.console(&row.id)) => {
                Sighting::PoweredOff
            }
            Ok(Ending::Restarted) => Sighting::Restarting,
            _ => Sighting::Crashed,
        }
    }

    /// Says what became of a machine whose hypervisor has ended, and takes its network down. The caller holds the
    /// machine's lock.
    ///
    /// What became of it is written first, since that is what others wait for; that its process is still written down
    /// afterwards is how an interrupted clean-up is known.
    pub(super) async fn bury_locked(
        &self,
        id: &MachineId,
        lock: &Lock,
        progress: &Progress,
    ) -> Result<()> {
        let said = self.say_end(id, lock, progress)?;
        let Some(row) = self.store.machine(id)? else {
            return Ok(());
        };
        let left = row.process.is_some() && self.sight(&row) != Sighting::Alive;
        if said.is_none() && !left {
            return Ok(());
        }
        end_processes(self, &row).await?;
        detach(self, &row).await?;
        self.store.set_process(&row.id, None)?;
        Ok(())
    }

    /// Writes what became of a machine that is said to run and does not, and whether it is to come up again. Comes back
    /// with the machine as it was, if it was said to run.
    pub(super) fn say_end(
        &self,
        id: &MachineId,
        _lock: &Lock,
        progress: &Progress,
    ) -> Result<Option<MachineRow>> {
        let Some(row) = self.store.machine(id)? else {
            return Ok(None);
        };
        let sighting = self.sight(&row);
        if !row.status.is_up() || sighting == Sighting::Alive {
            return Ok(None);
        }
        self.note_end(&row, sighting, progress)?;
        Ok(Some(row))
    }

    /// Why an application's machine has ended, if its command failed.
    pub(super) fn command_failure(&self, row: &MachineRow) -> Option<Error> {
        row.spec.command.as_ref()?;
        console::command_failure(&self.paths.console(&row.id)).map(Error::CommandFailed)
    }

    /// Whether an application's machine has ended by itself because its command has done its work.
    pub(super) fn has_finished(&self, row: &MachineRow) -> bool {
        self.has_ended(row) && self.command_failure(row).is_none()
    }

    fn has_ended(&self, row: &MachineRow) -> bool {
        let command = row.spec.command.as_ref();
        command.is_some_and(|command| !command.argv.is_empty())
            && self.sight(row) == Sighting::PoweredOff
    }

    /// Puts the row of a machine right whose command has ended by the time that its start has.
    pub(super) async fn bury_finished(
        &self,
        id: &MachineId,
        lock: &Lock,
        progress: &Progress,
    ) -> Result<()> {
        if self.has_ended(&self.row(id)?)
            && let Err(error) = self.bury_locked(id, lock, progress).await
        {
            // The next command does it.
            progress.note(error.to_string());
        }
        Ok(())
    }

    fn note_end(&self, row: &MachineRow, sighting: Sighting, progress: &Progress) -> Result<()> {
        let (status, why) = match sighting {
            Sighting::HostRestarted => {
                self.store.set_resume(&row.id, true)?;
                (Status::Stopped, Some("the host restarted".to_string()))
            }
            Sighting::Restarting => (Status::Stopped, None),
            Sighting::PoweredOff => match self.command_failure(row) {
                Some(error) => (Status::Failed, Some(error.to_string())),
                None => (Status::Stopped, None),
            },
            Sighting::Alive | Sighting::Crashed => {
                let console = self.paths.console(&row.id);
                let why = console::last_words(&console)
                    .map_or_else(String::new, |words| format!(": {words}"));
                let why = format!("the hypervisor ended unexpectedly{why}");
                (Status::Failed, Some(why))
            }
        };
        if again(row.spec.restart, sighting) {
            self.store.set_resume(&row.id, true)?;
        }
        self.store.set_status(&row.id, status, why.as_deref())?;
        match (status, sighting) {
            (Status::Failed, _) => progress.note(format!("machine {} has failed", row.name)),
            (_, Sighting::Restarting) => progress.note(format!("machine {} restarts", row.name)),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a machine that ended so is to be started again.
pub(super) fn again(policy: Restart, sighting: Sighting) -> bool {
    match (policy, sighting) {
        (Restart::Always, Sighting::PoweredOff | Sighting::Crashed) => true,
        (Restart::OnFailure, Sighting::Crashed) => true,
        (_, Sighting::Restarting) => true,
        // After a restart of the host it comes up whatever its policy.
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_says_when_to_start_again() {
        let ways = [
            Sighting::PoweredOff,
            Sighting::Crashed,
            Sighting::Restarting,
            Sighting::HostRestarted,
        ];
        let of = |policy| ways.map(|sighting| again(policy, sighting));
        assert_eq!(of(Restart::No), [false, false, true, false]);
        assert_eq!(of(Restart::OnFailure), [false, true, true, false]);
        assert_eq!(of(Restart::Always), [true, true, true, false]);
    }
}
