//! The mouse: what is clicked on gets it.

use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{act, go, log, panes, steps};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::view::{self, Hit};

/// Two clicks on the same place within this are one double click.
const DOUBLE: Duration = Duration::from_millis(400);
/// Lines that a notch of the wheel moves.
const NOTCH: isize = 3;

pub(super) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    if let Some(mut popup) = model.popups.pop() {
        let wanted = popup.mouse(event, model);
        return steps::of_popup(model, popup, wanted);
    }
    let (columns, rows) = model.size;
    let areas = view::areas(model, Rect::new(0, 0, columns, rows));
    let at = Position::new(event.column, event.row);
    let clicked = event.kind == MouseEventKind::Down(MouseButton::Left);
    if clicked && areas.tabs.contains(at) {
        return match view::view_at(model, areas.tabs, at.x, at.y) {
            Some(view) => go::to_view(model, view),
            None => Vec::new(),
        };
    }
    if clicked && areas.bar.contains(at) {
        return match view::bars::action_at(model, areas.bar, at.x) {
            Some(action) => act::act(model, action),
            None => Vec::new(),
        };
    }
    if model.place.view == View::Panes {
        return panes::mouse(model, event);
    }
    if !areas.body.contains(at) || model.place.first_run {
        return Vec::new();
    }
    if model.place.detail.is_some() {
        return detail(model, event, areas.body);
    }
    match event.kind {
        MouseEventKind::ScrollUp => wheel(model, -NOTCH),
        MouseEventKind::ScrollDown => wheel(model, NOTCH),
        MouseEventKind::Down(MouseButton::Left) => click(model, areas.body, at),
        _ => Vec::new(),
    }
}

fn wheel(model: &mut Model, by: isize) -> Vec<Effect> {
    let view = model.place.view;
    model.lists.of(view).step(by);
    act::select(model, view);
    Vec::new()
}

fn click(model: &mut Model, body: Rect, at: Position) -> Vec<Effect> {
    let view = model.place.view;
    match view::hit(model, body, at.x, at.y) {
        Some(Hit::Row(row)) => {
            let now = model.clock.instant;
            let before = model.last_click.replace((now, at));
            let double = before.is_some_and(|(when, place)| place.y == at.y && now - when < DOUBLE);
            model.lists.of(view).at = row;
            act::select(model, view);
            if double {
                model.last_click = None;
                return act::act(model, Action::Open);
            }
            Vec::new()
        }
        Some(Hit::Title(column)) => {
            let list = model.lists.of(view);
            let reverse = matches!(&list.sort, Some((id, false)) if id == column);
            list.sort = Some((column.into(), reverse));
            vec![Effect::Remember]
        }
        None => Vec::new(),
    }
}

fn detail(model: &mut Model, event: MouseEvent, body: Rect) -> Vec<Effect> {
    let (_, tabs, inner) = view::detail_parts(body);
    let Some(detail) = &mut model.place.detail else {
        return Vec::new();
    };
    if event.kind == MouseEventKind::Down(MouseButton::Left)
        && let Some(tab) = view::tab_at(detail, tabs, event.column, event.row)
    {
        return go::to_tab(model, tab);
    }
    if detail.tab == crate::tui::model::place::Tab::Log {
        return log::mouse(model, event, inner);
    }
    match event.kind {
        MouseEventKind::ScrollUp => detail.line = detail.line.saturating_add_signed(-NOTCH),
        MouseEventKind::ScrollDown => detail.line = detail.line.saturating_add_signed(NOTCH),
        _ => {}
    }
    Vec::new()
}
