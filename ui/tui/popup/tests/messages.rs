//! Messages: in the corner, and all of them.

use insta::assert_snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use sistemo::event::Event;

use super::{SIZES, only_closes, press};
use crate::tui::fixture::{drawn, model, text};
use crate::tui::list;
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, View};
use crate::tui::model::toasts::{Kind, Toast};
use crate::tui::popup::messages::Messages;
use crate::tui::popup::{confirm, form, on_quitting};
use crate::tui::task::{Task, Thing};
use crate::tui::theme::{Depth, Glyphs};
use crate::tui::view;

fn told(columns: u16, rows: u16) -> Model {
    let mut model = model(columns, rows);
    model.say(Toast::new(Kind::Good, "db started").hint(Some("U undoes it".into())));
    model.say(Toast::new(
        Kind::Warning,
        "evil\u{1b}[31m says: \u{202e}hello",
    ));
    let refused =
        "Starting web: port 8080 of this computer is taken by a program that listens on it";
    model.say(Toast {
        detail: Some("nginx (pid 811)\nsecond line".into()),
        ..Toast::new(Kind::Error, refused).hint(Some(
            "choose another: sistemo machine expose web --port 8081:80".into(),
        ))
    });
    model
}

#[test]
fn the_newest_is_on_top_in_the_corner() {
    for size in SIZES {
        let model = told(size.0, size.1);
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        view::toasts::draw(
            &model,
            Rect {
                y: 2,
                height: size.1 - 3,
                ..area
            },
            &mut buffer,
        );
        assert_snapshot!(format!("toasts-{}x{}", size.0, size.1), text(&buffer, None));
    }
}

#[test]
fn all_that_was_said_can_be_read() {
    let model = told(80, 24);
    let mut messages = Messages::default();
    let all = drawn(&messages, &model);
    assert_snapshot!(all);
    assert!(!all.contains('\u{1b}') && !all.contains('\u{202e}'));
    assert!(only_closes(&press(&mut messages, &model, "<esc>")));
    let small = told(40, 12);
    let mut messages = Messages::default();
    press(&mut messages, &small, "G");
    assert_snapshot!("messages-end-40x12", drawn(&messages, &small));
    press(&mut messages, &small, "gk");
    assert!(drawn(&messages, &small).contains("error"));
}

#[test]
fn what_is_done_is_told_where_no_row_does() {
    for size in SIZES {
        let mut model = model(size.0, size.1);
        let begun = model.clock.instant;
        let pull = model.tasks.begin(
            Task::Pull("registry.example/team/application:3".into()),
            begun,
        );
        model.tasks.hear(
            pull,
            Event::Step {
                step: "fetching layers".into(),
            },
        );
        let transfer = |done, total| Event::Transfer {
            id: "layer".into(),
            label: "layer".into(),
            done,
            total,
        };
        model.tasks.hear(pull, transfer(30, Some(100)));
        let start = model
            .tasks
            .begin(Task::Start(Thing::new("db-id", "db")), begun);
        model.tasks.hear(
            start,
            Event::Step {
                step: "waiting\u{7} for the guest".into(),
            },
        );
        let build = model.tasks.begin(
            Task::Build {
                reference: "debian".into(),
                name: None,
            },
            begun,
        );
        model
            .tasks
            .running
            .iter_mut()
            .find(|running| running.id == build)
            .unwrap()
            .is_cancelled = true;
        let area = Rect::new(0, 0, size.0, 3);
        let mut buffer = Buffer::empty(area);
        view::tasks::line(&model, area, &mut buffer);
        assert_snapshot!(format!("tasks-{}x{}", size.0, size.1), text(&buffer, None));
    }
}

#[test]
fn leaving_asks_when_something_ends() {
    let mut model = model(80, 24);
    assert!(on_quitting(&model).is_none());
    let begun = model.clock.instant;
    model.tasks.begin(Task::Pull("nginx".into()), begun);
    let mut question = on_quitting(&model).unwrap();
    assert_snapshot!(drawn(&*question, &model));
    assert!(only_closes(&press(&mut *question, &model, "<enter>")));
    assert_eq!(press(&mut *question, &model, "y").len(), 3);
}

#[test]
fn what_has_a_row_has_no_line() {
    let mut model = model(80, 24);
    let begun = model.clock.instant;
    model
        .tasks
        .begin(Task::Start(Thing::new("db-id", "db")), begun);
    model.tasks.begin(Task::Pull("nginx".into()), begun);
    assert_eq!(view::tasks::lines(&model), 2);
    list::settle(&mut model, View::Machines, 20);
    assert_eq!(view::tasks::lines(&model), 1);
    // Nor has it one while the row is filtered away.
    model.lists.of(View::Machines).filter.text = "web".into();
    list::settle(&mut model, View::Machines, 20);
    assert_eq!(view::tasks::lines(&model), 2);
    model.place.detail = Some(Detail {
        id: "db-id".into(),
        ..Detail::default()
    });
    assert_eq!(view::tasks::lines(&model), 1);
}

#[test]
fn a_terminal_without_unicode_or_colours_is_told_all_the_same() {
    let mut model = told(80, 24);
    model.themes.depth = Depth::None;
    model.themes.glyphs = Glyphs::ascii();
    model.show_theme("monochrome");
    model.toasts.dismiss();
    model.say(Toast::new(Kind::Error, "it failed"));
    let area = Rect::new(0, 0, 80, 24);
    let mut buffer = Buffer::empty(area);
    view::toasts::draw(&model, area, &mut buffer);
    let mut all = vec![text(&buffer, None)];
    let delete = Task::Delete {
        machine: Thing::new("web-id", "web"),
        keep_storage: true,
    };
    all.push(drawn(
        &*confirm::for_tasks(vec![delete.clone()], &model).unwrap(),
        &model,
    ));
    let mut form = form::deploy(None, None, &model);
    press(&mut *form, &model, "nginx<tab>web<tab>99");
    all.push(drawn(&*form, &model).replace('▏', "_"));
    for text in all {
        assert!(text.is_ascii(), "{text}");
    }
}
