//! The menu: what can be done with what is marked or selected, with the keys for it.

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::dialog::{centred, frame, inside};
use super::rows::{self, Row};
use super::{Popup, Step};
use crate::tui::action::{Action, available, specs};
use crate::tui::keymap::Found;
use crate::tui::model::Model;
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::view::text::harmless;

/// The menu of what is marked or selected.
#[derive(Debug, Default)]
pub(crate) struct Menu {
    at: usize,
}

/// One line of it.
struct Entry {
    action: Action,
    title: &'static str,
    keys: String,
    why_not: Option<String>,
}

/// What is done with a thing, in the order of the table; what moves and marks is not.
fn is_about_a_thing(action: Action) -> bool {
    use Action::{
        Attach, BootLog, Copy, Delete, Detach, Expose, ForceStop, Open, Rename, Resize, Restart,
        Shell, ShellBeside, Start, Stop, Unexpose,
    };
    matches!(
        action,
        Attach
            | BootLog
            | Copy
            | Delete
            | Detach
            | Expose
            | ForceStop
            | Open
            | Rename
            | Resize
            | Restart
            | Shell
            | ShellBeside
            | Start
            | Stop
            | Unexpose
    )
}

fn entries(model: &Model) -> Vec<Entry> {
    let here = model.contexts();
    let own = specs().iter().filter(|spec| is_about_a_thing(spec.action));
    let own = own.filter(|spec| here.iter().any(|place| spec.on.meets(*place)));
    let entry = |spec: &crate::tui::action::Spec| Entry {
        action: spec.action,
        title: spec.title,
        keys: model
            .keymap
            .text(spec.action, here, model.theme.glyphs())
            .unwrap_or_default(),
        why_not: available(spec.action, model).err(),
    };
    own.map(entry).collect()
}

fn rows_of(entries: &[Entry]) -> Vec<Row> {
    let row = |entry: &Entry| Row {
        text: entry.title.into(),
        note: entry
            .why_not
            .as_deref()
            .map(|why| harmless(why).into_owned()),
        right: vec![entry.keys.clone()],
        is_dim: entry.why_not.is_some(),
    };
    entries.iter().map(row).collect()
}

fn place(rows: &[Row], title: &str, area: Rect) -> Rect {
    let width = |row: &Row| {
        let note = row.note.as_ref().map_or(0, |note| note.width() + 2);
        let right: usize = row.right.iter().map(|part| part.width() + 2).sum();
        row.text.width() + note + right
    };
    let widest = rows.iter().map(width).max().unwrap_or(0).max(title.width());
    // The frame, a blank at both sides, and the sign before what is chosen.
    let width = u16::try_from(widest + 6).unwrap_or(u16::MAX);
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX);
    centred(area, width.max(32), height)
}

fn title(model: &Model) -> String {
    let names = model.target_names();
    match names.as_slice() {
        [one] => harmless(one).into_owned(),
        [] => "Nothing is selected".into(),
        many => format!("{} marked", many.len()),
    }
}

impl Menu {
    fn choose(&self, entries: &[Entry]) -> Vec<Step> {
        let Some(entry) = entries.get(self.at.min(entries.len().saturating_sub(1))) else {
            return vec![Step::Close];
        };
        match &entry.why_not {
            Some(why) => vec![Step::Say(Toast::new(Kind::Warning, why.clone()))],
            None => vec![Step::Close, Step::Act(entry.action)],
        }
    }

    fn screen(model: &Model) -> Rect {
        Rect::new(0, 0, model.size.0, model.size.1)
    }
}

impl Popup for Menu {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step> {
        let entries = entries(model);
        let page = usize::from(
            inside(place(
                &rows_of(&entries),
                &title(model),
                Menu::screen(model),
            ))
            .height,
        );
        if let Some(at) = rows::moved_by_letter(key, self.at, entries.len(), page) {
            self.at = at;
            return Vec::new();
        }
        match key.code {
            KeyCode::Enter => return self.choose(&entries),
            KeyCode::Esc => return vec![Step::Close],
            _ => {}
        }
        // The keys of what it shows do what they do outside.
        let Found::Action(action) = model.keymap.find(&[key], model.contexts()) else {
            return Vec::new();
        };
        match entries.iter().position(|entry| entry.action == action) {
            Some(at) => {
                self.at = at;
                self.choose(&entries)
            }
            None if matches!(action, Action::Menu | Action::Back | Action::Quit) => {
                vec![Step::Close]
            }
            None => Vec::new(),
        }
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let entries = entries(model);
        let rows = rows_of(&entries);
        let place = place(&rows, &title(model), Menu::screen(model));
        let inner = inside(place);
        let top = rows::top(self.at, rows.len(), usize::from(inner.height));
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::ScrollDown => self.at = (self.at + 1).min(rows.len().saturating_sub(1)),
            MouseEventKind::ScrollUp => self.at = self.at.saturating_sub(1),
            MouseEventKind::Down(_) if inner.contains(at) => {
                let row = top + usize::from(at.y - inner.y);
                if row < rows.len() {
                    self.at = row;
                    return self.choose(&entries);
                }
            }
            MouseEventKind::Down(_) if !place.contains(at) => return vec![Step::Close],
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let rows = rows_of(&entries(model));
        let title = title(model);
        let inner = frame(model, place(&rows, &title, area), &title, buffer);
        let at = self.at.min(rows.len().saturating_sub(1));
        let top = rows::top(at, rows.len(), usize::from(inner.height));
        rows::draw(model, inner, &rows, Some(at), top, buffer);
        None
    }

    fn keys(&self) -> Vec<(&'static str, &'static str)> {
        vec![("Enter", "do it"), ("Esc", "close"), ("j k", "move")]
    }
}
