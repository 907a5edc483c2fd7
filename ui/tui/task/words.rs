//! What tasks are called.

use sistemo::machine::Request;
use sistemo::value::without_secrets;

use super::Task;

impl Task {
    /// What is being done: `Stopping web`.
    pub(crate) fn title(&self) -> String {
        match self {
            Task::Setup => "Setting this computer up".into(),
            Task::Deploy(request) => format!("Deploying {}", wanted(request)),
            Task::Start(machine) => format!("Starting {machine}"),
            Task::Stop { machine, force } => match force {
                true => format!("Ending {machine} by force"),
                false => format!("Stopping {machine}"),
            },
            Task::Restart(machine) => format!("Restarting {machine}"),
            Task::Pause(machine) => format!("Pausing {machine}"),
            Task::Resume(machine) => format!("Letting {machine} go on"),
            Task::Snapshot { machine, .. } => format!("Making a snapshot of {machine}"),
            Task::Restore { machine, snapshot } => {
                format!("Taking {machine} back to {snapshot}")
            }
            Task::DeleteSnapshot { machine, snapshot } => {
                format!("Deleting the snapshot {snapshot} of {machine}")
            }
            Task::Fork { machine, new } => format!("Forking {machine} to {new}"),
            Task::Delete { machine, .. } => format!("Deleting {machine}"),
            Task::Rename { machine, new } => format!("Renaming {machine} to {new}"),
            Task::Expose { machine, port } => {
                format!("Having port {} lead to {machine}", port.host)
            }
            Task::Unexpose { machine, port } => {
                format!("Taking port {} back from {machine}", port.host)
            }
            Task::Attach {
                machine,
                attachment,
            } => format!("Attaching {} to {machine}", attachment.volume),
            Task::Detach { machine, volume } => format!("Detaching {volume} from {machine}"),
            Task::CreateVolume { name, size } => match name {
                Some(name) => format!("Making the volume {name}"),
                None => format!("Making a volume of {size}"),
            },
            Task::ResizeVolume { volume, size } => format!("Growing {volume} to {size}"),
            Task::RenameVolume { volume, new } => format!("Renaming {volume} to {new}"),
            Task::DeleteVolume(volume) => format!("Deleting the volume {volume}"),
            Task::CreateNetwork { name, .. } => format!("Making the network {name}"),
            Task::DeleteNetwork(name) => format!("Deleting the network {name}"),
            Task::Pull(reference) => format!("Pulling {}", without_secrets(reference)),
            Task::Build { reference, .. } => format!("Building {}", without_secrets(reference)),
            Task::BuildDockerfile { folder, name, .. } => match name {
                Some(name) => format!("Building {name}"),
                None => format!("Building {}", folder.display()),
            },
            Task::DeleteImage(image) => format!("Deleting the image {image}"),
            Task::Prune { .. } => "Removing what nothing needs".into(),
        }
    }

    /// What it does, as an order: `stop web`.
    pub(crate) fn order(&self) -> String {
        match self {
            Task::Setup => "set this computer up".into(),
            Task::Deploy(request) => format!("deploy {}", wanted(request)),
            Task::Start(machine) => format!("start {machine}"),
            Task::Stop { machine, force } => match force {
                true => format!("end {machine} by force"),
                false => format!("stop {machine}"),
            },
            Task::Restart(machine) => format!("restart {machine}"),
            Task::Pause(machine) => format!("pause {machine}"),
            Task::Resume(machine) => format!("let {machine} go on"),
            Task::Snapshot { machine, .. } => format!("make a snapshot of {machine}"),
            Task::Restore { machine, snapshot } => format!("take {machine} back to {snapshot}"),
            Task::DeleteSnapshot { machine, snapshot } => {
                format!("delete the snapshot {snapshot} of {machine}")
            }
            Task::Fork { machine, new } => format!("fork {machine} to {new}"),
            Task::Delete { machine, .. } => format!("delete {machine}"),
            Task::Rename { machine, new } => format!("rename {machine} to {new}"),
            Task::Expose { machine, port } => {
                format!("have port {} lead to {machine}", port.host)
            }
            Task::Unexpose { machine, port } => {
                format!("take port {} back from {machine}", port.host)
            }
            Task::Attach {
                machine,
                attachment,
            } => format!("attach {} to {machine}", attachment.volume),
            Task::Detach { machine, volume } => format!("detach {volume} from {machine}"),
            Task::CreateVolume { name, size } => match name {
                Some(name) => format!("make the volume {name}"),
                None => format!("make a volume of {size}"),
            },
            Task::ResizeVolume { volume, size } => format!("grow {volume} to {size}"),
            Task::RenameVolume { volume, new } => format!("rename {volume} to {new}"),
            Task::DeleteVolume(volume) => format!("delete the volume {volume}"),
            Task::CreateNetwork { name, .. } => format!("make the network {name}"),
            Task::DeleteNetwork(name) => format!("delete the network {name}"),
            Task::Pull(reference) => format!("pull {}", without_secrets(reference)),
            Task::Build { reference, .. } => format!("build {}", without_secrets(reference)),
            Task::BuildDockerfile { folder, name, .. } => match name {
                Some(name) => format!("build {name}"),
                None => format!("build {}", folder.display()),
            },
            Task::DeleteImage(image) => format!("delete the image {image}"),
            Task::Prune { .. } => "remove what nothing needs".into(),
        }
    }
}

/// What a machine to be is called, or is made of.
fn wanted(request: &Request) -> String {
    if let Some(name) = &request.name {
        return name.to_string();
    }
    match (&request.image, &request.volume) {
        (Some(image), _) => without_secrets(image),
        (None, Some(volume)) => format!("from {volume}"),
        (None, None) => "a machine".into(),
    }
}
