//! Why an action cannot be done here and now.

use sistemo::machine::Machine;
use sistemo::store::machines::Status;
use sistemo::volume::Volume;

use super::{Action, On, spec_of};
use crate::tui::model::Model;
use crate::tui::model::place::{Tab, View};

const STOPPED_FOR_VOLUMES: &str = "volumes are attached and detached while it is off";
const STOPPED_FOR_GROWING: &str = "disks grow while it is off";

/// Whether an action can be done here and now, with what is marked or selected; in words why not.
pub(crate) fn available(action: Action, model: &Model) -> Result<(), String> {
    if model.place.first_run && !is_for_first_run(action) {
        return Err("this computer is not set up yet".into());
    }
    let here = model.contexts();
    if let Some(spec) = spec_of(action)
        && spec.on != On::ANYWHERE
        && !here.iter().any(|place| spec.on.meets(*place))
    {
        return Err(format!("it is done {}", spec.on.in_words()));
    }
    match action {
        Action::Undo if model.tasks.undo.is_none() => Err("there is nothing to undo".into()),
        Action::Cancel if model.tasks.running.is_empty() => Err("nothing is being done".into()),
        Action::CopyCommand if model.tasks.last_command.is_none() => {
            Err("nothing has been done yet".into())
        }
        Action::Enter if !is_for_entering(model) => Err("it is done on its overview".into()),
        Action::Back if !can_go_back(model) => Err("there is nothing to go back from".into()),
        Action::Prune if model.world.images.is_empty() => Err("there are no images".into()),
        Action::Rename | Action::Expose if model.targets().len() > 1 => Err(format!(
            "one at a time: {} are marked",
            model.targets().len()
        )),
        _ => match model.place.view {
            View::Machines if action == Action::Enter => of_machines(Action::Shell, model),
            View::Machines => of_machines(action, model),
            View::Volumes => of_volumes(action, model),
            View::Images => of_images(action, model),
            View::Networks => of_networks(action, model),
            View::History => needs_one(action, &model.targets()),
            View::Panes => Ok(()),
        },
    }
}

/// Whether the screen is one from which Enter leads into the machine.
fn is_for_entering(model: &Model) -> bool {
    let detail = model.place.detail.as_ref();
    detail.is_none_or(|detail| matches!(detail.tab, Tab::Overview | Tab::Shell))
}

/// Whether there is something to leave: messages, marks, a filter, a machine, or a view that is not the first.
fn can_go_back(model: &Model) -> bool {
    let place = &model.place;
    let list = model.lists.get(place.view);
    place.first_run
        || place.view != View::Machines
        || place.detail.is_some()
        || model.toasts.shown().next().is_some()
        || list.is_some_and(|list| !list.marked.is_empty() || !list.filter.text.is_empty())
}

/// What can be done on a computer that lacks what machines need.
fn is_for_first_run(action: Action) -> bool {
    use Action::{Back, Help, Messages, Mouse, Palette, Quit, Redraw, Setup, Suspend, Theme};
    matches!(
        action,
        Setup
            | Back
            | Help
            | Palette
            | Messages
            | Theme
            | Mouse
            | Redraw
            | Suspend
            | Quit
            | Action::Cancel
    )
}

/// Refuses what is about one thing where there is none.
fn needs_one(action: Action, targets: &[String]) -> Result<(), String> {
    use Action::{Copy, Delete, Mark, MarkRange, Menu, Open, Rename};
    match action {
        Open | Mark | MarkRange | Menu | Copy | Delete | Rename if targets.is_empty() => {
            Err("nothing is selected".into())
        }
        _ => Ok(()),
    }
}

