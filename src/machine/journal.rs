//! Runs an operation step by step, writing down each step before it acts.
//!
//! A step that fails turns most operations back: the steps that may have acted are undone, newest first, without
//! stopping at one that cannot be. A stop or a delete only ever goes forwards: what failed is tried again by the next
//! command that wants the machine, or by recovery.

use tokio_util::sync::CancellationToken;

use super::fault::fault;
use super::steps::{Step, act, steps_of, undo};
use super::{Error, Rooms};
use crate::error::{Error as Cause, Kind, Result};
use crate::event::Progress;
use crate::store::machines::Status;
use crate::store::operations::{OperationKind, OperationRow};
use crate::store::snapshots::SnapshotRow;
use crate::value::{MachineId, Name};

/// One operation on one machine, whose lock the caller holds.
pub(super) struct Operation<'a> {
    pub(super) rooms: &'a Rooms,
    pub(super) machine: MachineId,
    pub(super) name: Name,
    pub(super) kind: OperationKind,
    pub(super) detail: Detail,
    pub(super) progress: &'a Progress,
    pub(super) cancel: &'a CancellationToken,
    /// deploy and start: whether to come back before the guest answers.
    pub(super) no_wait: bool,
}

/// What steps need beyond the machine's row; kept in the journal, so that another process can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    /// deploy: the image's disk that the root disk is cloned from; absent when it boots from an existing volume.
    pub(super) image: Option<std::path::PathBuf>,
    /// stop: how many seconds the guest may take to power off; 0 for none.
    pub(super) grace_seconds: u64,
    /// delete: whether the root volume stays.
    pub(super) preserve_storage: bool,
    /// What the machine was when the operation began, and why if it had failed; for those that give it back so.
    pub(super) was: Option<Status>,
    pub(super) failure: Option<String>,
    /// The snapshot that is made, or that the machine is made of.
    pub(super) snapshot: Option<MachineId>,
    /// Volumes of the machine in the order of the disks in the snapshot.
    pub(super) disks: Vec<String>,
}

