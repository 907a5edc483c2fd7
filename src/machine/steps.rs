//! The steps that operations are made of. Each can be done and undone any number of times, by any process.

use super::journal::Operation;
use super::{boot, configure, delete, pause, ready, root_disk, snapshot, stop};
use crate::error::Result;
use crate::store::operations::OperationKind;

/// One step of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The root disk is cloned from the image, at the size asked for.
    CloneRoot,
    /// The initramfs with the guest's configuration is written; of one that goes on from a snapshot its host key alone.
    WriteInitramfs,
    /// The network, and the machine's namespace, tap and rules in it, are there.
    AttachNetwork,
    /// The hypervisor runs and its identity is in the store.
    Launch,
    /// The guest answers.
    AwaitGuest,
    /// The guest has been asked to power off, and did or ran out of time.
    PowerOff,
    /// No hypervisor of the machine runs.
    Kill,
    /// The machine's namespace, tap and rules are gone.
    DetachNetwork,
    /// The machine's disks are removed, or free.
    RemoveVolumes,
    /// The machine's own files are removed.
    RemoveFiles,
    /// The machine's snapshots are removed.
    RemoveSnapshots,
    /// The guest is held still.
    PauseGuest,
    /// The guest goes on, if it did before.
    ResumeGuest,
    /// Memory and disks are in the snapshot's folder.
    TakeSnapshot,
    /// The snapshot is whole.
    KeepSnapshot,
    /// The snapshot's disks lie beside the machine's.
    StageDisks,
    /// The snapshot's disks are the machine's.
    SwapDisks,
    /// The disks that the machine had are gone.
    DropOldDisks,
    /// The machine's namespace is there with a tap in it, and nothing else.
    MeetGuest,
    /// The guest knows who and when it is.
    RenewGuest,
}

/// The steps of an operation, in order.
pub(super) fn steps_of(kind: OperationKind) -> &'static [Step] {
    match kind {
        OperationKind::Deploy => &[
            Step::CloneRoot,
            Step::WriteInitramfs,
            Step::AttachNetwork,
            Step::Launch,
            Step::AwaitGuest,
        ],
        OperationKind::Start => &[
            Step::WriteInitramfs,
            Step::AttachNetwork,
            Step::Launch,
            Step::AwaitGuest,
        ],
        OperationKind::Stop => &[Step::PowerOff, Step::Kill, Step::DetachNetwork],
        OperationKind::Delete => &[
            Step::Kill,
            Step::DetachNetwork,
            Step::RemoveSnapshots,
            Step::RemoveVolumes,
            Step::RemoveFiles,
        ],
        OperationKind::Pause => &[Step::PauseGuest],
        OperationKind::Resume => &[Step::ResumeGuest],
        OperationKind::Snapshot => &[
            Step::PauseGuest,
            Step::TakeSnapshot,
            Step::ResumeGuest,
            Step::KeepSnapshot,
        ],
        OperationKind::Restore => &[
            Step::StageDisks,
            Step::Kill,
            Step::DetachNetwork,
            Step::SwapDisks,
            Step::WriteInitramfs,
            Step::MeetGuest,
            Step::Launch,
            Step::RenewGuest,
            Step::AttachNetwork,
            Step::AwaitGuest,
            Step::DropOldDisks,
        ],
        OperationKind::RestoreDisks => &[
            Step::StageDisks,
            Step::Kill,
            Step::DetachNetwork,
            Step::SwapDisks,
            Step::DropOldDisks,
        ],
        OperationKind::Fork => &[
            Step::CloneRoot,
            Step::WriteInitramfs,
            Step::MeetGuest,
            Step::Launch,
            Step::RenewGuest,
            Step::AttachNetwork,
            Step::AwaitGuest,
        ],
    }
}

