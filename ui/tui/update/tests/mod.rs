//! What happens, in a row, and what comes of it.

mod storm;

use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;
use sistemo::event::Event;
use sistemo::store::machines::Status;

use super::update;
use crate::tui::effect::Effect;
use crate::tui::fixture::{click, machine, model, typed, world};
use crate::tui::message::Message;
use crate::tui::model::Model;
use crate::tui::model::place::{Tab, View};
use crate::tui::model::toasts::Kind;
use crate::tui::task::{Failure, News, Outcome, Task};
use crate::tui::view;

/// A model that has taken in what there is.
fn ready() -> Model {
    let mut model = model(120, 30);
    hear_world(&mut model, world());
    model
}

fn hear_world(model: &mut Model, world: crate::tui::model::world::World) {
    update(model, Message::World(Ok(Box::new(world))));
}

/// Types keys and gives what is to be done.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let keys = typed(keys).into_iter();
    keys.flat_map(|key| update(model, Message::Key(key)))
        .collect()
}

fn selected(model: &Model) -> &str {
    let list = model.lists.get(model.place.view).unwrap();
    list.selected.as_deref().unwrap_or("nothing")
}

fn shown(model: &Model) -> usize {
    model.lists.get(model.place.view).unwrap().rows.len()
}

fn said(model: &Model) -> String {
    let last = model.toasts.all.last();
    last.map(|(_, toast)| toast.text.clone())
        .unwrap_or_default()
}

#[test]
fn a_filter_follows_what_is_typed_and_escape_takes_it_back() {
    let mut model = ready();
    assert_eq!(shown(&model), 3);
    press(&mut model, "/bro");
    assert_eq!((shown(&model), selected(&model)), (1, "broken-id"));
    // Letters are text, not keys.
    press(&mut model, "<backspace><backspace><backspace>web!D");
    assert_eq!(shown(&model), 0);
    press(&mut model, "<backspace><backspace><enter>");
    assert_eq!((shown(&model), selected(&model)), (1, "web-id"));
    press(&mut model, "<esc>");
    assert_eq!((shown(&model), selected(&model)), (3, "web-id"));
}

#[test]
fn what_is_selected_stays_so_and_its_neighbour_takes_its_place() {
    let mut model = ready();
    press(&mut model, "j");
    assert_eq!(selected(&model), "db-id");
    let mut more = world();
    more.machines.insert(0, machine("aaa", Status::Running));
    hear_world(&mut model, more);
    assert_eq!(selected(&model), "db-id");
    let mut fewer = world();
    fewer.machines.retain(|machine| machine.name != "db");
    hear_world(&mut model, fewer);
    assert_eq!(selected(&model), "web-id");
    hear_world(&mut model, Default::default());
    assert_eq!(selected(&model), "nothing");
}

#[test]
fn keys_in_a_row_mean_something_together_or_each_by_itself() {
    let mut model = ready();
    press(&mut model, "G");
    assert_eq!(selected(&model), "web-id");
    press(&mut model, "g");
    assert_eq!((selected(&model), model.pending.len()), ("web-id", 1));
    press(&mut model, "g");
    assert_eq!((selected(&model), model.pending.len()), ("broken-id", 0));
    press(&mut model, "gj");
    assert_eq!((selected(&model), model.pending.len()), ("db-id", 0));
}

#[test]
fn what_is_marked_is_acted_on_together_once_it_was_asked() {
    let mut model = ready();
    let mut both = world();
    both.machines.push(machine("zoo", Status::Running));
    hear_world(&mut model, both);
    press(&mut model, "/running<enter>* ");
    // The last key took one mark back.
    press(&mut model, "*");
    let effects = press(&mut model, "x");
    assert!(effects.is_empty(), "it has to ask first: {effects:?}");
    assert_eq!(model.popups.len(), 1);
    let effects = press(&mut model, "y");
    let begun: Vec<String> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Begin(_, task) => Some(task.command_line()),
            _ => None,
        })
        .collect();
    assert_eq!(
        begun,
        ["sistemo machine stop web", "sistemo machine stop zoo"]
    );
    assert!(model.popups.is_empty());
    assert_eq!(model.tasks.running.len(), 2);
}

