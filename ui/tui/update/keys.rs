//! Keys: who gets them, in this order: what lies on top, a shell, a field that is being typed in, the keymap.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::{act, log, panes, steps};
use crate::tui::effect::Effect;
use crate::tui::keymap::Found;
use crate::tui::model::Model;
use crate::tui::model::place::View;

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let in_panes = model.popups.is_empty() && model.place.view == View::Panes;
    // Terminals that tell of releases tell guests, too.
    if key.kind == KeyEventKind::Release && !in_panes {
        return Vec::new();
    }
    if let Some(mut popup) = model.popups.pop() {
        let wanted = popup.key(key, model);
        return steps::of_popup(model, popup, wanted);
    }
    if in_panes {
        return panes::key(model, key);
    }
    if model.lists.of(model.place.view).input.is_some() && model.place.detail.is_none() {
        return filter(model, key);
    }
    if let Some(effects) = log::input(model, key) {
        return effects;
    }
    in_keymap(model, key)
}

/// Looks a key up, behind those that were typed before it.
pub(super) fn in_keymap(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    model.pending.push(key);
    match model.keymap.find(&model.pending, model.contexts()) {
        Found::Action(action) => {
            model.pending.clear();
            act::act(model, action)
        }
        Found::Prefix(_) => Vec::new(),
        Found::None => {
            // A key that leads nowhere behind others may mean something by itself.
            let alone = model.pending.len() == 1;
            model.pending.clear();
            if alone {
                Vec::new()
            } else {
                in_keymap(model, key)
            }
        }
    }
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if let Some(mut popup) = model.popups.pop() {
        let wanted = popup.paste(text, model);
        return steps::of_popup(model, popup, wanted);
    }
    if model.place.view == View::Panes {
        return panes::paste(model, text);
    }
    let line: String = text.chars().filter(|letter| !letter.is_control()).collect();
    if model.place.detail.is_some() {
        return log::paste(model, &line);
    }
    let list = model.lists.of(model.place.view);
    if let Some(input) = &mut list.input {
        for letter in line.chars() {
            input.handle(tui_input::InputRequest::InsertChar(letter));
        }
        list.filter.text = input.value().into();
    }
    Vec::new()
}

/// The filter, as it is typed: the list follows each letter.
fn filter(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let list = model.lists.of(model.place.view);
    let Some(input) = &mut list.input else {
        return Vec::new();
    };
    match key.code {
        KeyCode::Enter => list.input = None,
        KeyCode::Esc => {
            list.input = None;
            list.filter.text.clear();
        }
        // Looking through what is left while one types.
        KeyCode::Up => list.step(-1),
        KeyCode::Down => list.step(1),
        KeyCode::Backspace if input.value().is_empty() => list.input = None,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            list.input = None;
            list.filter.text.clear();
        }
        _ => {
            input.handle_event(&Event::Key(key));
            list.filter.text = input.value().into();
        }
    }
    let at = list.at;
    list.selected = None;
    // The same place in a list that has become another.
    list.at = at.min(list.rows.len().saturating_sub(1));
    if let Some(row) = list.rows.get(list.at).copied() {
        let id = crate::tui::list::identity(model, model.place.view, row);
        model.lists.of(model.place.view).selected = id;
    }
    Vec::new()
}

/// Begins to type the filter of the list that is open.
pub(super) fn begin_filter(model: &mut Model) {
    let list = model.lists.of(model.place.view);
    list.input = Some(Input::new(list.filter.text.clone()));
}
