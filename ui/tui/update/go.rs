//! Going from one screen to another, and back.

use super::{log, panes, steps};
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::{Tab, View};
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup;

pub(super) fn tab(model: &mut Model, by: isize) -> Vec<Effect> {
    let Some(detail) = &model.place.detail else {
        return Vec::new();
    };
    let tab = detail.tab.further(by);
    to_tab(model, tab)
}

/// Opens a tab of the machine's screen.
pub(super) fn to_tab(model: &mut Model, tab: Tab) -> Vec<Effect> {
    if let Some(detail) = &mut model.place.detail {
        detail.tab = tab;
        detail.line = 0;
    }
    if tab == Tab::Log {
        log::open(model)
    } else {
        Vec::new()
    }
}

pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let view = model.place.view;
    let Some(selected) = model.lists.of(view).selected.clone() else {
        return Vec::new();
    };
    match view {
        View::Machines => steps::open(model, selected),
        // What a thing belongs to is where one goes on from it.
        View::Volumes => {
            let machine = model
                .world
                .volume(&selected)
                .and_then(|volume| volume.machine.clone());
            match machine.and_then(|name| Some(model.world.machine(&name)?.id.clone())) {
                Some(id) => {
                    steps::open(model, id);
                    return to_tab(model, Tab::Volumes);
                }
                None => model.say(Toast::new(Kind::News, "no machine has this volume")),
            }
        }
        View::Images | View::Networks => {
            let name = match view {
                View::Images => model.world.image(&selected).map(|image| image.name.clone()),
                _ => Some(selected),
            };
            // The machines that were made of it, or are on it.
            if let Some(name) = name {
                model.place.view = View::Machines;
                model.lists.of(View::Machines).filter.text = name;
            }
        }
        View::History => {
            let mut history = model.world.history.iter();
            let entry = history.find(|row| row.id.to_string() == selected);
            let told = entry.map(|entry| popup::entry(entry, model));
            model.popups.extend(told);
        }
        View::Panes => {}
    }
    Vec::new()
}

/// Leaves what was opened last: messages, marks, a filter, a machine, a view.
pub(super) fn back(model: &mut Model) -> Vec<Effect> {
    if model.toasts.dismiss() {
        return Vec::new();
    }
    if model.place.first_run {
        model.place.first_run = false;
        model.first_run_left = true;
        return Vec::new();
    }
    if model.place.detail.is_some() {
        if log::back(model) {
            return Vec::new();
        }
        model.place.detail = None;
        return log::close(model);
    }
    let list = model.lists.of(model.place.view);
    if !list.marked.is_empty() {
        list.marked.clear();
    } else if !list.filter.text.is_empty() {
        list.filter.text.clear();
    } else if model.place.view != View::Machines {
        return to_view(model, View::Machines);
    }
    Vec::new()
}

/// Opens a view.
pub(super) fn to_view(model: &mut Model, view: View) -> Vec<Effect> {
    if std::mem::take(&mut model.place.first_run) {
        model.first_run_left = true;
    }
    model.pending.clear();
    let mut effects = vec![Effect::Remember];
    if view == View::Panes {
        effects.extend(panes::enter(model));
    } else {
        if model.place.view == View::Panes {
            effects.extend(panes::hide(model));
        }
        model.place.detail = None;
        effects.extend(log::close(model));
        model.place.view = view;
    }
    effects
}