/// Whether it can be done with any of these; if not, why not with the first.
fn any<T>(things: &[T], can: impl Fn(&T) -> Result<(), String>) -> Result<(), String> {
    let mut why = None;
    for thing in things {
        match can(thing) {
            Ok(()) => return Ok(()),
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    why.map_or(Ok(()), Err)
}

fn of_machines(action: Action, model: &Model) -> Result<(), String> {
    use Action::{
        Attach, BootLog, Delete, Detach, Expose, ForceStop, Rename, Resize, Restart, Shell,
        ShellBeside, Start, Stop, Unexpose,
    };
    let targets = model.targets();
    let is_about_one = matches!(
        action,
        Attach
            | Action::Pause
            | Action::Resume
            | Action::Snapshot
            | Action::Restore
            | Action::DeleteSnapshot
            | Action::Fork
            | BootLog
            | Delete
            | Detach
            | Expose
            | ForceStop
            | Rename
            | Resize
            | Restart
            | Shell
            | ShellBeside
            | Start
            | Stop
            | Unexpose
    );
    if !is_about_one {
        return needs_one(action, &targets);
    }
    let known = targets.iter().filter_map(|id| model.world.machine(id));
    let machines: Vec<&Machine> = known.collect();
    if machines.is_empty() {
        return Err("no machine is selected".into());
    }
    any(&machines, |machine| of_machine(action, machine, model))
}

/// Whether it can be done with this machine; in words why not.
pub(crate) fn of_machine(action: Action, machine: &Machine, model: &Model) -> Result<(), String> {
    use Action::{
        Attach, Delete, Detach, ForceStop, Resize, Restart, Shell, ShellBeside, Start, Stop,
        Unexpose,
    };
    let Machine { name, status, .. } = machine;
    let is = || Err(format!("{name} is {status}"));
    match (action, status) {
        (Start, Status::Stopped | Status::Failed) => Ok(()),
        (Start, _) => is(),
        (
            Stop | ForceStop,
            Status::Running | Status::Paused | Status::Failed | Status::Starting | Status::Stopping,
        ) => Ok(()),
        (Stop | ForceStop, _) => is(),
        (Restart, Status::Running | Status::Paused | Status::Failed) => Ok(()),
        (Restart, _) => is(),
        (Action::Pause, Status::Running) | (Action::Resume, Status::Paused) => Ok(()),
        (Action::Pause | Action::Resume, _) => is(),
        (
            Action::Snapshot | Action::Fork | Action::Restore | Action::DeleteSnapshot,
            Status::Creating | Status::Starting | Status::Stopping | Status::Deleting,
        ) => is(),
        (Action::Restore | Action::DeleteSnapshot, _)
            if model.world.snapshots_of(&machine.id).next().is_none() =>
        {
            Err(format!("{name} has no snapshots"))
        }
        (Shell | ShellBeside, Status::Running | Status::Starting) => Ok(()),
        (Shell | ShellBeside, Status::Paused) => Err(format!("{name} is paused: resume it first")),
        (Shell | ShellBeside, _) => Err(format!("{name} is {status}: start it first")),
        (Delete, Status::Deleting) => is(),
        (Unexpose, _) if machine.ports.is_empty() => Err(format!("no port leads into {name}")),
        (Detach, _) if !machine.volumes.iter().any(|volume| volume.role != "root") => {
            Err(format!("{name} has no data volumes"))
        }
        (Attach, _) if !model.world.volumes.iter().any(is_free) => {
            Err("no data volume is free: create one first".into())
        }
        (Attach | Detach, Status::Stopped | Status::Failed) => Ok(()),
        (Attach | Detach, _) => Err(once_stopped(name, STOPPED_FOR_VOLUMES)),
        (Resize, Status::Stopped | Status::Failed) => Ok(()),
        (Resize, _) => Err(once_stopped(name, STOPPED_FOR_GROWING)),
        _ => Ok(()),
    }
}

fn once_stopped(name: &str, why: &str) -> String {
    format!("available once {name} is stopped: {why}")
}

fn is_free(volume: &Volume) -> bool {
    volume.role != "root" && volume.machine.is_none()
}

fn of_volumes(action: Action, model: &Model) -> Result<(), String> {
    let targets = model.targets();
    let is_about_one = matches!(
        action,
        Action::Resize | Action::Attach | Action::Detach | Action::Delete | Action::Rename
    );
    if !is_about_one {
        return needs_one(action, &targets);
    }
    let known = targets.iter().filter_map(|id| model.world.volume(id));
    let volumes: Vec<&Volume> = known.collect();
    if volumes.is_empty() {
        return Err("no volume is selected".into());
    }
    any(&volumes, |volume| of_volume(action, volume, model))
}

fn of_volume(action: Action, volume: &Volume, model: &Model) -> Result<(), String> {
    let name = &volume.name;
    let is_root = volume.role == "root";
    let owner = volume.machine.as_deref();
    let is_off = |owner: &str| {
        let machine = model.world.machine(owner);
        machine.is_none_or(|machine| matches!(machine.status, Status::Stopped | Status::Failed))
    };
    match (action, owner) {
        (Action::Delete, Some(owner)) if is_root => {
            Err(format!("{name} is the disk of {owner} and goes with it"))
        }
        (Action::Delete, Some(owner)) => Err(format!("{name} belongs to {owner}: detach it first")),
        (Action::Rename, Some(owner)) if is_root => Err(format!("{name} is named after {owner}")),
        (Action::Attach, _) if is_root => Err(format!("{name} is a root volume")),
        (Action::Attach, Some(owner)) => Err(format!("{name} belongs to {owner}")),
        (Action::Detach, None) => Err(format!("{name} belongs to no machine")),
        (Action::Detach, Some(owner)) if is_root => Err(format!("{name} is the disk of {owner}")),
        (Action::Detach, Some(owner)) if !is_off(owner) => {
            Err(once_stopped(owner, STOPPED_FOR_VOLUMES))
        }
        (Action::Resize, Some(owner)) if !is_off(owner) => {
            Err(once_stopped(owner, STOPPED_FOR_GROWING))
        }
        _ => Ok(()),
    }
}

fn of_images(action: Action, model: &Model) -> Result<(), String> {
    match action {
        Action::Rename => Err("an image is named when it is pulled or built".into()),
        _ => needs_one(action, &model.targets()),
    }
}

fn of_networks(action: Action, model: &Model) -> Result<(), String> {
    let targets = model.targets();
    match action {
        Action::Rename => Err("a network keeps its name".into()),
        Action::Delete if !targets.is_empty() => any(&targets, |name| {
            if name == sistemo::store::networks::DEFAULT {
                return Err("the default network stays".into());
            }
            match model
                .world
                .network(name)
                .and_then(|network| network.machines.first())
            {
                Some(machine) => Err(format!("{machine} is on {name}")),
                None => Ok(()),
            }
        }),
        _ => needs_one(action, &targets),
    }
}
