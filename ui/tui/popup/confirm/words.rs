//! What is asked before something is done: what ends, what is lost, by name, and what stays.

use sistemo::machine::Machine;
use sistemo::store::machines::Status;
use sistemo::value::ByteSize;
use sistemo::volume::Volume;

use super::many::many;
use crate::tui::model::Model;
use crate::tui::model::world::World;
use crate::tui::popup::dialog::{in_words, kept};
use crate::tui::task::{Task, Thing};

/// What an empty file system takes of the host's disk: at most so much, and a 64th of its size.
const EMPTY: u64 = 32 << 20;

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) title: String,
    /// What it means, a paragraph each.
    pub(super) says: Vec<String>,
    /// The things that it is about, when there are several.
    pub(super) things: Vec<String>,
    /// What the button says that does it.
    pub(super) go: &'static str,
    /// Whether something is lost.
    pub(super) is_danger: bool,
    /// What has to be typed.
    pub(super) typed: Option<String>,
    /// Whether disks can be kept.
    pub(super) can_keep: bool,
}

/// What is asked before these are done; nothing when none of them does harm.
pub(super) fn asking(tasks: &[Task], model: &Model) -> Option<Asking> {
    let world = &model.world;
    let mut asking = match tasks {
        [] => return None,
        [Task::Stop { machine, force }] => stop(machine, *force, model)?,
        [Task::Restart(machine)] => restart(machine, model)?,
        [
            Task::Delete {
                machine,
                keep_storage,
            },
        ] => delete(machine, *keep_storage, world),
        [Task::DeleteVolume(volume)] => delete_volume(volume, world),
        [Task::DeleteNetwork(name)] => delete_network(name, world),
        [Task::DeleteImage(image)] => delete_image(image, world),
        [Task::Restore { machine, snapshot }] => Asking {
            title: format!("Take {machine} back to {snapshot}?"),
            says: vec!["What its disks hold since, and what it has in memory, is lost.".into()],
            go: "Restore",
            is_danger: true,
            ..Asking::default()
        },
        [Task::DeleteSnapshot { machine, snapshot }] => Asking {
            title: format!("Delete the snapshot {snapshot} of {machine}?"),
            says: vec![
                "There is no way back to it then. Machines that were made of it stay.".into(),
            ],
            go: "Delete",
            is_danger: true,
            ..Asking::default()
        },
        [Task::Detach { machine, volume }] => detach(machine, volume, world),
        [Task::Unexpose { machine, port }] => Asking {
            title: format!("Take port {} back from {machine}?", port.host),
            says: vec![format!(
                "Nothing on this computer leads to port {} of {machine} then.",
                port.machine
            )],
            go: "Take back",
            ..Asking::default()
        },
        [Task::Prune { .. }] => Asking {
            title: "Remove what nothing needs?".into(),
            says: vec!["Images that no machine was made of can be pulled or built again.".into()],
            go: "Remove",
            is_danger: true,
            ..Asking::default()
        },
        [Task::Setup] => set_up(model),
        [_] => return None,
        _ => many(tasks, model)?,
    };
    for text in asking.says.iter_mut().chain(&mut asking.things) {
        *text = crate::tui::view::text::harmless(text).into_owned();
    }
    Some(asking)
}

pub(super) fn machine<'a>(thing: &Thing, world: &'a World) -> Option<&'a Machine> {
    world.machine(thing.key())
}

/// Whether ending it ends anything. Of one that is not known it is taken for granted.
pub(super) fn runs(thing: &Thing, world: &World) -> bool {
    machine(thing, world)
        .is_none_or(|machine| !matches!(machine.status, Status::Stopped | Status::Failed))
}

fn stop(thing: &Thing, force: bool, model: &Model) -> Option<Asking> {
    if !runs(thing, &model.world) {
        return None;
    }
    Some(match force {
        true => Asking {
            title: format!("End {thing} by force?"),
            says: vec![BY_FORCE.into()],
            go: "End it",
            is_danger: true,
            ..Asking::default()
        },
        false => Asking {
            title: format!("Stop {thing}?"),
            says: vec![asked_first(model)],
            go: "Stop",
            ..Asking::default()
        },
    })
}

const BY_FORCE: &str = "The guest is not asked: what it has not written to its disk yet is lost.";

fn asked_first(model: &Model) -> String {
    let grace = model.config.stop_timeout.as_secs();
    format!(
        "Its programs end. The guest has {grace} s to power off, then it is ended by force. Disks stay."
    )
}

const RESTART: &str =
    "Its programs end and start again, and shells into it close. Addresses and disks stay.";

fn restart(thing: &Thing, model: &Model) -> Option<Asking> {
    runs(thing, &model.world).then(|| Asking {
        title: format!("Restart {thing}?"),
        says: vec![RESTART.into()],
        go: "Restart",
        ..Asking::default()
    })
}

