//! Actions: what each does.

use super::{keys, log, panes, steps};
use crate::tui::action::{self, Action};
use crate::tui::effect::Effect;
use crate::tui::list;
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, Tab, View};
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup;
use crate::tui::view;

/// Does an action, or says why not.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Err(why) = action::available(action, model) {
        model.say(Toast::new(Kind::Warning, why));
        return Vec::new();
    }
    match action {
        Action::Up => step(model, -1),
        Action::Down => step(model, 1),
        Action::PageUp => step(model, -page(model)),
        Action::PageDown => step(model, page(model)),
        Action::HalfUp => step(model, -(page(model) / 2).max(1)),
        Action::HalfDown => step(model, (page(model) / 2).max(1)),
        Action::Top => step(model, isize::MIN / 2),
        Action::Bottom => step(model, isize::MAX / 2),
        Action::Left => tab(model, -1),
        Action::Right => tab(model, 1),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::NextView => to_view(model, model.place.view.further(1)),
        Action::PreviousView => to_view(model, model.place.view.further(-1)),
        Action::Machines => to_view(model, View::Machines),
        Action::Volumes => to_view(model, View::Volumes),
        Action::Images => to_view(model, View::Images),
        Action::Networks => to_view(model, View::Networks),
        Action::History => to_view(model, View::History),
        Action::Panes => to_view(model, View::Panes),
        Action::Filter => {
            keys::begin_filter(model);
            Vec::new()
        }
        Action::Sort => sort(model),
        Action::SortReverse => {
            let list = model.lists.of(model.place.view);
            if let Some((_, reverse)) = &mut list.sort {
                *reverse = !*reverse;
            }
            vec![Effect::Remember]
        }
        Action::Mark => mark(model),
        Action::MarkRange => mark_range(model),
        Action::MarkAll => mark_all(model),
        Action::Copy => copy(model),
        Action::CopyCommand => copy_command(model),
        Action::Cancel => cancel(model),
        Action::Mouse => {
            model.mouse = !model.mouse;
            let says = match model.mouse {
                true => "the mouse is the console's",
                false => "the mouse is the terminal's: select and copy as usual",
            };
            model.say(Toast::new(Kind::News, says));
            vec![Effect::Mouse(model.mouse)]
        }
        Action::Suspend => vec![Effect::Suspend],
        Action::Redraw => vec![Effect::Redraw],
        Action::Quit => quit(model),
        Action::Shell => shell(model, false),
        Action::ShellBeside => shell(model, true),
        Action::BootLog => boot_log(model),
        Action::Log(action) => log::act(model, action),
        Action::Pane(action) => panes::act(model, action),
        _ => ask(model, action),
    }
}

/// What opens a form, asks, or begins a task.
fn ask(model: &mut Model, action: Action) -> Vec<Effect> {
    let targets = model.targets();
    match popup::for_action(action, &targets, model) {
        Ok(wanted) => {
            let effects = steps::all(model, wanted);
            if effects
                .iter()
                .any(|effect| matches!(effect, Effect::Begin(..)))
            {
                model.lists.of(model.place.view).marked.clear();
            }
            effects
        }
        Err(why) => {
            model.say(Toast::new(Kind::Warning, why));
            Vec::new()
        }
    }
}

fn step(model: &mut Model, by: isize) -> Vec<Effect> {
    match &mut model.place.detail {
        // Lines beyond the last are taken back when all is settled.
        Some(detail) => detail.line = detail.line.saturating_add_signed(by),
        None => {
            let view = model.place.view;
            model.lists.of(view).step(by);
            select(model, view);
        }
    }
    Vec::new()
}

/// Has what is at the selected place be what is selected.
pub(super) fn select(model: &mut Model, view: View) {
    let list = model.lists.of(view);
    let row = list.rows.get(list.at).copied();
    let selected = row.and_then(|row| list::identity(model, view, row));
    model.lists.of(view).selected = selected;
}

/// How many rows a page has.
fn page(model: &Model) -> isize {
    let (columns, rows) = model.size;
    let body = view::areas(model, ratatui::layout::Rect::new(0, 0, columns, rows)).body;
    isize::try_from(view::body_rows(model, body))
        .unwrap_or(1)
        .max(2)
        - 1
}

fn tab(model: &mut Model, by: isize) -> Vec<Effect> {
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

fn open(model: &mut Model) -> Vec<Effect> {
    if let Some(detail) = &model.place.detail {
        return match detail.tab {
            Tab::Shell => shell(model, false),
            _ => Vec::new(),
        };
    }
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
            let name = model
                .world
                .history
                .iter()
                .find(|row| row.id.to_string() == selected);
            let machine = name.and_then(|row| model.world.machine(&row.name));
            match machine.map(|machine| machine.id.clone()) {
                Some(id) => {
                    steps::open(model, id);
                    return to_tab(model, Tab::History);
                }
                None => model.say(Toast::new(Kind::News, "it is not there any more")),
            }
        }
        View::Panes => {}
    }
    Vec::new()
}

/// Leaves what was opened last: messages, marks, a filter, a machine, a view.
fn back(model: &mut Model) -> Vec<Effect> {
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
    model.place.first_run = false;
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

fn sort(model: &mut Model) -> Vec<Effect> {
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

fn mark(model: &mut Model) -> Vec<Effect> {
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

fn mark_range(model: &mut Model) -> Vec<Effect> {
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

fn mark_all(model: &mut Model) -> Vec<Effect> {
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

fn copy(model: &mut Model) -> Vec<Effect> {
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

fn copy_command(model: &mut Model) -> Vec<Effect> {
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

/// Takes back what was begun last and can still be.
fn cancel(model: &mut Model) -> Vec<Effect> {
    let last = model
        .tasks
        .running
        .iter_mut()
        .rev()
        .find(|running| !running.is_cancelled);
    match last {
        Some(running) => {
            running.is_cancelled = true;
            let id = running.id;
            vec![Effect::Cancel(id)]
        }
        None => {
            model.say(Toast::new(Kind::News, "nothing is being done"));
            Vec::new()
        }
    }
}

fn quit(model: &mut Model) -> Vec<Effect> {
    match popup::on_quitting(model) {
        Some(question) => {
            model.popups.push(question);
            Vec::new()
        }
        None => vec![Effect::Remember, Effect::Quit],
    }
}

fn shell(model: &mut Model, beside: bool) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (number, id) in model.targets().into_iter().enumerate() {
        effects.extend(panes::open(model, &id, beside || number > 0));
    }
    effects
}

fn boot_log(model: &mut Model) -> Vec<Effect> {
    match model.targets().into_iter().next() {
        Some(id) => {
            model.place.view = View::Machines;
            model.place.detail = Some(Detail {
                id,
                tab: Tab::Log,
                line: 0,
            });
            log::open(model)
        }
        None => Vec::new(),
    }
}