impl Step {
    /// The step's name in the journal and in tests.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Step::CloneRoot => "clone-root",
            Step::WriteInitramfs => "write-initramfs",
            Step::AttachNetwork => "attach-network",
            Step::Launch => "launch",
            Step::AwaitGuest => "await-guest",
            Step::PowerOff => "power-off",
            Step::Kill => "kill",
            Step::DetachNetwork => "detach-network",
            Step::RemoveVolumes => "remove-volumes",
            Step::RemoveFiles => "remove-files",
            Step::RemoveSnapshots => "remove-snapshots",
            Step::PauseGuest => "pause-guest",
            Step::ResumeGuest => "resume-guest",
            Step::TakeSnapshot => "take-snapshot",
            Step::KeepSnapshot => "keep-snapshot",
            Step::StageDisks => "stage-disks",
            Step::SwapDisks => "swap-disks",
            Step::DropOldDisks => "drop-old-disks",
            Step::MeetGuest => "meet-guest",
            Step::RenewGuest => "renew-guest",
        }
    }

    /// The step as a person reads it.
    pub(super) fn says(self) -> &'static str {
        match self {
            Step::CloneRoot => "making the root disk",
            Step::WriteInitramfs => "preparing the kernel and its configuration",
            Step::AttachNetwork => "setting up the network",
            Step::Launch => "starting the hypervisor",
            Step::AwaitGuest => "waiting for the guest",
            Step::PowerOff => "asking the guest to power off",
            Step::Kill => "ending the hypervisor",
            Step::DetachNetwork => "taking the network down",
            Step::RemoveVolumes => "removing the disks",
            Step::RemoveFiles => "removing the files",
            Step::RemoveSnapshots => "removing the snapshots",
            Step::PauseGuest => "holding the guest still",
            Step::ResumeGuest => "letting the guest go on",
            Step::TakeSnapshot => "copying memory and disks",
            Step::KeepSnapshot => "keeping the snapshot",
            Step::StageDisks => "copying the snapshot's disks",
            Step::SwapDisks => "changing the disks",
            Step::DropOldDisks => "removing the old disks",
            Step::MeetGuest => "preparing to meet the guest",
            Step::RenewGuest => "telling the guest who it is",
        }
    }

    /// Whether a guest may have written to the console by the time this step fails.
    pub(super) fn guest_runs(self) -> bool {
        matches!(self, Step::Launch | Step::RenewGuest | Step::AwaitGuest)
    }
}

/// Does one step.
pub(super) async fn act(step: Step, operation: &Operation<'_>) -> Result<()> {
    match step {
        Step::CloneRoot if operation.detail.snapshot.is_some() => {
            snapshot::clone_disks(operation).await
        }
        Step::CloneRoot => root_disk::clone_root(operation).await,
        Step::WriteInitramfs => configure::write_initramfs(operation).await,
        Step::AttachNetwork => boot::attach_network(operation).await,
        Step::Launch => boot::launch(operation).await,
        Step::AwaitGuest => ready::await_guest(operation).await,
        Step::PowerOff => stop::power_off(operation).await,
        Step::Kill => stop::kill(operation).await,
        Step::DetachNetwork => stop::detach_network(operation).await,
        Step::RemoveVolumes => delete::remove_volumes(operation),
        Step::RemoveFiles => delete::remove_files(operation),
        Step::RemoveSnapshots => delete::remove_snapshots(operation),
        Step::PauseGuest => pause::pause_guest(operation).await,
        Step::ResumeGuest => pause::resume_guest(operation).await,
        Step::TakeSnapshot => snapshot::take(operation).await,
        Step::KeepSnapshot => snapshot::keep(operation).await,
        Step::StageDisks => snapshot::stage_disks(operation).await,
        Step::SwapDisks => snapshot::swap_disks(operation),
        Step::DropOldDisks => snapshot::drop_old_disks(operation),
        Step::MeetGuest => snapshot::meet_guest(operation).await,
        Step::RenewGuest => snapshot::renew_guest(operation).await,
    }
}

/// Takes one step back. Steps that only remove have nothing to take back.
pub(super) async fn undo(step: Step, operation: &Operation<'_>) -> Result<()> {
    match step {
        Step::CloneRoot if operation.detail.snapshot.is_some() => snapshot::remove_disks(operation),
        Step::CloneRoot => root_disk::remove_root(operation),
        Step::WriteInitramfs
            if matches!(operation.kind, OperationKind::Deploy | OperationKind::Fork) =>
        {
            delete::remove_files(operation)
        }
        Step::MeetGuest | Step::AttachNetwork => stop::detach_network(operation).await,
        Step::Launch => stop::kill(operation).await,
        // It does not come back; what is left of it goes.
        Step::Kill
            if matches!(
                operation.kind,
                OperationKind::Restore | OperationKind::RestoreDisks
            ) =>
        {
            stop::leave_if_dead(operation).await
        }
        // A snapshot is written down before anything is done for it.
        Step::PauseGuest => {
            snapshot::forget(operation)?;
            pause::go_on(operation).await
        }
        Step::StageDisks | Step::SwapDisks => snapshot::swap_back(operation),
        Step::TakeSnapshot => snapshot::forget(operation),
        Step::WriteInitramfs
        | Step::AwaitGuest
        | Step::PowerOff
        | Step::Kill
        | Step::DetachNetwork
        | Step::RemoveVolumes
        | Step::RemoveFiles
        | Step::RemoveSnapshots
        | Step::ResumeGuest
        | Step::KeepSnapshot
        | Step::DropOldDisks
        | Step::RenewGuest => Ok(()),
    }
}
