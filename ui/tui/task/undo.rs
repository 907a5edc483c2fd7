//! What takes a task back.

use sistemo::engine::Engine;
use sistemo::value::PortMapping;
use sistemo::volume::Attachment;

use super::{Task, Thing};

/// What has to be known from before a task, so that it can be taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Before {
    /// The machine's ports.
    ports: Vec<PortMapping>,
    /// Where the volume was.
    attachment: Option<Attachment>,
    /// Whether the machine ran already.
    ran: bool,
}

impl Before {
    /// What cannot be read is not known: the task will say why, and nothing takes back what was not done.
    pub(super) fn of(task: &Task, engine: &Engine) -> Before {
        let machines = engine.machines();
        let mut before = Before::default();
        match task {
            Task::Expose { machine, .. } | Task::Unexpose { machine, .. } => {
                let shown = machines.show(machine.key()).ok();
                let ports = shown.into_iter().flat_map(|machine| machine.ports);
                before.ports = ports.map(mapping).collect();
            }
            Task::Detach { volume, .. } => {
                before.attachment = machines.volume(volume.key()).ok().map(|volume| Attachment {
                    path: volume.mount_path.and_then(|path| path.parse().ok()),
                    volume: volume.name,
                });
            }
            Task::Start(machine) => {
                let shown = machines.show(machine.key());
                before.ran = shown.is_ok_and(|machine| machine.started_at.is_some());
            }
            _ => {}
        }
        before
    }
}

pub(super) fn mapping(port: sistemo::machine::Port) -> PortMapping {
    PortMapping {
        host: port.host_port,
        machine: port.machine_port,
        protocol: port.protocol,
    }
}

impl Task {
    /// What takes it back, once it is done: `made` is what it made.
    pub(super) fn opposite(&self, before: &Before, made: Option<Thing>) -> Option<Task> {
        Some(match self {
            Task::Deploy(_) => Task::Delete {
                machine: made?,
                keep_storage: false,
            },
            Task::Start(machine) if !before.ran => Task::Stop {
                machine: machine.clone(),
                force: false,
            },
            Task::Stop { machine, .. } => Task::Start(machine.clone()),
            Task::Pause(machine) => Task::Resume(machine.clone()),
            Task::Resume(machine) => Task::Pause(machine.clone()),
            Task::Snapshot { machine, .. } => Task::DeleteSnapshot {
                machine: machine.clone(),
                snapshot: made?.name().to_owned(),
            },
            Task::Fork { .. } => Task::Delete {
                machine: made?,
                keep_storage: false,
            },
            Task::Rename { machine, new } => Task::Rename {
                machine: machine.renamed(new.as_str()),
                new: machine.name().parse().ok()?,
            },
            Task::RenameVolume { volume, new } => Task::RenameVolume {
                volume: volume.renamed(new.as_str()),
                new: volume.name().parse().ok()?,
            },
            Task::Expose { machine, port } => {
                let machine = machine.clone();
                let same = |other: &&PortMapping| {
                    (other.host, other.protocol) == (port.host, port.protocol)
                };
                match before.ports.iter().find(same) {
                    // It was so already.
                    Some(old) if old == port => return None,
                    Some(old) => Task::Expose {
                        machine,
                        port: *old,
                    },
                    None => Task::Unexpose {
                        machine,
                        port: *port,
                    },
                }
            }
            Task::Unexpose { machine, port } => Task::Expose {
                machine: machine.clone(),
                port: meant(&before.ports, port)?,
            },
            Task::Attach { machine, .. } => Task::Detach {
                machine: machine.clone(),
                volume: made?,
            },
            Task::Detach { machine, .. } => Task::Attach {
                machine: machine.clone(),
                attachment: before.attachment.clone()?,
            },
            Task::CreateVolume { .. } => Task::DeleteVolume(made?),
            Task::CreateNetwork { name, .. } => Task::DeleteNetwork(name.to_string()),
            Task::Setup
            | Task::Start(_)
            | Task::Restart(_)
            | Task::Restore { .. }
            | Task::DeleteSnapshot { .. }
            | Task::Delete { .. }
            | Task::ResizeVolume { .. }
            | Task::DeleteVolume(_)
            | Task::DeleteNetwork(_)
            | Task::Pull(_)
            | Task::Build { .. }
            | Task::BuildDockerfile { .. }
            | Task::DeleteImage(_)
            | Task::Prune { .. } => return None,
        })
    }
}

/// The port that was taken back: as it was given, or by its number of the host, or by the one inside, as the engine has
/// it.
fn meant(ports: &[PortMapping], port: &PortMapping) -> Option<PortMapping> {
    let alike = || ports.iter().filter(|other| other.protocol == port.protocol);
    let found = alike().find(|other| *other == port);
    let found = found.or_else(|| alike().find(|other| other.host == port.host));
    found
        .or_else(|| alike().find(|other| other.machine == port.machine))
        .copied()
}