#[test]
fn a_machine_that_fails_is_told_of_unless_a_task_is_at_it() {
    let failing = || {
        let mut failing = world();
        let web = failing
            .machines
            .iter_mut()
            .find(|machine| machine.name == "web")
            .unwrap();
        web.status = Status::Failed;
        web.failure = Some("Kernel panic".into());
        failing
    };
    let mut model = ready();
    hear_world(&mut model, failing());
    assert_eq!(said(&model), "web has failed: Kernel panic");
    assert_eq!(model.toasts.all.len(), 1);
    // It is not news any more.
    hear_world(&mut model, failing());
    assert_eq!(model.toasts.all.len(), 1);
    let mut model = ready();
    press(&mut model, "GR");
    press(&mut model, "y");
    assert_eq!(model.tasks.running.len(), 1);
    hear_world(&mut model, failing());
    assert!(model.toasts.all.is_empty());
}

#[test]
fn a_task_goes_from_its_beginning_to_a_message_and_to_what_it_made() {
    let mut model = ready();
    let effects = press(&mut model, "ddebian<tab>new<ctrl-s>");
    let Some(Effect::Begin(id, task)) = effects.first() else {
        panic!("{effects:?}");
    };
    assert_eq!(
        task.command_line(),
        "sistemo machine deploy debian --name new"
    );
    let id = *id;
    let step = Event::Step {
        step: "copying the image".into(),
    };
    update(&mut model, Message::Task(id, News::Event(step)));
    assert_eq!(model.tasks.get(id).unwrap().step, "copying the image");
    let mut more = world();
    more.machines.push(machine("new", Status::Creating));
    hear_world(&mut model, more);
    assert_eq!(selected(&model), "new-id");
    let outcome = Outcome::Well {
        says: "new is ready".into(),
        hint: None,
        made: Some("new".into()),
        undo: None,
    };
    let effects = update(&mut model, Message::Task(id, News::Done(outcome)));
    assert_eq!(effects, [Effect::Look]);
    assert!(model.tasks.running.is_empty());
    assert_eq!(said(&model), "new is ready");
}

#[test]
fn a_failure_is_told_with_its_way_out_and_stays_until_it_is_dismissed() {
    let mut model = ready();
    let effects = press(&mut model, "ju");
    let Some(Effect::Begin(id, Task::Start(_))) = effects.first() else {
        panic!("{effects:?}");
    };
    let failure = Failure {
        message: "no memory".into(),
        hint: Some("stop another".into()),
        detail: None,
    };
    let news = News::Done(Outcome::Failed(failure));
    update(&mut model, Message::Task(*id, news));
    let toast = model.toasts.shown().next().unwrap().clone();
    assert_eq!(
        (toast.kind, toast.hint.as_deref()),
        (Kind::Error, Some("stop another"))
    );
    assert!(toast.text.contains("no memory"), "{}", toast.text);
    model.clock.instant += Duration::from_secs(3600);
    update(&mut model, Message::Time);
    assert_eq!(model.toasts.shown().count(), 1);
    press(&mut model, "<esc>");
    assert_eq!(model.toasts.shown().count(), 0);
}

#[test]
fn going_back_leaves_one_thing_after_the_other() {
    let mut model = ready();
    press(&mut model, "2");
    assert_eq!(model.place.view, View::Volumes);
    press(&mut model, "/photos<enter> ");
    press(&mut model, "<esc>");
    assert!(model.lists.get(View::Volumes).unwrap().marked.is_empty());
    assert_eq!(shown(&model), 1);
    press(&mut model, "<esc>");
    assert_eq!(shown(&model), model.world.volumes.len());
    press(&mut model, "<esc>");
    assert_eq!(model.place.view, View::Machines);
    press(&mut model, "<enter>ll");
    assert_eq!(model.place.detail.as_ref().unwrap().tab, Tab::Shell);
    press(&mut model, "<esc>");
    assert_eq!(model.place.detail, None);
}

