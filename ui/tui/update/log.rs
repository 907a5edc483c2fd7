//! The boot log's part: what it gets, and what it asks for.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Rect, Size};

use crate::tui::effect::Effect;
use crate::tui::log::{LogAction, LogRequest, LogView};
use crate::tui::model::Model;
use crate::tui::model::logs::OpenLog;
use crate::tui::model::place::Tab;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup;
use crate::tui::task::Failure;
use crate::tui::view;

/// Rows that a notch of the wheel moves.
const NOTCH: isize = 3;

/// Opens the log of the machine whose screen is open.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(detail) = &model.place.detail else {
        return Vec::new();
    };
    let id = detail.id.clone();
    if model.log.as_ref().is_some_and(|open| open.machine == id) {
        return Vec::new();
    }
    let Some(machine) = model.world.machine(&id) else {
        return Vec::new();
    };
    let name = machine.name.clone();
    let opened = (model.logs.open)(&id, false).and_then(|console| {
        let (notify, saves) = (model.logs.notify.clone(), model.logs.saves.clone());
        let view = LogView::new(&name, console, false, notify, saves);
        view.map_err(|error| Failure::from(&sistemo::error::Error::from(error)))
    });
    match opened {
        Ok(mut view) => {
            let log = model.remembered.log;
            view.set_modes(log.wrap, log.timestamps);
            model.log = Some(OpenLog { machine: id, view });
            model.log_trouble = None;
        }
        Err(failure) => model.log_trouble = Some(failure.message),
    }
    Vec::new()
}

/// Closes it.
pub(super) fn close(model: &mut Model) -> Vec<Effect> {
    model.log_trouble = None;
    match model.log.take() {
        Some(_) => vec![Effect::Remember],
        None => Vec::new(),
    }
}

pub(super) fn act(model: &mut Model, action: LogAction) -> Vec<Effect> {
    let size = size(model);
    let Some(open) = &mut model.log else {
        return Vec::new();
    };
    let requests = open.view.act(action, size);
    let (wrap, timestamps) = open.view.modes();
    model.remembered.log = crate::tui::remembered::Log { wrap, timestamps };
    answer(model, requests)
}

/// Keys while something is typed in it; `None` when nothing is.
pub(super) fn input(model: &mut Model, key: KeyEvent) -> Option<Vec<Effect>> {
    let size = size(model);
    let open = shown(model)?;
    if !open.view.has_input() {
        return None;
    }
    let requests = open.view.input_key(key, size);
    Some(answer(model, requests))
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let size = size(model);
    if let Some(open) = shown(model) {
        open.view.paste(text, size);
    }
    Vec::new()
}

pub(super) fn mouse(model: &mut Model, event: MouseEvent, area: Rect) -> Vec<Effect> {
    let size = area.as_size();
    let row = event.row.saturating_sub(area.y);
    if let Some(open) = shown(model) {
        match event.kind {
            MouseEventKind::ScrollUp => open.view.wheel(-NOTCH, size),
            MouseEventKind::ScrollDown => open.view.wheel(NOTCH, size),
            MouseEventKind::Down(MouseButton::Left) => open.view.click(row, false, size),
            MouseEventKind::Drag(MouseButton::Left) => open.view.click(row, true, size),
            _ => {}
        }
    }
    Vec::new()
}

/// Lets go of a search, a mark or the like; whether there was one.
pub(super) fn back(model: &mut Model) -> bool {
    let size = size(model);
    shown(model).is_some_and(|open| open.view.escape(size))
}

/// There is something new in the log.
pub(super) fn news(_: &mut Model) -> Vec<Effect> {
    // It is taken in with its size, when all is settled.
    Vec::new()
}

/// Takes in what has happened to it, and its size.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    for (is_good, says) in model.logs.saves.take() {
        let kind = if is_good { Kind::Good } else { Kind::Error };
        model.say(Toast::new(kind, says));
    }
    // One that was not there yet when its tab was opened.
    let wanted = model
        .place
        .detail
        .as_ref()
        .is_some_and(|detail| detail.tab == Tab::Log);
    if wanted && model.log.is_none() {
        open(model);
    }
    let size = size(model);
    let Some(open) = shown(model) else {
        return Vec::new();
    };
    let requests = open.view.refresh(size);
    answer(model, requests)
}

/// The log, while it is on the screen.
fn shown(model: &mut Model) -> Option<&mut OpenLog> {
    let detail = model.place.detail.as_ref()?;
    match detail.tab {
        Tab::Log => model.log.as_mut(),
        _ => None,
    }
}

/// The columns and rows that it has.
fn size(model: &Model) -> Size {
    let (columns, rows) = model.size;
    let body = view::areas(model, Rect::new(0, 0, columns, rows)).body;
    let (_, _, inner) = view::detail_parts(body);
    inner.as_size()
}

fn answer(model: &mut Model, requests: Vec<LogRequest>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for request in requests {
        match request {
            LogRequest::Copy(text) => {
                let lines = text.lines().count();
                let plural = if lines == 1 { "" } else { "s" };
                model.say(Toast::new(
                    Kind::Good,
                    format!("copied {lines} line{plural}"),
                ));
                effects.push(Effect::Copy(text));
            }
            LogRequest::AskPath { suggested } => model.popups.push(popup::save_log(&suggested)),
            LogRequest::AskReplace(path) => model.popups.push(popup::replace_log(path)),
            LogRequest::Open { previous } => reopen(model, previous),
        }
    }
    effects
}

/// Shows the other of the machine's two logs.
fn reopen(model: &mut Model, previous: bool) {
    let size = size(model);
    let Some(open) = &mut model.log else {
        return;
    };
    let console = (model.logs.open)(&open.machine, previous);
    let opened = console.and_then(|console| {
        let opened = open.view.open(console, previous, size);
        opened.map_err(|error| Failure::from(&sistemo::error::Error::from(error)))
    });
    if let Err(failure) = opened {
        model.say(super::arrive::toast_of(failure));
    }
}

/// Saves the log that is open, as its user said.
pub(super) fn save(model: &mut Model, path: std::path::PathBuf, replace: bool) {
    if let Some(open) = &mut model.log {
        open.view.save(path, replace);
    }
}
