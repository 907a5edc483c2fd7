//! The shells' part: what they get, and what they ask for.

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Rect;

use super::{act, keys, steps};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::pane::{Axis, Machine, PaneAction, Place, Request};
use crate::tui::popup;
use crate::tui::task::Task;

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    // Where there is no shell there is nobody to take keys; those of the lists work.
    if model.workspace.is_empty() {
        return keys::in_keymap(model, key);
    }
    // Nothing lies over a shell for longer than its user wants.
    model.toasts.dismiss();
    let requests = model.workspace.key(key, model.clock.instant);
    answer(model, requests)
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let requests = model.workspace.paste(text);
    answer(model, requests)
}

pub(super) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let requests = model.workspace.mouse(event, model.clock.instant);
    answer(model, requests)
}

pub(super) fn act(model: &mut Model, action: PaneAction) -> Vec<Effect> {
    let requests = model.workspace.act(action);
    answer(model, requests)
}

pub(super) fn news(model: &mut Model) -> Vec<Effect> {
    let requests = model.workspace.news(model.clock.instant);
    answer(model, requests)
}

/// The terminal's window has the user's attention, or has lost it.
pub(super) fn focus(model: &mut Model, has: bool) -> Vec<Effect> {
    let requests = model.workspace.attend(has);
    let mut effects = answer(model, requests);
    effects.push(Effect::Attend(has));
    effects
}

/// Shows the shells.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    if model.place.view != View::Panes {
        model.place.before_panes = Some((model.place.view, model.place.detail.take()));
    }
    model.place.view = View::Panes;
    let requests = model.workspace.show(true);
    answer(model, requests)
}

/// Shows what was there before the shells.
fn leave(model: &mut Model) -> Vec<Effect> {
    let (view, detail) = model.place.before_panes.take().unwrap_or_default();
    let effects = hide(model);
    model.place.view = view;
    model.place.detail = detail;
    effects
}

/// The shells are not what the user sees any more; they go on.
pub(super) fn hide(model: &mut Model) -> Vec<Effect> {
    let requests = model.workspace.show(false);
    answer(model, requests)
}

/// Opens a shell in a machine: the one that is open there already, or a new one, in a tab of its own or beside the one
/// that was used last.
pub(super) fn open(model: &mut Model, id: &str, beside: bool) -> Vec<Effect> {
    let Some(machine) = model.world.machine(id).map(Machine::from) else {
        return Vec::new();
    };
    let mut effects = enter(model);
    let known = model.workspace.pane_in(id).filter(|_| !beside);
    let requests = match known {
        Some(pane) => model.workspace.go_to(pane),
        None if beside && !model.workspace.is_empty() => {
            model.workspace.open(machine, Place::Split(Axis::Beside))
        }
        None => model.workspace.open(machine, Place::Tab),
    };
    effects.extend(answer(model, requests));
    effects.push(Effect::Remember);
    effects
}

/// Opens a shell in a machine that was chosen.
pub(super) fn open_at(model: &mut Model, id: &str, place: Place) -> Vec<Effect> {
    let Some(machine) = model.world.machine(id).map(Machine::from) else {
        return Vec::new();
    };
    let mut effects = enter(model);
    let requests = model.workspace.open(machine, place);
    effects.extend(answer(model, requests));
    effects
}

/// The machines that there are by now.
pub(super) fn world(model: &mut Model) -> Vec<Effect> {
    if model.workspace.is_empty() {
        return Vec::new();
    }
    let machines: Vec<Machine> = model.world.machines.iter().map(Machine::from).collect();
    let requests = model.workspace.machines(&machines);
    answer(model, requests)
}

/// Gives the shells their place on the screen.
pub(super) fn settle(model: &mut Model, body: Rect) -> Vec<Effect> {
    if model.place.view != View::Panes {
        return Vec::new();
    }
    let requests = model.workspace.resize(body);
    answer(model, requests)
}

/// Has a machine be chosen for a new shell.
pub(super) fn choose(model: &mut Model, place: Place) {
    match popup::choose_machine(model, place) {
        Ok(popup) => model.popups.push(popup),
        Err(why) => model.say(Toast::new(Kind::Warning, why)),
    }
}

fn answer(model: &mut Model, requests: Vec<Request>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for request in requests {
        match request {
            Request::Leave => effects.extend(leave(model)),
            Request::Bell => effects.push(Effect::Bell),
            Request::Copy(text) => effects.push(Effect::Copy(text)),
            Request::Say(text) => model.say(Toast::new(Kind::News, text)),
            Request::Choose(place) => choose(model, place),
            Request::Start(id) => {
                let task = model.world.machine(&id).map(Task::start);
                effects.extend(
                    task.map(|task| steps::begin(model, task))
                        .unwrap_or_default(),
                );
            }
            Request::Palette => effects.extend(act::act(model, Action::Palette)),
            Request::Help => effects.extend(act::act(model, Action::Help)),
            Request::Remember => effects.push(Effect::Remember),
        }
    }
    effects
}
