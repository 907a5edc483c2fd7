//! From a key to what it does.

use super::tasks;
use crate::tui::action::Action;
use crate::tui::fixture::model;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::popup::{Step, for_action};
use crate::tui::task::{Task, Thing};

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name}-id")).collect()
}

/// What kinds of steps come of it.
fn kinds(action: Action, names: &[&str], model: &Model) -> Result<Vec<&'static str>, String> {
    let steps = for_action(action, &ids(names), model)?;
    let kind = |step: &Step| match step {
        Step::Open(_) => "open",
        Step::Do(_) => "do",
        Step::Say(_) => "say",
        _ => "other",
    };
    Ok(steps.iter().map(kind).collect())
}

#[test]
fn what_does_no_harm_is_done_at_once_with_all_that_are_marked() {
    let model = model(80, 24);
    let steps = for_action(Action::Start, &ids(&["db", "broken"]), &model).unwrap();
    let start = |name: &str| Task::Start(Thing::new(format!("{name}-id"), name));
    assert_eq!(tasks(steps), [start("db"), start("broken")]);
    // The one that runs is left, and told.
    assert_eq!(
        kinds(Action::Start, &["web", "db"], &model).unwrap(),
        ["say", "do"]
    );
    assert_eq!(
        kinds(Action::Start, &["web"], &model).unwrap_err(),
        "web is running"
    );
}

#[test]
fn harm_is_asked_about() {
    let model = model(80, 24);
    for action in [
        Action::Stop,
        Action::ForceStop,
        Action::Restart,
        Action::Delete,
    ] {
        assert_eq!(
            kinds(action, &["web"], &model).unwrap(),
            ["open"],
            "{action:?}"
        );
    }
    assert_eq!(
        kinds(Action::Stop, &["db"], &model).unwrap_err(),
        "db is stopped"
    );
    assert_eq!(kinds(Action::Restart, &["broken"], &model).unwrap(), ["do"]);
    assert_eq!(
        kinds(Action::Rename, &["web", "db"], &model).unwrap_err(),
        "one at a time: 2 are marked"
    );
    assert_eq!(
        kinds(Action::Delete, &[], &model).unwrap_err(),
        "nothing is selected"
    );
}

#[test]
fn forms_open_for_what_they_fit() {
    let mut model = model(80, 24);
    for action in [
        Action::Deploy,
        Action::Rename,
        Action::Expose,
        Action::Unexpose,
        Action::Messages,
    ] {
        assert_eq!(
            kinds(action, &["web"], &model).unwrap(),
            ["open"],
            "{action:?}"
        );
    }
    assert_eq!(kinds(Action::Attach, &["db"], &model).unwrap(), ["open"]);
    assert!(
        kinds(Action::Attach, &["web"], &model)
            .unwrap_err()
            .contains("while it is off")
    );
    assert_eq!(kinds(Action::Resize, &["db"], &model).unwrap(), ["open"]);
    model.place.view = View::Volumes;
    for action in [
        Action::Create,
        Action::Resize,
        Action::Rename,
        Action::Attach,
        Action::Delete,
    ] {
        assert_eq!(
            kinds(action, &["data"], &model).unwrap(),
            ["open"],
            "{action:?}"
        );
    }
    assert!(
        kinds(Action::Rename, &["db-root"], &model)
            .unwrap_err()
            .contains("named after db")
    );
    assert!(
        kinds(Action::Delete, &["photos"], &model)
            .unwrap_err()
            .contains("belongs to web: detach it first")
    );
    assert_eq!(
        kinds(Action::Detach, &["data"], &model).unwrap_err(),
        "data belongs to no machine"
    );
    assert!(
        kinds(Action::Detach, &["photos"], &model)
            .unwrap_err()
            .contains("while it is off")
    );
    model.place.view = View::Images;
    for action in [Action::Pull, Action::Build, Action::Prune] {
        assert_eq!(kinds(action, &[], &model).unwrap(), ["open"], "{action:?}");
    }
    model.place.view = View::Networks;
    let delete = |name: &str, model: &Model| for_action(Action::Delete, &[name.into()], model);
    assert_eq!(
        delete("default", &model).unwrap_err(),
        "the default network stays"
    );
    assert_eq!(delete("lab", &model).unwrap().len(), 1);
    model.world.networks[1].machines.push("web".into());
    assert_eq!(delete("lab", &model).unwrap_err(), "web is on lab");
}

#[test]
fn undoing_asks_before_it_does_harm() {
    let mut model = model(80, 24);
    assert_eq!(
        kinds(Action::Undo, &[], &model).unwrap_err(),
        "there is nothing to undo"
    );
    model.tasks.undo = Some(Task::Start(Thing::new("db-id", "db")));
    assert_eq!(kinds(Action::Undo, &[], &model).unwrap(), ["do"]);
    model.tasks.undo = Some(Task::Stop {
        machine: Thing::new("web-id", "web"),
        force: false,
    });
    assert_eq!(kinds(Action::Undo, &[], &model).unwrap(), ["open"]);
    model.tasks.undo = Some(Task::DeleteVolume(Thing::new("data-id", "data")));
    assert_eq!(kinds(Action::Undo, &[], &model).unwrap(), ["open"]);
}
