//! What popups and forms want done.

use super::arrive::made_in;
use super::{act, go, log, panes};
use crate::tui::effect::Effect;
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, View};
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup::{Popup, Step};
use crate::tui::task::Task;

/// Does what a popup wants; it stays on top unless it wants to be closed.
pub(super) fn of_popup(model: &mut Model, popup: Box<dyn Popup>, wanted: Vec<Step>) -> Vec<Effect> {
    if !wanted.iter().any(|step| matches!(step, Step::Close)) {
        model.popups.push(popup);
    }
    all(model, wanted)
}

/// Does steps one after the other.
pub(super) fn all(model: &mut Model, steps: Vec<Step>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for step in steps {
        match step {
            Step::Close => {}
            Step::Open(popup) => model.popups.push(popup),
            Step::Act(action) => effects.extend(act::act(model, action)),
            Step::ActOn(view, id, action) => {
                effects.extend(select(model, view, id));
                effects.extend(act::act(model, action));
            }
            Step::Do(task) => effects.extend(begin(model, task)),
            Step::Effect(effect) => {
                match &effect {
                    // One that there is not is said, and not written down.
                    Effect::SetTheme(name) if !model.show_theme(name) => continue,
                    Effect::SetTheme(name) => model.settings.theme = name.clone(),
                    _ => {}
                }
                effects.push(effect);
            }
            Step::Say(toast) => model.say(toast),
            Step::Preview(name) => {
                model.show_theme(&name);
            }
            Step::Go(view, name) => effects.extend(go(model, view, &name)),
            Step::Note(line) => {
                model.remembered.note(&line);
                effects.push(Effect::Remember);
            }
            Step::Shell(id, place) => effects.extend(panes::open_at(model, &id, place)),
            Step::SaveLog { path, replace } => log::save(model, path, replace),
        }
    }
    effects
}

/// Begins a task.
pub(super) fn begin(model: &mut Model, task: Task) -> Vec<Effect> {
    // One that is being done already is not done twice at once.
    if model
        .tasks
        .running
        .iter()
        .any(|running| running.task == task)
    {
        model.say(Toast::new(
            Kind::News,
            format!("{}: already being done", task.title()),
        ));
        return Vec::new();
    }
    model.tasks.last_command = Some(task.command_line());
    let list = model.lists.of(View::Machines);
    if let Task::Deploy(request) = &task {
        // Once it is there it is what the user wants to see.
        list.awaited = request.name.as_ref().map(ToString::to_string);
    }
    let id = model.tasks.begin(task.clone(), model.clock.instant);
    if let Some(view) = made_in(&task) {
        let selected = model.lists.of(view).selected.clone();
        model.tasks.note_selected(id, selected);
    }
    vec![Effect::Begin(id, task)]
}

/// Goes to a thing.
pub(super) fn go(model: &mut Model, view: View, name: &str) -> Vec<Effect> {
    let mut effects = go::to_view(model, view);
    if model.place.detail.take().is_some() {
        effects.extend(log::close(model));
    }
    let list = model.lists.of(view);
    // What is sought must not be hidden.
    list.filter.text.clear();
    list.input = None;
    list.awaited = Some(name.into());
    effects
}

/// Selects a thing, and nothing else.
fn select(model: &mut Model, view: View, id: String) -> Vec<Effect> {
    let effects = go(model, view, &id);
    let list = model.lists.of(view);
    list.marked.clear();
    list.selected = Some(id);
    effects
}

/// Opens a machine's own screen.
pub(super) fn open(model: &mut Model, id: String) {
    model.place.view = View::Machines;
    model.place.detail = Some(Detail {
        id,
        ..Detail::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::Action;
    use crate::tui::fixture::model;

    #[test]
    fn what_is_done_with_one_thing_is_done_with_no_other() {
        let mut model = model(80, 24);
        let list = model.lists.of(View::Machines);
        list.rows = vec![0, 1, 2];
        list.selected = Some("web-id".into());
        list.marked = ["web-id", "broken-id"].map(String::from).into();
        list.filter.text = "web".into();
        model.place.view = View::Volumes;
        let effects = all(
            &mut model,
            vec![Step::ActOn(View::Machines, "db-id".into(), Action::Start)],
        );
        let begun = effects.into_iter().find_map(|effect| match effect {
            Effect::Begin(_, task) => Some(task.command_line()),
            _ => None,
        });
        assert_eq!(begun.as_deref(), Some("sistemo machine start db"));
        assert_eq!(model.tasks.running.len(), 1);
        assert_eq!(model.place.view, View::Machines);
        assert_eq!(model.lists.of(View::Machines).filter.text, "");
    }

    #[test]
    fn a_line_of_the_palette_is_noted_and_written_down() {
        let mut model = model(80, 24);
        let effects = all(&mut model, vec![Step::Note("machine start db".into())]);
        assert_eq!(effects, [Effect::Remember]);
        assert_eq!(model.remembered.palette, ["machine start db"]);
    }

    #[test]
    fn going_to_a_thing_leaves_the_screen_that_was_open() {
        let mut model = model(80, 24);
        model.place.detail = Some(Detail {
            id: "web-id".into(),
            ..Detail::default()
        });
        all(&mut model, vec![Step::Go(View::Volumes, "data-id".into())]);
        assert_eq!(model.place.view, View::Volumes);
        assert_eq!(model.place.detail, None);
        assert_eq!(
            model.lists.of(View::Volumes).awaited.as_deref(),
            Some("data-id")
        );
    }
}
