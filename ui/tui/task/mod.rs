//! Tasks: what takes time and changes something, done on the engine beside the screen.

use std::path::PathBuf;

use ipnet::Ipv4Net;
use sistemo::machine::Request;
use sistemo::value::{ByteSize, Name, PortMapping};
use sistemo::volume::Attachment;

/// The number of a task, in the order in which they were begun.
pub(crate) type TaskId = u64;

/// Something to do. Machines, volumes, images and networks are meant by their identifiers or names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Task {
    Setup,
    Deploy(Box<Request>),
    Start(String),
    Stop { machine: String, force: bool },
    Restart(String),
    Delete { machine: String, keep_storage: bool },
    Rename { machine: String, new: Name },
    Expose { machine: String, port: PortMapping },
    Unexpose { machine: String, port: PortMapping },
    Attach { machine: String, attachment: Attachment },
    Detach { machine: String, volume: String },
    CreateVolume { name: Option<Name>, size: ByteSize },
    ResizeVolume { volume: String, size: ByteSize },
    RenameVolume { volume: String, new: Name },
    DeleteVolume(String),
    CreateNetwork { name: Name, subnet: Option<Ipv4Net> },
    DeleteNetwork(String),
    Pull(String),
    Build { reference: String, name: Option<String> },
    BuildDockerfile { folder: PathBuf, file: Option<PathBuf>, name: Option<String> },
    DeleteImage(String),
    Prune { all: bool },
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
    /// Well; what to say of it, and the name of what it made or changed.
    Well { says: String, made: Option<String> },
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