fn delete(thing: &Thing, keep: bool, world: &World) -> Asking {
    let mut asking = Asking {
        title: format!("Delete {thing}?"),
        go: "Delete",
        is_danger: true,
        can_keep: true,
        ..Asking::default()
    };
    let says = &mut asking.says;
    let Some(machine) = machine(thing, world) else {
        says.push(format!(
            "{thing} is gone for good, {}",
            match keep {
                true => "but its disk stays.",
                false => "with its disk.",
            }
        ));
        return asking;
    };
    let roots: Vec<&Volume> = machine
        .volumes
        .iter()
        .filter(|volume| volume.role == "root")
        .collect();
    asking.can_keep = !roots.is_empty();
    says.push(match (roots.first(), keep) {
        (Some(root), false) => format!("Gone for good: {thing} and its disk {}.", sized(root)),
        (Some(root), true) => {
            format!(
                "Gone for good: {thing}. Its disk {} stays, and can be booted again.",
                sized(root)
            )
        }
        (None, _) => format!("Gone for good: {thing}."),
    });
    let data: Vec<&str> = data(machine).collect();
    match data.len() {
        0 => {}
        1 => says.push(format!("The volume {} stays.", data[0])),
        _ => says.push(format!("The volumes {} stay.", in_words(&data, 4))),
    }
    let snapshots: Vec<&str> = world
        .snapshots_of(&machine.id)
        .map(|snapshot| snapshot.name.as_str())
        .collect();
    match snapshots.len() {
        0 => {}
        1 => says.push(format!("Its snapshot {} goes with it.", snapshots[0])),
        _ => says.push(format!(
            "Its snapshots {} go with it.",
            in_words(&snapshots, 4)
        )),
    }
    if runs(thing, world) {
        says.push("It is running, and is ended by force.".into());
    }
    asking
}

pub(super) fn data(machine: &Machine) -> impl Iterator<Item = &str> {
    let data = machine
        .volumes
        .iter()
        .filter(|volume| volume.role != "root");
    data.map(|volume| volume.name.as_str())
}

/// `web-root (2 GiB, 340 MiB used)`.
pub(super) fn sized(volume: &Volume) -> String {
    let size = kept(ByteSize::bytes(volume.size_bytes));
    match volume.used_bytes {
        Some(used) => format!(
            "{} ({size}, {} used)",
            volume.name,
            kept(ByteSize::bytes(used))
        ),
        None => format!("{} ({size})", volume.name),
    }
}

fn delete_volume(thing: &Thing, world: &World) -> Asking {
    let known = world.volume(thing.key());
    let what = known.map_or_else(|| thing.to_string(), sized);
    let mut says = vec![match known {
        Some(volume) if !holds_data(volume) => {
            format!("{what} is gone for good. There is nothing on it.")
        }
        _ => format!("{what} and all that is on it are gone for good."),
    }];
    if known.is_some_and(|volume| volume.role == "root") {
        says.push("It is the disk of a machine that was deleted.".into());
    }
    Asking {
        title: format!("Delete the volume {thing}?"),
        says,
        go: "Delete",
        is_danger: true,
        typed: known.is_none_or(holds_data).then(|| thing.to_string()),
        ..Asking::default()
    }
}

/// Whether anything was ever written to it. A disk of a machine is never empty.
fn holds_data(volume: &Volume) -> bool {
    let empty = EMPTY + volume.size_bytes / 64;
    volume.role == "root" || volume.used_bytes.is_none_or(|used| used > empty)
}

fn delete_network(name: &str, world: &World) -> Asking {
    let known = world.network(name);
    Asking {
        title: format!("Delete the network {name}?"),
        says: vec![match known {
            Some(network) => format!(
                "Its addresses, {}, become free. No machine is on it.",
                network.subnet
            ),
            None => "Its addresses become free.".into(),
        }],
        go: "Delete",
        ..Asking::default()
    }
}

fn delete_image(thing: &Thing, world: &World) -> Asking {
    let known = world.image(thing.key());
    let mut says = Vec::new();
    if let Some(image) = known {
        says.push(format!(
            "{} of this computer's disk become free.",
            kept(image.used)
        ));
        if image.names.len() > 1 {
            let names: Vec<&str> = image.names.iter().map(String::as_str).collect();
            says.push(format!("All its names go: {}.", in_words(&names, 4)));
        }
    }
    says.push("Machines that were made of it keep their disks.".into());
    Asking {
        title: format!("Delete the image {thing}?"),
        says,
        go: "Delete",
        is_danger: true,
        ..Asking::default()
    }
}

fn detach(machine: &Thing, volume: &Thing, world: &World) -> Asking {
    let path = world
        .volume(volume.key())
        .and_then(|volume| volume.mount_path.clone());
    let there = path.map(|path| format!(" at {path}")).unwrap_or_default();
    Asking {
        title: format!("Detach {volume} from {machine}?"),
        says: vec![format!(
            "{machine} no longer finds it{there}. What is on it stays."
        )],
        go: "Detach",
        ..Asking::default()
    }
}

fn set_up(model: &Model) -> Asking {
    Asking {
        title: "Set this computer up?".into(),
        says: vec!["It brings what machines need and this computer lacks:".into()],
        things: model.host.lacks.clone(),
        go: "Set up",
        ..Asking::default()
    }
}
