//! What keys lead to.

use super::*;
use crate::tui::model::place::Tab;
use crate::tui::theme::{Depth, Theme};

fn events(text: &str) -> Vec<KeyEvent> {
    sequence(text)
        .unwrap()
        .into_iter()
        .map(Key::event)
        .collect()
}

fn with(overrides: &[(&'static str, &[&str])]) -> Result<Keymap, Conflict> {
    let keys = |texts: &[&str]| texts.iter().map(|text| sequence(text).unwrap()).collect();
    let overrides = overrides.iter().map(|(id, texts)| (*id, keys(texts)));
    Keymap::new(Key::PREFIX, &overrides.collect())
}

fn glyphs() -> &'static Glyphs {
    Theme::load("default-dark", Depth::True, &[])
        .unwrap()
        .glyphs()
}

#[test]
fn the_table_is_not_in_its_own_way() {
    let keymap = with(&[]).unwrap();
    for place in On::PLACES {
        assert!(
            keymap.in_places(&[place]).count() > 3,
            "{}",
            place.in_words()
        );
    }
}

#[test]
fn keys_lead_to_actions_where_these_can_be_done() {
    let keymap = Keymap::default();
    let find = |keys, place| keymap.find(&events(keys), &[place]);
    assert_eq!(find("d", On::MACHINES), Found::Action(Action::Deploy));
    assert_eq!(find("d", On::NETWORKS), Found::None);
    assert_eq!(find("p", On::IMAGES), Found::Action(Action::Pull));
    assert_eq!(find("enter", On::MACHINES), Found::Action(Action::Open));
    assert_eq!(find("enter", On::FIRST_RUN), Found::Action(Action::Setup));
    assert_eq!(find("ctrl-]", On::NETWORKS), Found::Action(Action::Panes));
    assert_eq!(find("g g", On::MACHINES), Found::Action(Action::Top));
    let g = sequence("g").unwrap()[0];
    assert_eq!(
        find("g", On::MACHINES),
        Found::Prefix(vec![(g, Some(Action::Top))])
    );
    assert_eq!(find("g x", On::MACHINES), Found::None);
    assert_eq!(keymap.find(&events("d"), &[]), Found::None);
}

#[test]
fn the_narrower_place_counts() {
    let here = |tab| match tab {
        Tab::Log => &[On::LOG, On::DETAIL][..],
        _ => &[On::DETAIL][..],
    };
    let keymap = Keymap::default();
    let find = |keys, tab| keymap.find(&events(keys), here(tab));
    // In the boot log f follows it, and elsewhere nothing has that key.
    assert!(matches!(find("G", Tab::Log), Found::Action(Action::Log(_))));
    assert_eq!(find("G", Tab::Overview), Found::Action(Action::Bottom));
    // What the log has no key for goes to the machine's screen.
    assert_eq!(find("]", Tab::Log), Found::Action(Action::Right));
    assert_eq!(find("u", Tab::Log), Found::Action(Action::Start));
    let text = |action, tab| keymap.text(action, here(tab), glyphs());
    assert_eq!(text(Action::Expose, Tab::Overview).as_deref(), Some("e"));
    // The log has that key itself.
    assert_eq!(text(Action::Expose, Tab::Log), None);
}

#[test]
fn settings_go_before_the_table() {
    let keymap = with(&[
        ("machine.stop", &["ctrl-s", "g s"]),
        ("machine.deploy", &[]),
    ])
    .unwrap();
    let find = |keys| keymap.find(&events(keys), &[On::MACHINES]);
    assert_eq!(find("ctrl-s"), Found::Action(Action::Stop));
    assert_eq!(find("x"), Found::None);
    assert_eq!(find("d"), Found::None);
    let [g, s] = sequence("g s").unwrap()[..] else {
        panic!()
    };
    let follows = vec![(s, Some(Action::Stop)), (g, Some(Action::Top))];
    assert_eq!(find("g"), Found::Prefix(follows));
    assert_eq!(
        keymap.texts(Action::Stop, &[On::MACHINES], glyphs()),
        ["Ctrl-s", "g s"]
    );
    assert_eq!(keymap.text(Action::Deploy, &[On::MACHINES], glyphs()), None);
    assert_eq!(
        keymap.texts(Action::Up, &[On::MACHINES], glyphs()),
        ["k", "↑"]
    );
    // Two that change places.
    let keymap = with(&[("machine.stop", &["u"]), ("machine.start", &["x"])]).unwrap();
    assert_eq!(
        keymap.find(&events("x"), &[On::DETAIL]),
        Found::Action(Action::Start)
    );
}

#[test]
fn the_prefix_is_the_key_of_the_shells() {
    let prefix = "ctrl-b".parse().unwrap();
    let keymap = with(&[("up.page", &["pageup"])]).unwrap();
    assert_eq!(keymap.find(&events("ctrl-b"), &[On::MACHINES]), Found::None);
    let overrides = Overrides::from([("up.page", vec![sequence("pageup").unwrap()])]);
    let keymap = Keymap::new(prefix, &overrides).unwrap();
    assert_eq!(
        keymap.find(&events("ctrl-b"), &[On::MACHINES]),
        Found::Action(Action::Panes)
    );
    assert_eq!(keymap.find(&events("ctrl-]"), &[On::MACHINES]), Found::None);
}

#[test]
fn two_actions_with_one_key_in_one_place_are_told_by_name() {
    let conflict = |overrides| with(overrides).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        conflict(&[("machine.stop", &["d"])]),
        "d is the key of machine.deploy and of machine.stop in the list of machines"
    );
    // Nobody could get to the longer one.
    assert_eq!(
        conflict(&[("machine.stop", &["g"])]),
        "g is the key of machine.stop and of top in the list of machines"
    );
    assert_eq!(
        conflict(&[
            ("machine.stop", &["d d"]),
            ("machine.restart", &["space d"])
        ]),
        "d is the key of machine.deploy and of machine.stop in the list of machines"
    );
    // In different places the same key may do different things.
    assert!(with(&[("image.pull", &["s"])]).is_ok());
    // Where an action can be done in certain places, it counts before what can be done anywhere …
    let keymap = with(&[("machine.deploy", &["q"])]).unwrap();
    assert_eq!(
        keymap.find(&events("q"), &[On::MACHINES]),
        Found::Action(Action::Deploy)
    );
    assert_eq!(
        keymap.find(&events("q"), &[On::NETWORKS]),
        Found::Action(Action::Quit)
    );
    // … unless that is what the settings want.
    assert_eq!(
        conflict(&[("quit", &["d"])]),
        "d is the key of machine.deploy and of quit in the list of machines"
    );
}