#[test]
fn quitting_asks_when_something_would_end_with_it() {
    let mut model = ready();
    let effects = press(&mut model, "q");
    assert_eq!(effects.last(), Some(&Effect::Quit));
    press(&mut model, "ju");
    let effects = press(&mut model, "q");
    assert!(!effects.contains(&Effect::Quit));
    assert_eq!(model.popups.len(), 1);
    let effects = press(&mut model, "y");
    assert!(effects.contains(&Effect::Quit), "{effects:?}");
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut model = ready();
    let effects = press(&mut model, "Gu");
    assert!(effects.is_empty(), "{effects:?}");
    assert!(said(&model).contains("web"), "{}", said(&model));
    press(&mut model, "jkU");
    assert_eq!(said(&model), "there is nothing to undo");
}

#[test]
fn what_an_action_is_undone_by_asks_before_it_takes_anything_away() {
    let mut model = ready();
    let effects = press(&mut model, "ju");
    let Some(Effect::Begin(id, start)) = effects.first().cloned() else {
        panic!("{effects:?}");
    };
    let stop = Task::Stop {
        machine: start_target(&start),
        force: false,
    };
    let outcome = Outcome::Well {
        says: "db runs".into(),
        hint: None,
        made: None,
        undo: Some(Box::new(stop)),
    };
    update(&mut model, Message::Task(id, News::Done(outcome)));
    let mut now = world();
    let db = now
        .machines
        .iter_mut()
        .find(|machine| machine.name == "db")
        .unwrap();
    db.status = Status::Running;
    hear_world(&mut model, now);
    let effects = press(&mut model, "U");
    assert!(effects.is_empty(), "it stops a machine: {effects:?}");
    let effects = press(&mut model, "y");
    assert!(
        matches!(effects.first(), Some(Effect::Begin(_, Task::Stop { .. }))),
        "{effects:?}"
    );
}

fn start_target(task: &Task) -> crate::tui::task::Thing {
    match task {
        Task::Start(thing) => thing.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_computer_that_is_not_set_up_says_so_until_it_is_or_its_user_leaves_that() {
    let mut model = model(80, 24);
    let empty = || crate::tui::model::world::World {
        is_known: true,
        ..Default::default()
    };
    hear_world(&mut model, empty());
    let mut host = model.host.clone();
    host.lacks = vec!["install qemu".into()];
    update(&mut model, Message::Host(host.clone()));
    assert!(model.place.first_run);
    let effects = press(&mut model, "<enter>");
    assert!(
        matches!(effects.first(), Some(Effect::Begin(_, Task::Setup))),
        "{effects:?}"
    );
    host.lacks.clear();
    update(&mut model, Message::Host(host.clone()));
    assert!(!model.place.first_run);
    // Left for the lists, it does not come again.
    let mut model = self::model(80, 24);
    hear_world(&mut model, empty());
    host.lacks = vec!["install qemu".into()];
    update(&mut model, Message::Host(host.clone()));
    press(&mut model, "<esc>");
    update(&mut model, Message::Host(host));
    assert!(!model.place.first_run);
}

#[test]
fn the_mouse_selects_opens_sorts_and_turns() {
    let mut model = ready();
    let area = Rect::new(0, 0, 120, 30);
    let body = view::areas(&model, area).body;
    update(&mut model, Message::Mouse(click(5, body.y + 2)));
    assert_eq!((selected(&model), &model.place.detail), ("db-id", &None));
    update(&mut model, Message::Mouse(click(5, body.y + 2)));
    assert_eq!(model.place.detail.as_ref().unwrap().id, "db-id");
    press(&mut model, "<esc>");
    update(&mut model, Message::Mouse(click(4, body.y)));
    update(&mut model, Message::Mouse(click(4, body.y)));
    let sort = model.lists.get(View::Machines).unwrap().sort.clone();
    assert_eq!(sort, Some(("name".into(), true)));
    let wheel = MouseEvent {
        kind: MouseEventKind::ScrollDown,
        column: 5,
        row: body.y + 2,
        modifiers: KeyModifiers::NONE,
    };
    press(&mut model, "gg");
    update(&mut model, Message::Mouse(wheel));
    assert_eq!(model.lists.get(View::Machines).unwrap().at, 2);
    let tabs = view::areas(&model, area).tabs;
    update(&mut model, Message::Mouse(click(tabs.x + 16, tabs.y)));
    assert_eq!(model.place.view, View::Volumes);
}
