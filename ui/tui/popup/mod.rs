//! What lies over the screen: forms, questions, menus, help, the palette.

mod ask;
mod choose;
pub(crate) mod confirm;
pub(crate) mod dialog;
mod doing;
pub(crate) mod field;
pub(crate) mod form;
mod help;
mod line;
mod menu;
mod messages;
mod palette;
mod quitting;
mod rows;
#[cfg(test)]
mod tests;
mod themes;

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::model::toasts::Toast;
use crate::tui::pane::Place;
use crate::tui::task::Task;
use crate::tui::view::text::{harmless, took, when};
use crate::tui::view::toasts::harmless_lines;
use sistemo::store::history::HistoryRow;

/// One of them. It has every key while it is on top.
pub(crate) trait Popup: Debug {
    fn key(&mut self, key: KeyEvent, model: &Model) -> Vec<Step>;

    fn paste(&mut self, text: &str, model: &Model) -> Vec<Step> {
        let _ = (text, model);
        Vec::new()
    }

    fn mouse(&mut self, event: MouseEvent, model: &Model) -> Vec<Step> {
        let _ = (event, model);
        Vec::new()
    }

    /// The model has changed: what is offered may have, too.
    fn refresh(&mut self, model: &Model) {
        let _ = model;
    }

    /// Draws it somewhere in `area`, the whole screen. Gives the place of the cursor, if it has one.
    fn draw(&self, model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Position>;

    /// Its keys and what they do, the most important first, for the bottom bar and help.
    fn keys(&self) -> Vec<(&'static str, &'static str)>;
}

/// What a popup wants done.
#[derive(Debug)]
pub(crate) enum Step {
    /// Close it.
    Close,
    /// Open another on top of it, or in its place when it was closed before.
    Open(Box<dyn Popup>),
    Act(Action),
    /// Select a thing, by its identifier, and do something with it alone.
    ActOn(View, String, Action),
    Do(Task),
    Effect(Effect),
    Say(Toast),
    /// Show a theme, without writing it down.
    Preview(String),
    /// Open a shell in a machine, by its identifier.
    Shell(String, Place),
    /// Save the boot log that is open to a file, over one that is there if so said.
    SaveLog {
        path: PathBuf,
        replace: bool,
    },
    /// Go to a thing: a view and the name of what is to be selected in it.
    Go(View, String),
    /// Note a line of the palette, to offer it again.
    Note(String),
}

/// What an action that is not done at once does to things of the view that is open, given by their identifiers: opens a
/// form, asks, or begins tasks. Or why not.
pub(crate) fn for_action(
    action: Action,
    targets: &[String],
    model: &Model,
) -> Result<Vec<Step>, String> {
    doing::steps(action, targets, model)
}

/// The question before the program ends, when something would end with it.
pub(crate) fn on_quitting(model: &Model) -> Option<Box<dyn Popup>> {
    quitting::question(model)
}

/// The choice of the machine in which a shell is opened, or why there is none.
pub(crate) fn choose_machine(model: &Model, place: Place) -> Result<Box<dyn Popup>, String> {
    Ok(Box::new(choose::Choose::new(model, place)?))
}

/// Asks for the file that a boot log is saved to.
pub(crate) fn save_log(suggested: &str) -> Box<dyn Popup> {
    let done = |text: &str| match text {
        "" => Err("it needs a name".into()),
        text => Ok(vec![Step::SaveLog {
            path: form::expanded(text),
            replace: false,
        }]),
    };
    Box::new(line::Prompt::new("Save the boot log to", suggested, done))
}

/// Asks whether a file is replaced by a boot log.
pub(crate) fn replace_log(path: PathBuf) -> Box<dyn Popup> {
    let says = format!("There is a file {} already.", path.display());
    let steps = vec![Step::SaveLog {
        path,
        replace: true,
    }];
    Box::new(ask::Ask::new(
        "Save the boot log",
        harmless(&says),
        "Replace it",
        steps,
    ))
}

/// An entry of the history, whole.
pub(crate) fn entry(entry: &HistoryRow, model: &Model) -> Box<dyn Popup> {
    let time = Duration::from_millis(u64::try_from(entry.duration_ms).unwrap_or(0));
    let who = entry.user.as_deref().unwrap_or("somebody");
    let when = when(&entry.at, &model.clock);
    let outcome = entry.error.as_deref().unwrap_or("done");
    let says = format!("{when}, by {who}, {}\n{outcome}", took(time));
    let title = format!("{} {} {}", entry.target, entry.action, entry.name);
    Box::new(ask::Ask::tell(harmless(&title), harmless_lines(&says)))
}
