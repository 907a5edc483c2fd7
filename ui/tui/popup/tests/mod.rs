//! Forms, questions and messages: what keys and clicks do to them, and how they look on large and small screens.

mod asking;
mod deploy;
mod doing;
mod finding;
mod forms;
mod messages;

use super::{Popup, Step};
use crate::tui::fixture::typed;
use crate::tui::model::Model;
use crate::tui::task::Task;

/// The sizes of screens that everything is drawn on.
const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (60, 20), (40, 12)];

/// Types into a popup. Gives what it wants done in the end.
fn press(popup: &mut dyn Popup, model: &Model, keys: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for key in typed(keys) {
        steps.extend(popup.key(key, model));
    }
    steps
}

/// The tasks among steps.
fn tasks(steps: Vec<Step>) -> Vec<Task> {
    let task = |step| match step {
        Step::Do(task) => Some(task),
        _ => None,
    };
    steps.into_iter().filter_map(task).collect()
}

/// Whether it is closed and does nothing.
fn only_closes(steps: &[Step]) -> bool {
    matches!(steps, [Step::Close])
}

/// The commands of the tasks among steps.
fn commands(steps: Vec<Step>) -> Vec<String> {
    tasks(steps).iter().map(Task::command_line).collect()
}
