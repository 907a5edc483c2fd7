//! Tasks: what takes time and changes something, done on the engine beside the screen.
//!
//! ```text
//! form, question, key ──► Task ──► run (engine, live progress) ──► News ──► toast, undo
//!                          │
//!                          └──► words: what it is called; command: what one would type instead
//! ```

mod command;
mod pace;
mod run;
mod setup;
#[cfg(test)]
mod tests;
mod thing;
mod undo;
mod words;

use std::path::PathBuf;

use ipnet::Ipv4Net;
use sistemo::machine::Request;
use sistemo::value::{ByteSize, Name, PortMapping};
use sistemo::volume::Attachment;

pub(crate) use command::typed;
pub(crate) use run::run;
pub(crate) use thing::Thing;

/// The number of a task, in the order in which they were begun.
pub(crate) type TaskId = u64;

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Task {
    Setup,
    Deploy(Box<Request>),
    Start(Thing),
    Stop {
        machine: Thing,
        force: bool,
    },
    Restart(Thing),
    Pause(Thing),
    Resume(Thing),
    Snapshot {
        machine: Thing,
        name: Option<Name>,
    },
    Restore {
        machine: Thing,
        snapshot: String,
    },
    DeleteSnapshot {
        machine: Thing,
        snapshot: String,
    },
    Fork {
        machine: Thing,
        new: Name,
    },
    Delete {
        machine: Thing,
        keep_storage: bool,
    },
    Rename {
        machine: Thing,
        new: Name,
    },
    Expose {
        machine: Thing,
        port: PortMapping,
    },
    Unexpose {
        machine: Thing,
        port: PortMapping,
    },
    Attach {
        machine: Thing,
        attachment: Attachment,
    },
    Detach {
        machine: Thing,
        volume: Thing,
    },
    CreateVolume {
        name: Option<Name>,
        size: ByteSize,
    },
    ResizeVolume {
        volume: Thing,
        size: ByteSize,
    },
    RenameVolume {
        volume: Thing,
        new: Name,
    },
    DeleteVolume(Thing),
    CreateNetwork {
        name: Name,
        subnet: Option<Ipv4Net>,
    },
    DeleteNetwork(String),
    Pull(String),
    Build {
        reference: String,
        name: Option<String>,
    },
    BuildDockerfile {
        folder: PathBuf,
        file: Option<PathBuf>,
        name: Option<String>,
    },
    DeleteImage(Thing),
    Prune {
        all: bool,
    },
}

/// How a task goes.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Event(sistemo::event::Event),
    Done(Outcome),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Well.
    Well {
        /// What to say of it.
        says: String,
        /// What could be done next.
        hint: Option<String>,
        /// The name of what it made or changed.
        made: Option<String>,
        /// What takes it back, where anything does.
        undo: Option<Box<Task>>,
    },
    Failed(Failure),
    /// Taken back by the user.
    Cancelled,
}

/// Why a task failed, as the engine says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) detail: Option<String>,
}

impl From<&sistemo::error::Error> for Failure {
    fn from(error: &sistemo::error::Error) -> Self {
        Failure {
            message: error.report(),
            hint: error.hint(),
            detail: error.detail(),
        }
    }
}

impl Task {
    /// Starting a machine.
    pub(crate) fn start(machine: &sistemo::machine::Machine) -> Task {
        Task::Start(machine.into())
    }

    /// The identifier, or else the name, of the thing that it is about, when that is there already.
    pub(crate) fn target(&self) -> Option<&str> {
        match self {
            Task::Deploy(request) => request.name.as_ref().map(|name| name.as_str()),
            Task::Setup
            | Task::CreateVolume { .. }
            | Task::CreateNetwork { .. }
            | Task::Pull(_)
            | Task::Build { .. }
            | Task::BuildDockerfile { .. }
            | Task::Prune { .. } => None,
            Task::Start(machine)
            | Task::Stop { machine, .. }
            | Task::Restart(machine)
            | Task::Pause(machine)
            | Task::Resume(machine)
            | Task::Snapshot { machine, .. }
            | Task::Restore { machine, .. }
            | Task::DeleteSnapshot { machine, .. }
            | Task::Fork { machine, .. }
            | Task::Delete { machine, .. }
            | Task::Rename { machine, .. }
            | Task::Expose { machine, .. }
            | Task::Unexpose { machine, .. }
            | Task::Attach { machine, .. }
            | Task::Detach { machine, .. } => Some(machine.key()),
            Task::ResizeVolume { volume, .. }
            | Task::RenameVolume { volume, .. }
            | Task::DeleteVolume(volume) => Some(volume.key()),
            Task::DeleteNetwork(name) => Some(name),
            Task::DeleteImage(image) => Some(image.key()),
        }
    }
}
