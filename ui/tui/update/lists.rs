//! What is done to a list itself: its order, its marks, the copying of names.

use super::act::select;
use crate::tui::effect::Effect;
use crate::tui::list;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};

pub(super) fn sort(model: &mut Model) -> Vec<Effect> {
    let view = model.place.view;
    let columns: Vec<_> = list::wanted(model, view)
        .into_iter()
        .filter(|column| !column.drawn)
        .collect();
    let list = model.lists.of(view);
    let next = match &list.sort {
        None => columns.first(),
        Some((id, _)) => {
            let at = columns.iter().position(|column| column.id == *id);
            // Behind the last is the order that the engine gives.
            columns.get(at.map_or(0, |at| at + 1))
        }
    };
    list.sort = next.map(|column| (column.id.to_string(), false));
    vec![Effect::Remember]
}

pub(super) fn mark(model: &mut Model) -> Vec<Effect> {
    let view = model.place.view;
    let list = model.lists.of(view);
    if let Some(id) = list.selected.clone() {
        if !list.marked.remove(&id) {
            list.marked.insert(id.clone());
            list.last_mark = Some(id);
        }
        list.step(1);
    }
    select(model, view);
    Vec::new()
}

pub(super) fn mark_range(model: &mut Model) -> Vec<Effect> {
    let view = model.place.view;
    let ids = shown(model, view);
    let list = model.lists.of(view);
    let from = list
        .last_mark
        .as_ref()
        .and_then(|last| ids.iter().position(|id| id == last));
    let (from, to) = (from.unwrap_or(list.at), list.at);
    let range = ids.iter().skip(from.min(to)).take(from.abs_diff(to) + 1);
    list.marked.extend(range.cloned());
    list.last_mark = list.selected.clone();
    Vec::new()
}

pub(super) fn mark_all(model: &mut Model) -> Vec<Effect> {
    let view = model.place.view;
    let ids = shown(model, view);
    let list = model.lists.of(view);
    if list.marked.len() == ids.len() {
        list.marked.clear();
    } else {
        list.marked = ids.into_iter().collect();
    }
    Vec::new()
}

/// The identities of the rows that are shown, in order.
fn shown(model: &mut Model, view: View) -> Vec<String> {
    let rows = model.lists.of(view).rows.clone();
    rows.iter()
        .filter_map(|row| list::identity(model, view, *row))
        .collect()
}

pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    let names = model.target_names();
    if names.is_empty() {
        return Vec::new();
    }
    model.say(Toast::new(
        Kind::Good,
        format!("copied {}", names.join(" ")),
    ));
    vec![Effect::Copy(names.join("\n"))]
}

pub(super) fn copy_command(model: &mut Model) -> Vec<Effect> {
    match model.tasks.last_command.clone() {
        Some(command) => {
            model.say(Toast::new(Kind::Good, format!("copied: {command}")));
            vec![Effect::Copy(command)]
        }
        None => {
            model.say(Toast::new(Kind::News, "nothing was done yet"));
            Vec::new()
        }
    }
}