impl Detail {
    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// A journal that cannot be read has no more detail than none.
    pub(super) fn from_json(text: &str) -> Detail {
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl Operation<'_> {
    /// Runs the operation from its first step.
    pub(super) async fn run(&self) -> Result<()> {
        let status = match self.kind {
            OperationKind::Deploy | OperationKind::Fork => Status::Creating,
            OperationKind::Start | OperationKind::Restore => Status::Starting,
            OperationKind::Stop | OperationKind::RestoreDisks => Status::Stopping,
            // Until it has ended nothing is different.
            OperationKind::Pause | OperationKind::Resume | OperationKind::Snapshot => self.was(),
            OperationKind::Delete => Status::Deleting,
        };
        self.rooms
            .store
            .begin_operation(&self.row(0, false), status)?;
        self.run_from(0).await
    }

    /// Runs the operation from the step at `first`; the steps before it are known to have been done.
    pub(super) async fn run_from(&self, first: usize) -> Result<()> {
        let steps = steps_of(self.kind);
        for (index, step) in steps.iter().enumerate().skip(first) {
            // What cannot be written down or is made to fail is a step that failed, like any other.
            let acted = async {
                self.write(index, false)?;
                self.heed_cancel(*step)?;
                fault(step.as_str(), "before")?;
                self.progress.step(step.says());
                act(*step, self).await?;
                fault(step.as_str(), "after")
            };
            let acted = acted.await;
            if let Err(cause) = acted {
                return Err(self.turn_back(index, *step, cause).await.into());
            }
        }
        let ends = match self.kind {
            OperationKind::Deploy
            | OperationKind::Start
            | OperationKind::Resume
            | OperationKind::Restore
            | OperationKind::Fork => Status::Running,
            OperationKind::Stop | OperationKind::RestoreDisks => Status::Stopped,
            OperationKind::Pause => Status::Paused,
            OperationKind::Snapshot => return self.end_as_before(),
            OperationKind::Delete => return Ok(()), // the row went with the last step
        };
        self.rooms.store.end_operation(&self.machine, ends, None)?;
        Ok(())
    }

    /// What the machine was when this began.
    fn was(&self) -> Status {
        self.detail.was.unwrap_or(Status::Running)
    }

    /// Ends with the machine as it was when this began.
    fn end_as_before(&self) -> Result<()> {
        let failure = self.detail.failure.as_deref();
        let store = &self.rooms.store;
        store.end_operation(&self.machine, self.was(), failure)?;
        Ok(())
    }

    /// The snapshot that this is about.
    pub(super) fn snapshot(&self) -> Result<SnapshotRow> {
        let found = match &self.detail.snapshot {
            Some(id) => self.rooms.store.snapshot(id)?,
            None => None,
        };
        Ok(found.ok_or_else(|| Error::SnapshotGone(self.name.clone()))?)
    }

    /// Whether a step that fails at `step` leads back to the beginning.
    fn can_turn(&self, step: Step) -> bool {
        match self.kind {
            OperationKind::Stop | OperationKind::Delete => false,
            // The other disks are going.
            OperationKind::Restore | OperationKind::RestoreDisks => step != Step::DropOldDisks,
            _ => true,
        }
    }

    /// What can be taken back can be given up before any step, also one that does not ask by itself.
    fn heed_cancel(&self, step: Step) -> Result<()> {
        if self.can_turn(step) && self.cancel.is_cancelled() {
            return Err(Error::Cancelled.into());
        }
        Ok(())
    }

    /// What becomes of an operation whose step failed.
    async fn turn_back(&self, index: usize, step: Step, cause: Cause) -> Error {
        let log = super::console::tail(&self.rooms.paths.console(&self.machine), 12)
            .filter(|_| cause.kind() != Kind::Cancelled && step.guest_runs());
        let left = match self.kind {
            _ if self.can_turn(step) => {
                if cause.kind() == Kind::Cancelled {
                    self.progress.note("cancelled, taking it back");
                }
                self.take_back(index, Some(&cause)).await
            }
            // Until the guest has powered off, nothing has happened to it.
            OperationKind::Stop if step == Step::PowerOff => self.still_running().await,
            _ => Vec::new(),
        };
        Error::Step {
            operation: self.kind.as_str(),
            name: self.name.clone(),
            step: step.says(),
            cause: Box::new(cause),
            log,
            left,
        }
    }

    /// Undoes the steps up to the one at `index`, newest first, and says what could not be undone. With nothing left,
    /// the operation ends: a deploy as if it had never been, a start with the machine stopped or failed.
    pub(super) async fn take_back(&self, index: usize, cause: Option<&Cause>) -> Vec<String> {
        let mut left = Vec::new();
        for (index, step) in steps_of(self.kind).iter().enumerate().take(index + 1).rev() {
            let undone = async {
                self.write(index, true)?;
                fault(step.as_str(), "undo")?;
                undo(*step, self).await?;
                fault(step.as_str(), "undone")
            };
            if let Err(error) = undone.await {
                left.push(format!("{}: {error}", step.says()));
            }
        }
        if left.is_empty()
            && let Err(error) = self.forget(cause)
        {
            left.push(error.to_string());
        }
        left
    }

    fn forget(&self, cause: Option<&Cause>) -> Result<()> {
        let store = &self.rooms.store;
        let unchanged = match self.kind {
            OperationKind::Deploy | OperationKind::Fork => {
                return super::reserve::forget(self.rooms, &self.machine);
            }
            OperationKind::Pause | OperationKind::Resume | OperationKind::Snapshot => true,
            // Given up before its hypervisor was ended, or while there was none.
            OperationKind::Restore | OperationKind::RestoreDisks => {
                let row = self.rooms.row(&self.machine)?;
                let up = super::stop::process(&row)
                    .is_some_and(|process| super::stop::is_alive(&process));
                up || !self.was().is_up()
            }
            _ => false,
        };
        if unchanged {
            self.end_as_before()?;
        } else {
            let reason = match cause {
                Some(cause) if cause.kind() == Kind::Cancelled => None,
                Some(cause) => Some(cause.to_string()),
                None => Some("the command that started it was killed".into()),
            };
            let status = if reason.is_some() {
                Status::Failed
            } else {
                Status::Stopped
            };
            store.end_operation(&self.machine, status, reason.as_deref())?;
        }
        Ok(())
    }

    /// Takes back a stop that has not happened.
    pub(super) async fn still_running(&self) -> Vec<String> {
        // One that was paused had to go on to hear of it.
        if self.detail.was == Some(Status::Paused)
            && let Ok(row) = self.rooms.row(&self.machine)
            && let Ok(vmm) = self.rooms.driver_of(&row)
        {
            let _ = vmm.resume(&self.rooms.paths.run(&self.machine)).await;
        }
        let ended = self
            .rooms
            .store
            .end_operation(&self.machine, Status::Running, None);
        ended
            .err()
            .map(|error| error.to_string())
            .into_iter()
            .collect()
    }

    fn write(&self, step: usize, undoing: bool) -> Result<()> {
        self.rooms.store.put_operation(&self.row(step, undoing))?;
        Ok(())
    }

    fn row(&self, step: usize, undoing: bool) -> OperationRow {
        OperationRow {
            machine: self.machine,
            kind: self.kind,
            detail: self.detail.to_json(),
            step,
            undoing,
        }
    }
}
