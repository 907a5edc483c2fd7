//! What a terminal knows of its machine.

use sistemo::store::machines::Status;

/// A machine, as far as it matters to its shells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// It may be renamed, but this stays.
    pub id: String,
    pub name: String,
    pub state: MachineState,
    /// When it was started last: another time means that it was down in between.
    pub started: Option<String>,
}

/// Whether a machine can be entered, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MachineState {
    /// It is being made or started.
    Starting,
    Running,
    Stopping,
    Stopped,
    /// Why, if that is known.
    Failed(Option<String>),
    /// It was deleted, or is being deleted.
    Gone,
}

impl Machine {
    /// A machine that has been deleted.
    pub(crate) fn gone(self) -> Machine {
        Machine {
            state: MachineState::Gone,
            started: None,
            ..self
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state == MachineState::Gone
    }

    pub(crate) fn runs(&self) -> bool {
        self.state == MachineState::Running
    }

    /// Whether no shell can be alive in it.
    pub(super) fn is_down(&self) -> bool {
        matches!(
            self.state,
            MachineState::Stopped | MachineState::Failed(_) | MachineState::Gone
        )
    }
}

impl From<&sistemo::machine::Machine> for Machine {
    fn from(machine: &sistemo::machine::Machine) -> Self {
        let state = match machine.status {
            Status::Creating | Status::Starting => MachineState::Starting,
            // A shell in one that is paused waits, and goes on with it.
            Status::Running | Status::Paused => MachineState::Running,
            Status::Stopping => MachineState::Stopping,
            Status::Stopped => MachineState::Stopped,
            Status::Failed => MachineState::Failed(machine.failure.clone()),
            Status::Deleting => MachineState::Gone,
        };
        Machine {
            id: machine.id.clone(),
            name: machine.name.clone(),
            state,
            started: machine.started_at.clone(),
        }
    }
}
