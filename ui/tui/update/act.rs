//! Actions: what each does.

use super::{go, keys, lists, log, panes, steps};
use crate::tui::action::{self, Action};
use crate::tui::effect::Effect;
use crate::tui::list;
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, Tab, View};
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::pane::Place;
use crate::tui::popup;
use crate::tui::view;

/// Does an action, or says why not.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Err(why) = action::available(action, model) {
        // Esc where nothing is open is a habit, no mistake.
        if action != Action::Back {
            model.say(Toast::new(Kind::Warning, why));
        }
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
        Action::Left => go::tab(model, -1),
        Action::Right => go::tab(model, 1),
        Action::Open => go::open(model),
        Action::Back => go::back(model),
        Action::NextView => go::to_view(model, model.place.view.further(1)),
        Action::PreviousView => go::to_view(model, model.place.view.further(-1)),
        Action::Machines => go::to_view(model, View::Machines),
        Action::Volumes => go::to_view(model, View::Volumes),
        Action::Images => go::to_view(model, View::Images),
        Action::Networks => go::to_view(model, View::Networks),
        Action::History => go::to_view(model, View::History),
        Action::Panes => go::to_view(model, View::Panes),
        Action::Filter => {
            keys::begin_filter(model);
            Vec::new()
        }
        Action::Sort => lists::sort(model),
        Action::SortReverse => {
            let list = model.lists.of(model.place.view);
            if let Some((_, reverse)) = &mut list.sort {
                *reverse = !*reverse;
            }
            vec![Effect::Remember]
        }
        Action::Mark => lists::mark(model),
        Action::MarkRange => lists::mark_range(model),
        Action::MarkAll => lists::mark_all(model),
        Action::Copy => lists::copy(model),
        Action::CopyCommand => lists::copy_command(model),
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
        Action::Shell | Action::Enter => shell(model, false),
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

pub(super) fn shell(model: &mut Model, beside: bool) -> Vec<Effect> {
    if model.place.view == View::Panes {
        panes::choose(model, Place::Tab);
        return Vec::new();
    }
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
