//! From an action to what it takes: a task at once, a question before it, or a form.

use sistemo::machine::Machine;
use sistemo::store::machines::Status;
use sistemo::volume::Volume;

use super::help::Help;
use super::menu::Menu;
use super::messages::Messages;
use super::palette::Palette;
use super::themes::Themes;
use super::{Step, confirm, form};
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::task::{Task, Thing};

/// What an action does to things of the view that is open, given by their identifiers; or why nothing is done.
pub(super) fn steps(
    action: Action,
    targets: &[String],
    model: &Model,
) -> Result<Vec<Step>, String> {
    match action {
        Action::Messages => return Ok(vec![Step::Open(Box::new(Messages::default()))]),
        Action::Help => return Ok(open(Box::new(Help::default()))),
        Action::Menu => return Ok(open(Box::new(Menu::default()))),
        Action::Palette => return Ok(open(Box::new(Palette::new(model)))),
        Action::Theme => return Ok(open(Box::new(Themes::new(model)))),
        Action::Undo => return undo(model),
        // Its screen has said already what will be done.
        Action::Setup if model.place.first_run => return Ok(vec![Step::Do(Task::Setup)]),
        Action::Setup => return Ok(asked(vec![Task::Setup], model)),
        Action::Deploy if model.place.view == View::Machines => {
            return Ok(open(form::deploy(None, None, model)));
        }
        _ => {}
    }
    match model.place.view {
        View::Machines => machines(action, targets, model),
        View::Volumes => volumes(action, targets, model),
        View::Images => images(action, targets, model),
        View::Networks => networks(action, targets, model),
        View::History | View::Panes => Err(NOT_HERE.into()),
    }
}

const NOT_HERE: &str = "that cannot be done here";

fn open(popup: Box<dyn super::Popup>) -> Vec<Step> {
    vec![Step::Open(popup)]
}

/// Does tasks, after the question that they need.
fn asked(tasks: Vec<Task>, model: &Model) -> Vec<Step> {
    match confirm::for_tasks(tasks.clone(), model) {
        Some(question) => open(question),
        None => tasks.into_iter().map(Step::Do).collect(),
    }
}

fn undo(model: &Model) -> Result<Vec<Step>, String> {
    let undo = model.tasks.undo.clone().ok_or("there is nothing to undo")?;
    Ok(asked(vec![undo], model))
}

/// The tasks for those of these things with which it can be done, after the question that they need; the others are
/// told. When there are none, why.
fn each<T>(
    things: &[T],
    name: impl Fn(&T) -> &str,
    task: impl Fn(&T) -> Result<Task, String>,
    model: &Model,
) -> Result<Vec<Step>, String> {
    let mut tasks = Vec::new();
    let mut left = Vec::new();
    for thing in things {
        match task(thing) {
            Ok(task) => tasks.push(task),
            Err(why) => left.push((name(thing), why)),
        }
    }
    if tasks.is_empty() {
        return Err(match left.into_iter().next() {
            Some((_, why)) => why,
            None => "nothing is selected".into(),
        });
    }
    let mut steps = Vec::new();
    if let Some((_, why)) = left.first() {
        let says = match left.len() {
            1 => format!("left as it is: {why}"),
            count => format!("{count} are left as they are: {why}"),
        };
        steps.push(Step::Say(Toast::new(Kind::News, says)));
    }
    steps.extend(asked(tasks, model));
    Ok(steps)
}

/// The only thing that is meant.
fn one<'a, T>(things: &[&'a T]) -> Result<&'a T, String> {
    match things {
        [] => Err("nothing is selected".into()),
        [one] => Ok(one),
        _ => Err(format!("one at a time: {} are marked", things.len())),
    }
}

fn is(machine: &Machine) -> String {
    format!("{} is {}", machine.name, machine.status)
}

fn machines(action: Action, targets: &[String], model: &Model) -> Result<Vec<Step>, String> {
    let known = targets.iter().filter_map(|id| model.world.machine(id));
    let machines: Vec<&Machine> = known.collect();
    let all = |task: &dyn Fn(&Machine) -> Result<Task, String>| {
        each(
            &machines,
            |machine| machine.name.as_str(),
            |machine| task(machine),
            model,
        )
    };
    match action {
        Action::Start => all(&|machine| match machine.status {
            Status::Stopped | Status::Failed => Ok(Task::start(machine)),
            _ => Err(is(machine)),
        }),
        Action::Stop | Action::ForceStop => all(&|machine| match machine.status {
            Status::Stopped | Status::Creating | Status::Deleting => Err(is(machine)),
            _ => Ok(Task::Stop {
                machine: machine.into(),
                force: action == Action::ForceStop,
            }),
        }),
        Action::Restart => all(&|machine| match machine.status {
            Status::Running | Status::Paused | Status::Failed => Ok(Task::Restart(machine.into())),
            _ => Err(is(machine)),
        }),
        Action::Pause => all(&|machine| match machine.status {
            Status::Running => Ok(Task::Pause(machine.into())),
            _ => Err(is(machine)),
        }),
        Action::Resume => all(&|machine| match machine.status {
            Status::Paused => Ok(Task::Resume(machine.into())),
            _ => Err(is(machine)),
        }),
        Action::Snapshot => match machines.as_slice() {
            // Of several each under the next free name.
            [_, _, ..] => all(&|machine| {
                Ok(Task::Snapshot {
                    machine: machine.into(),
                    name: None,
                })
            }),
            _ => Ok(open(form::take_snapshot(one(&machines)?, model))),
        },
        Action::Restore => Ok(open(form::restore(one(&machines)?, model)?)),
        Action::DeleteSnapshot => Ok(open(form::delete_snapshot(one(&machines)?, model)?)),
        Action::Fork => Ok(open(form::fork(one(&machines)?, model))),
        Action::Delete => all(&|machine| {
            Ok(Task::Delete {
                machine: machine.into(),
                keep_storage: false,
            })
        }),
        Action::Rename => Ok(open(form::rename_machine(one(&machines)?, model))),
        Action::Expose => Ok(open(form::expose(one(&machines)?, model))),
        Action::Unexpose => Ok(open(form::unexpose(one(&machines)?, model)?)),
        Action::Attach => Ok(open(form::attach(one(&machines)?, model)?)),
        Action::Detach => match machines.as_slice() {
            // Of several all that they have.
            [_, _, ..] => detach_all(&machines, model),
            _ => Ok(open(form::detach(one(&machines)?, model)?)),
        },
        Action::Resize => {
            let machine = one(&machines)?;
            let root = machine.volumes.iter().find(|volume| volume.role == "root");
            let root = root.ok_or_else(|| format!("{} has no disk", machine.name))?;
            Ok(open(form::resize_volume(root, model)?))
        }
        _ => Err(NOT_HERE.into()),
    }
}

