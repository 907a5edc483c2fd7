//! What is asked before the same is done to several things.

use super::words::{Asking, asking, data, machine, runs, sized};
use crate::tui::model::Model;
use crate::tui::model::world::World;
use crate::tui::popup::dialog::in_words;
use crate::tui::task::{Task, Thing};

/// The same done to several things.
pub(super) fn many(tasks: &[Task], model: &Model) -> Option<Asking> {
    let world = &model.world;
    let count = tasks.len();
    let stopped = |task: &Task| match task {
        Task::Stop { machine, force } => Some((machine.clone(), *force)),
        _ => None,
    };
    if let Some(machines) = all(tasks, stopped) {
        let running: Vec<_> = machines
            .iter()
            .filter(|(machine, _)| runs(machine, world))
            .collect();
        if running.is_empty() {
            return None;
        }
        let force = running.iter().any(|(_, force)| *force);
        return Some(Asking {
            title: match force {
                true => format!("End {count} machines by force?"),
                false => format!("Stop {count} machines?"),
            },
            says: vec![match force {
                true => "Their guests are not asked: what they have not written to their disks yet is lost.".into(),
                false => "Their programs end. Disks stay.".into(),
            }],
            things: machines.iter().map(|(machine, _)| machine.to_string()).collect(),
            go: if force { "End them" } else { "Stop" },
            is_danger: force,
            ..Asking::default()
        });
    }
    if let Some(machines) = all(tasks, |task| match task {
        Task::Restart(machine) => Some(machine.clone()),
        _ => None,
    }) {
        return Some(Asking {
            title: format!("Restart {count} machines?"),
            says: vec![
                "Their programs end and start again, and shells into them close. Disks stay."
                    .into(),
            ],
            things: machines.iter().map(ToString::to_string).collect(),
            go: "Restart",
            ..Asking::default()
        });
    }
    if let Some(machines) = all(tasks, |task| match task {
        Task::Delete {
            machine,
            keep_storage,
        } => Some((machine.clone(), *keep_storage)),
        _ => None,
    }) {
        return Some(delete_many(&machines, world));
    }
    if let Some(volumes) = all(tasks, |task| match task {
        Task::DeleteVolume(volume) => Some(volume.clone()),
        _ => None,
    }) {
        let known = |volume: &Thing| world.volume(volume.key());
        return Some(Asking {
            title: format!("Delete {count} volumes?"),
            says: vec!["They and all that is on them are gone for good:".into()],
            things: volumes
                .iter()
                .map(|volume| known(volume).map_or_else(|| volume.to_string(), sized))
                .collect(),
            go: "Delete",
            is_danger: true,
            typed: Some(count.to_string()),
            ..Asking::default()
        });
    }
    if !tasks
        .iter()
        .any(|task| asking(std::slice::from_ref(task), model).is_some())
    {
        return None;
    }
    let images = tasks
        .iter()
        .all(|task| matches!(task, Task::DeleteImage(_)));
    let networks = tasks
        .iter()
        .all(|task| matches!(task, Task::DeleteNetwork(_)));
    Some(Asking {
        title: match (images, networks) {
            (true, _) => format!("Delete {count} images?"),
            (_, true) => format!("Delete {count} networks?"),
            _ => format!("Do these {count} things?"),
        },
        says: match images {
            true => vec!["Machines that were made of them keep their disks.".into()],
            false => Vec::new(),
        },
        things: tasks
            .iter()
            .map(|task| match task {
                Task::DeleteImage(image) => image.to_string(),
                Task::DeleteNetwork(name) => name.clone(),
                other => other.order(),
            })
            .collect(),
        go: if images || networks {
            "Delete"
        } else {
            "Go on"
        },
        is_danger: true,
        typed: images.then(|| count.to_string()),
        ..Asking::default()
    })
}

/// What all tasks have, when all have it.
fn all<T>(tasks: &[Task], of: impl Fn(&Task) -> Option<T>) -> Option<Vec<T>> {
    tasks.iter().map(of).collect()
}

fn delete_many(machines: &[(Thing, bool)], world: &World) -> Asking {
    let keep = machines.iter().all(|(_, keep)| *keep);
    let mut things = Vec::new();
    let mut stays = Vec::new();
    for (thing, _) in machines {
        let known = machine(thing, world);
        let root =
            known.and_then(|known| known.volumes.iter().find(|volume| volume.role == "root"));
        let runs = if known.is_some() && runs(thing, world) {
            ", running"
        } else {
            ""
        };
        things.push(match (root, keep) {
            (Some(root), false) => format!("{thing}{runs}, with {}", sized(root)),
            _ => format!("{thing}{runs}"),
        });
        stays.extend(known.into_iter().flat_map(data));
    }
    let mut says = vec![match keep {
        true => "Gone for good, but for their disks, which stay:".into(),
        false => "Gone for good, with their disks:".to_string(),
    }];
    if !stays.is_empty() {
        let word = if stays.len() == 1 {
            "volume"
        } else {
            "volumes"
        };
        let verb = if stays.len() == 1 { "stays" } else { "stay" };
        says.insert(0, format!("The {word} {} {verb}.", in_words(&stays, 4)));
    }
    Asking {
        title: format!("Delete {} machines?", machines.len()),
        says,
        things,
        go: "Delete",
        is_danger: true,
        typed: Some(machines.len().to_string()),
        can_keep: true,
    }
}
