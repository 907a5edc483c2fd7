//! What arrives from the engine: its things, this computer's state, and how tasks go.

use sistemo::store::machines::Status;

use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::host::Host;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::model::world::World;
use crate::tui::task::{Failure, News, Outcome, Task, TaskId};

pub(super) fn world(model: &mut Model, world: Result<Box<World>, Failure>) -> Vec<Effect> {
    match world {
        Ok(world) => {
            let is_first = !model.world.is_known;
            let failed = newly_failed(&model.world, &world);
            let reading = model.world.reading + 1;
            model.world = World { reading, ..*world };
            for (id, toast) in failed {
                // A task that is at it says it itself.
                let name = model.world.machine(&id).map(|machine| machine.name.clone());
                let is_ours = model
                    .tasks
                    .about(&id, name.as_deref().unwrap_or_default())
                    .next()
                    .is_some();
                if !is_ours {
                    model.say(toast);
                }
            }
            first_run(model);
            if is_first {
                model.restore_panes();
            }
            let mut effects = super::log::retry(model);
            effects.extend(super::panes::world(model));
            effects
        }
        Err(failure) => {
            // What was known before is still shown, with why it is old.
            if model.world.trouble.as_ref() != Some(&failure.message) {
                model.say(toast_of(failure.clone()));
            }
            model.world.trouble = Some(failure.message);
            Vec::new()
        }
    }
}

/// Machines that have failed since the last reading.
fn newly_failed(before: &World, now: &World) -> Vec<(String, Toast)> {
    if !before.is_known {
        return Vec::new();
    }
    let failed = now
        .machines
        .iter()
        .filter(|machine| machine.status == Status::Failed);
    let fresh = failed.filter(|machine| {
        let before = before.machine(&machine.id);
        before.is_some_and(|before| before.status != Status::Failed)
    });
    let said = fresh.map(|machine| {
        let why = machine.failure.as_deref().unwrap_or("its hypervisor ended");
        let toast = Toast::new(Kind::Error, format!("{} has failed: {why}", machine.name));
        let hint = format!(
            "its boot log says more: sistemo machine logs {}",
            machine.name
        );
        (
            machine.id.clone(),
            Toast {
                detail: machine.boot_log.clone(),
                ..toast
            }
            .hint(Some(hint)),
        )
    });
    said.collect()
}

pub(super) fn host(model: &mut Model, host: Host) -> Vec<Effect> {
    model.host = host;
    first_run(model);
    Vec::new()
}

/// Shows the screen of a computer that is not set up, unless there is something that was made on it already.
fn first_run(model: &mut Model) {
    let world = &model.world;
    let is_used = world.history.iter().any(|row| row.target == "machine");
    let is_new =
        world.is_known && world.machines.is_empty() && !is_used && !model.host.lacks.is_empty();
    if !is_new && model.place.first_run {
        model.place.first_run = false;
    } else if is_new && !model.first_run_left {
        model.place.first_run = true;
    }
}

pub(super) fn task(model: &mut Model, id: TaskId, news: News) -> Vec<Effect> {
    let outcome = match news {
        News::Event(event) => {
            model.tasks.hear(id, event);
            return Vec::new();
        }
        News::Done(outcome) => outcome,
    };
    let Some(ended) = model.tasks.end(id, &outcome) else {
        return Vec::new();
    };
    match outcome {
        Outcome::Well {
            says,
            made,
            hint: next,
            ..
        } => {
            let key = model.shown(crate::tui::action::Action::Undo);
            // In a shell that key is the guest's.
            let is_offered = model.tasks.undo.is_some() && !key.is_empty();
            let hint = next.or(is_offered.then(|| format!("{key} undoes it")));
            model.say(Toast::new(Kind::Good, says).hint(hint));
            if let (Some(made), Some(view)) = (made, made_in(&ended.task)) {
                let list = model.lists.of(view);
                // Whoever has moved on is not taken back.
                if list.selected == ended.selected {
                    list.awaited = Some(made);
                }
            }
        }
        Outcome::Failed(failure) => {
            let toast = toast_of(failure);
            model.say(Toast {
                text: format!("{}: {}", ended.task.title(), toast.text),
                ..toast
            });
        }
        Outcome::Cancelled => {
            let says = format!("{}: cancelled", ended.task.title());
            model.say(Toast::new(Kind::News, says));
        }
    }
    vec![Effect::Look]
}

/// The view in which what a task makes appears.
pub(super) fn made_in(task: &Task) -> Option<View> {
    match task {
        Task::Deploy(_) => Some(View::Machines),
        Task::CreateVolume { .. } => Some(View::Volumes),
        Task::CreateNetwork { .. } => Some(View::Networks),
        Task::Pull(_) | Task::Build { .. } | Task::BuildDockerfile { .. } => Some(View::Images),
        _ => None,
    }
}

pub(super) fn toast_of(failure: Failure) -> Toast {
    Toast {
        kind: Kind::Error,
        text: failure.message,
        hint: failure.hint,
        detail: failure.detail,
    }
}