fn detach_all(machines: &[&Machine], model: &Model) -> Result<Vec<Step>, String> {
    let volumes: Vec<&Volume> = machines
        .iter()
        .flat_map(|machine| &machine.volumes)
        .filter(|volume| volume.role == "data")
        .collect();
    if volumes.is_empty() {
        return Err("none of them has a data volume".into());
    }
    each(
        &volumes,
        |volume| volume.name.as_str(),
        |volume| detach(volume, model),
        model,
    )
}

fn detach(volume: &Volume, model: &Model) -> Result<Task, String> {
    let name = &volume.name;
    let owner = volume
        .machine
        .as_deref()
        .ok_or_else(|| format!("{name} belongs to no machine"))?;
    if volume.role == "root" {
        return Err(format!("{name} is the disk of {owner}"));
    }
    let machine = model.world.machine(owner);
    if machine.is_some_and(|machine| !matches!(machine.status, Status::Stopped | Status::Failed)) {
        return Err(format!(
            "{owner} runs: volumes are detached while it is off"
        ));
    }
    Ok(Task::Detach {
        machine: machine.map_or_else(|| owner.into(), Thing::from),
        volume: volume.into(),
    })
}

fn volumes(action: Action, targets: &[String], model: &Model) -> Result<Vec<Step>, String> {
    let known = targets.iter().filter_map(|id| model.world.volume(id));
    let volumes: Vec<&Volume> = known.collect();
    let all = |task: &dyn Fn(&Volume) -> Result<Task, String>| {
        each(
            &volumes,
            |volume| volume.name.as_str(),
            |volume| task(volume),
            model,
        )
    };
    match action {
        Action::Create => Ok(open(form::create_volume(model))),
        Action::Deploy => match volumes.as_slice() {
            [volume] if volume.role == "root" && volume.machine.is_none() => {
                Ok(open(form::deploy(None, Some(&volume.name), model)))
            }
            [volume, ..] => Err(format!(
                "{} is no disk that a machine could boot from",
                volume.name
            )),
            [] => Ok(open(form::deploy(None, None, model))),
        },
        Action::Resize => Ok(open(form::resize_volume(one(&volumes)?, model)?)),
        Action::Rename => {
            let volume = one(&volumes)?;
            match (&volume.machine, volume.role.as_str()) {
                (Some(machine), "root") => Err(format!(
                    "{} is named after {machine}: rename that",
                    volume.name
                )),
                _ => Ok(open(form::rename_volume(volume, model))),
            }
        }
        Action::Attach => Ok(open(form::attach_to_some(one(&volumes)?, model)?)),
        Action::Detach => all(&|volume| detach(volume, model)),
        Action::Delete => all(&|volume| match &volume.machine {
            None => Ok(Task::DeleteVolume(volume.into())),
            Some(machine) if volume.role == "root" => Err(format!(
                "{} is the disk of {machine}, and goes with it",
                volume.name
            )),
            Some(machine) => Err(format!(
                "{} belongs to {machine}: detach it first",
                volume.name
            )),
        }),
        _ => Err(NOT_HERE.into()),
    }
}

fn images(action: Action, targets: &[String], model: &Model) -> Result<Vec<Step>, String> {
    let known = targets
        .iter()
        .filter_map(|digest| model.world.image(digest));
    let images: Vec<_> = known.collect();
    match action {
        Action::Pull => Ok(open(form::pull(model))),
        Action::Build => Ok(open(form::build(model))),
        Action::Prune => Ok(open(form::prune(model))),
        Action::Deploy => {
            let image = images.first().map(|image| image.name.as_str());
            Ok(open(form::deploy(image, None, model)))
        }
        Action::Delete => {
            let task = |image: &&sistemo::image::Image| Ok(Task::DeleteImage((*image).into()));
            each(&images, |image| image.name.as_str(), task, model)
        }
        _ => Err(NOT_HERE.into()),
    }
}

fn networks(action: Action, targets: &[String], model: &Model) -> Result<Vec<Step>, String> {
    match action {
        Action::Create => Ok(open(form::create_network(model))),
        Action::Delete => {
            let task = |name: &String| match model.world.network(name) {
                _ if name == sistemo::store::networks::DEFAULT => {
                    Err("the default network stays".to_owned())
                }
                Some(network) if !network.machines.is_empty() => Err(format!(
                    "{} is on {name}",
                    super::dialog::in_words(&names(&network.machines), 3)
                )),
                _ => Ok(Task::DeleteNetwork(name.clone())),
            };
            each(targets, |name| name.as_str(), task, model)
        }
        _ => Err(NOT_HERE.into()),
    }
}

fn names(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}
