//! The menu, help and the choice of a theme.

use super::{only_closes, press};
use crate::tui::action::Action;
use crate::tui::effect::Effect;
use crate::tui::fixture::{click, drawn, model, with_shell};
use crate::tui::model::Model;
use crate::tui::model::place::{Detail, Tab, View};
use crate::tui::popup::help::Help;
use crate::tui::popup::menu::Menu;
use crate::tui::popup::themes::Themes;
use crate::tui::popup::{Popup, Step};

/// A model with something selected in the list of machines.
fn with_selected(columns: u16, rows: u16, name: &str) -> Model {
    let mut model = model(columns, rows);
    let list = model.lists.of(View::Machines);
    list.rows = vec![0, 1, 2];
    list.selected = Some(format!("{name}-id"));
    model
}

#[test]
fn the_menu_tells_what_can_be_done_and_why_the_rest_cannot() {
    let model = with_selected(80, 24, "web");
    insta::assert_snapshot!("menu_80x24", drawn(&Menu::default(), &model));
    let model = with_selected(40, 12, "db");
    insta::assert_snapshot!("menu_40x12", drawn(&Menu::default(), &model));
    let mut model = with_selected(120, 40, "db");
    model.lists.of(View::Machines).marked = ["db-id", "web-id"].map(String::from).into();
    insta::assert_snapshot!("menu_of_several", drawn(&Menu::default(), &model));
}

#[test]
fn the_menu_does_what_is_chosen_or_typed() {
    let model = with_selected(80, 24, "web");
    let mut menu = Menu::default();
    // The first is to open it.
    let steps = press(&mut menu, &model, "<enter>");
    assert!(
        matches!(steps[..], [Step::Close, Step::Act(Action::Open)]),
        "{steps:?}"
    );
    let steps = press(&mut menu, &model, "x");
    assert!(
        matches!(steps[..], [Step::Close, Step::Act(Action::Stop)]),
        "{steps:?}"
    );
    // What cannot be done is said, and the menu stays.
    let steps = press(&mut menu, &model, "u");
    assert!(
        matches!(&steps[..], [Step::Say(toast)] if toast.text == "web is running"),
        "{steps:?}"
    );
    let steps = press(&mut menu, &model, "gj<enter>");
    assert!(
        matches!(steps[..], [Step::Close, Step::Act(Action::Shell)]),
        "{steps:?}"
    );
    assert!(press(&mut menu, &model, "d").is_empty());
    assert!(only_closes(&press(&mut menu, &model, "<esc>")));
}

#[test]
fn the_menu_can_be_clicked() {
    let model = with_selected(80, 24, "web");
    let mut menu = Menu::default();
    let lines: Vec<String> = drawn(&menu, &model).lines().map(String::from).collect();
    let row = lines
        .iter()
        .position(|line| line.contains("Show the boot log"))
        .unwrap();
    let steps = menu.mouse(click(40, row as u16), &model);
    assert!(
        matches!(steps[..], [Step::Close, Step::Act(Action::BootLog)]),
        "{steps:?}"
    );
    assert!(only_closes(&menu.mouse(click(0, 0), &model)));
}

#[test]
fn help_tells_the_keys_for_here_and_now() {
    let mut model = model(80, 24);
    insta::assert_snapshot!("help_80x24", drawn(&Help::default(), &model));
    model.size = (40, 12);
    insta::assert_snapshot!("help_40x12", drawn(&Help::default(), &model));
    model.size = (120, 40);
    model.place.detail = Some(Detail {
        id: "web-id".into(),
        tab: Tab::Log,
        line: 0,
    });
    insta::assert_snapshot!("help_of_the_boot_log", drawn(&Help::default(), &model));
    model.place.detail = None;
    let model = with_shell(model);
    insta::assert_snapshot!("help_of_the_shells", drawn(&Help::default(), &model));
}

#[test]
fn help_scrolls_to_its_ends_and_no_further() {
    let model = model(80, 24);
    let mut help = Help::default();
    let first = drawn(&help, &model);
    press(&mut help, &model, "k");
    assert_eq!(drawn(&help, &model), first);
    press(&mut help, &model, "G");
    let last = drawn(&help, &model);
    assert!(last.contains("Quit"), "{last}");
    press(&mut help, &model, "jj<pagedown>");
    assert_eq!(drawn(&help, &model), last);
    press(&mut help, &model, "<ctrl-u>");
    assert_ne!(drawn(&help, &model), last);
    press(&mut help, &model, "g");
    assert_eq!(drawn(&help, &model), first);
    assert!(only_closes(&press(&mut help, &model, "?")));
}

#[test]
fn help_is_filtered_by_what_is_typed() {
    let model = model(80, 24);
    let mut help = Help::default();
    press(&mut help, &model, "/boot q");
    assert!(drawn(&help, &model).contains("nothing like that"));
    press(&mut help, &model, "<backspace><backspace>");
    insta::assert_snapshot!("help_filtered", drawn(&help, &model));
    // The filter stays when it is typed, and goes before help does.
    assert!(press(&mut help, &model, "<enter>j<esc>").is_empty());
    assert!(drawn(&help, &model).contains("Rename"));
    assert!(only_closes(&press(&mut help, &model, "<esc>")));
}

#[test]
fn a_theme_is_shown_while_one_looks_at_it() {
    let mut model = model(80, 24);
    model.settings.theme = "default-light".into();
    let mut themes = Themes::new(&model);
    insta::assert_snapshot!("themes_80x24", drawn(&themes, &model));
    let steps = press(&mut themes, &model, "j");
    let [Step::Preview(shown)] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert_ne!(shown, "default-light");
    let steps = press(&mut themes, &model, "<esc>");
    assert!(
        matches!(&steps[..], [Step::Close, Step::Preview(name)] if name == "default-light"),
        "{steps:?}"
    );
    let steps = press(&mut themes, &model, "g<enter>");
    assert!(
        matches!(&steps[..], [Step::Preview(_), Step::Close, Step::Effect(Effect::SetTheme(name))] if name == "auto"),
        "{steps:?}"
    );
    model.size = (40, 12);
    insta::assert_snapshot!("themes_40x12", drawn(&themes, &model));
}
