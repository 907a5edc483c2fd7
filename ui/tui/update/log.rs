//! The boot log's part: what it gets, and what it asks for.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Rect, Size};

use sistemo::machine::Console;

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

/// Has the log of the machine whose screen is open be opened, unless it is.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(detail) = &model.place.detail else {
        return Vec::new();
    };
    let id = detail.id.clone();
    let is_open = model.log.as_ref().is_some_and(|open| open.machine == id);
    if is_open || model.world.machine(&id).is_none() {
        return Vec::new();
    }
    ask(model, id, false)
}

/// Asks for a log once: the store, and its files, may keep one waiting.
fn ask(model: &mut Model, machine: String, previous: bool) -> Vec<Effect> {
    let asked = Some((machine.clone(), previous));
    if model.log_asked == asked {
        return Vec::new();
    }
    model.log_asked = asked;
    vec![Effect::OpenLog { machine, previous }]
}

/// Takes a log that was asked for, or why there is none.
pub(super) fn opened(
    model: &mut Model,
    machine: String,
    previous: bool,
    console: Result<Console, Failure>,
) -> Vec<Effect> {
    // The user may have gone elsewhere.
    if model.log_asked != Some((machine.clone(), previous)) {
        return Vec::new();
    }
    model.log_asked = None;
    let told = |error: sistemo::machine::Error| Failure::from(&sistemo::error::Error::from(error));
    let size = size(model);
    if let Some(open) = model.log.as_mut().filter(|open| open.machine == machine) {
        let shown = console.and_then(|console| {
            let shown = open.view.open(console, previous, size);
            shown.map_err(told)
        });
        if let Err(failure) = shown {
            model.say(super::arrive::toast_of(failure));
        }
        return Vec::new();
    }
    let known = model.world.machine(&machine);
    let name = known.map_or_else(|| machine.clone(), |machine| machine.name.clone());
    let view = console.and_then(|console| {
        let (notify, saves) = (model.logs.notify.clone(), model.logs.saves.clone());
        let view = LogView::new(&name, console, previous, notify, saves);
        view.map_err(told)
    });
    match view {
        Ok(mut view) => {
            let log = model.remembered.log;
            view.set_modes(log.wrap, log.timestamps);
            model.log = Some(OpenLog { machine, view });
            model.log_trouble = None;
        }
        Err(failure) => model.log_trouble = Some(failure.message),
    }
    Vec::new()
}

/// A log that could not be opened may be there by now.
pub(super) fn retry(model: &mut Model) -> Vec<Effect> {
    let detail = model.place.detail.as_ref();
    let is_wanted = detail.is_some_and(|detail| detail.tab == Tab::Log);
    match is_wanted && model.log.is_none() {
        true => open(model),
        false => Vec::new(),
    }
}

/// Closes it.
pub(super) fn close(model: &mut Model) -> Vec<Effect> {
    model.log_trouble = None;
    model.log_asked = None;
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

/// Takes in what has happened to it, and its size.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    for (is_good, says) in model.logs.saves.take() {
        let kind = if is_good { Kind::Good } else { Kind::Error };
        model.say(Toast::new(kind, says));
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
            LogRequest::Open { previous } => {
                let machine = model.log.as_ref().map(|open| open.machine.clone());
                effects.extend(
                    machine
                        .map(|machine| ask(model, machine, previous))
                        .unwrap_or_default(),
                );
            }
        }
    }
    effects
}

/// Saves the log that is open, as its user said.
pub(super) fn save(model: &mut Model, path: std::path::PathBuf, replace: bool) {
    // So that its user can tell where it is.
    let path = match path.starts_with("~") {
        true => path,
        false => std::path::absolute(&path).unwrap_or(path),
    };
    if let Some(open) = &mut model.log {
        open.view.save(path, replace);
    }
}
