//! The steps that operations are made of. Each can be done and undone any number of times, by any process.

use super::journal::Operation;
use super::{boot, configure, delete, ready, root_disk, stop};
use crate::error::Result;
use crate::store::operations::OperationKind;

/// One step of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The root disk is cloned from the image, at the size asked for.
    CloneRoot,
    /// The initramfs with the guest's configuration is written.
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
            Step::RemoveVolumes,
            Step::RemoveFiles,
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
        }
    }

    /// Whether a guest may have written to the console by the time this step fails.
    pub(super) fn guest_runs(self) -> bool {
        matches!(self, Step::Launch | Step::AwaitGuest)
    }
}

/// Does one step.
pub(super) async fn act(step: Step, operation: &Operation<'_>) -> Result<()> {
    match step {
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
    }
}

/// Takes one step back. Steps that only remove have nothing to take back.
pub(super) async fn undo(step: Step, operation: &Operation<'_>) -> Result<()> {
    match step {
        Step::CloneRoot => root_disk::remove_root(operation),
        Step::WriteInitramfs if operation.kind == OperationKind::Deploy => {
            delete::remove_files(operation)
        }
        Step::AttachNetwork => stop::detach_network(operation).await,
        Step::Launch => stop::kill(operation).await,
        Step::WriteInitramfs
        | Step::AwaitGuest
        | Step::PowerOff
        | Step::Kill
        | Step::DetachNetwork
        | Step::RemoveVolumes
        | Step::RemoveFiles => Ok(()),
    }
}
