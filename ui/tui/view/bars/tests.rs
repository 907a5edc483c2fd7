//! What is in the bar, and what is told of keys that are typed already.

use super::*;
use crate::tui::fixture::{model, text, typed, with_shell};
use crate::tui::model::place::{Detail, Place, Tab, View};
use crate::tui::pane::PATIENCE;
use crate::tui::popup;

fn bar(model: &Model) -> String {
    let area = Rect::new(0, 0, model.size.0, 1);
    let mut buffer = Buffer::empty(area);
    bottom(model, area, &mut buffer);
    text(&buffer, None)
}

fn followers(model: &Model) -> String {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buffer = Buffer::empty(area);
    whichkey(model, area, &mut buffer);
    text(&buffer, None)
}

/// The bar in several places, on a screen of that width.
fn everywhere(model: &mut Model, columns: u16) -> String {
    model.size = (columns, 24);
    model.place = Place::default();
    let list = model.lists.of(View::Machines);
    list.selected = Some("web-id".into());
    let mut bars = vec![bar(model)];
    for view in [View::Volumes, View::Images, View::History, View::Panes] {
        model.place.view = view;
        bars.push(bar(model));
    }
    model.place.view = View::Machines;
    for tab in [Tab::Overview, Tab::Log] {
        model.place.detail = Some(Detail {
            id: "web-id".into(),
            tab,
            line: 0,
        });
        bars.push(bar(model));
    }
    model.place.first_run = true;
    bars.push(bar(model));
    bars.join("\n")
}

#[test]
fn the_keys_that_matter_fit_and_help_is_last() {
    let mut model = model(80, 24);
    insta::assert_snapshot!("bars_40", everywhere(&mut model, 40));
    insta::assert_snapshot!("bars_80", everywhere(&mut model, 80));
    insta::assert_snapshot!("bars_120", everywhere(&mut model, 120));
    for columns in 0..200 {
        for line in everywhere(&mut model, columns).lines() {
            assert!(line.width() <= usize::from(columns), "{columns}: {line}");
            // Whole words only: what is in a narrow bar is in a wide one.
            if columns > 30 && !line.contains("SHELL") {
                assert!(line.ends_with("? help"), "{columns}: {line}");
            }
        }
    }
}

#[test]
fn a_popup_tells_its_own_keys() {
    let mut model = model(80, 24);
    model.lists.of(View::Machines).selected = Some("web-id".into());
    let steps = popup::for_action(Action::Menu, &[], &model).unwrap();
    for step in steps {
        if let popup::Step::Open(popup) = step {
            model.popups.push(popup);
        }
    }
    assert_eq!(bar(&model), " OPEN  Enter do it  Esc close  j k move");
    assert_eq!(followers(&model), "");
}

#[test]
fn what_can_follow_is_told() {
    let mut model = model(80, 24);
    assert_eq!(followers(&model), "");
    model.pending = typed("g");
    assert_eq!(bar(&model), " g…  g To the first");
    insta::assert_snapshot!("followers_80x24", followers(&model));
    let text =
        "machine.stop = \"g s\"\nmachine.start = [\"g u\", \"g U\"]\nview.machines = \"g m x\"\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("config.toml"),
        format!("[console.keys]\n{text}"),
    )
    .unwrap();
    let config = sistemo::config::Config::load(Some(folder.path().into()), &|_| None).unwrap();
    model.keymap = crate::tui::settings::read(&config).keymap;
    model.size = (40, 12);
    insta::assert_snapshot!("followers_40x12", followers(&model));
}

#[test]
fn what_can_follow_the_prefix_is_told_after_a_while() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let mut model = with_shell(model(columns, rows));
        let now = model.clock.instant;
        model.workspace.key(typed("<ctrl-]>")[0], now);
        assert_eq!(followers(&model), "");
        model.clock.instant = now + PATIENCE;
        insta::assert_snapshot!(
            format!("behind_the_prefix_{columns}x{rows}"),
            followers(&model)
        );
    }
}

#[test]
fn a_key_in_the_bar_can_be_clicked() {
    let mut model = model(80, 24);
    model.lists.of(View::Machines).selected = Some("web-id".into());
    let area = Rect::new(0, 23, 80, 1);
    let bar = bar(&model);
    let column = |what: &str| u16::try_from(bar.find(what).unwrap()).unwrap();
    assert_eq!(
        action_at(&model, area, column("d deploy")),
        Some(Action::Deploy)
    );
    assert_eq!(
        action_at(&model, area, column("? help") + 5),
        Some(Action::Help)
    );
    assert_eq!(action_at(&model, area, 1), None);
}
