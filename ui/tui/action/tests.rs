//! The table holds together.

use std::collections::BTreeSet;

use super::*;
use crate::tui::{fixture, keymap};

#[test]
fn every_action_has_one_row_a_name_and_a_title() {
    let mut ids = BTreeSet::new();
    for spec in specs() {
        assert!(ids.insert(spec.id), "{} stands there twice", spec.id);
        assert!(spec.id.chars().all(|letter| letter.is_ascii_lowercase()
            || ".-".contains(letter)
            || letter.is_ascii_digit()));
        assert!(
            !spec.title.is_empty() && !spec.title.ends_with('.'),
            "{}",
            spec.id
        );
        assert_eq!(
            spec_of(spec.action).unwrap().id,
            spec.id,
            "two rows for one action"
        );
        assert!(
            spec.weight == 0 || !spec.short.is_empty(),
            "{} has no word for the bar",
            spec.id
        );
    }
}

#[test]
fn every_key_in_the_table_is_one() {
    for spec in specs() {
        for keys in spec.keys {
            if *keys == "prefix" {
                continue;
            }
            let read = keymap::sequence(keys);
            assert!(
                read.is_ok_and(|read| !read.is_empty()),
                "{}: {keys}",
                spec.id
            );
        }
    }
}

#[test]
fn every_place_has_its_words() {
    let words: BTreeSet<_> = On::PLACES.iter().map(|place| place.in_words()).collect();
    assert_eq!(words.len(), On::PLACES.len());
    assert!(On::LOG.meets(On::OF_MACHINES) && !On::LOG.meets(On::LISTS));
}

/// Why something cannot be done in a view, with what is selected or marked there.
fn why_not(view: View, selected: &[&str], action: Action) -> Option<String> {
    let mut model = fixture::model(80, 24);
    model.place.view = view;
    let list = model.lists.of(view);
    match selected {
        [one] => list.selected = Some((*one).into()),
        many => list.marked = many.iter().map(ToString::to_string).collect(),
    }
    list.rows = (0..10).collect();
    available(action, &model).err()
}

#[test]
fn what_cannot_be_done_says_why() {
    use Action::*;
    for (view, selected, action, says) in [
        (View::Machines, "web-id", Start, "web is running"),
        (View::Machines, "db-id", Stop, "db is stopped"),
        (View::Machines, "db-id", Restart, "db is stopped"),
        (
            View::Machines,
            "db-id",
            Shell,
            "db is stopped: start it first",
        ),
        (View::Machines, "db-id", Unexpose, "no port leads into db"),
        (View::Machines, "db-id", Detach, "db has no data volumes"),
        (
            View::Machines,
            "web-id",
            Detach,
            "available once web is stopped: volumes are attached and detached while it is off",
        ),
        (
            View::Machines,
            "web-id",
            Attach,
            "available once web is stopped: volumes are attached and detached while it is off",
        ),
        (
            View::Machines,
            "web-id",
            Pull,
            "it is done in the list of images",
        ),
        (View::Machines, "web-id", Undo, "there is nothing to undo"),
        (View::Machines, "web-id", Cancel, "nothing is being done"),
        (View::Machines, "gone", Start, "no machine is selected"),
        (
            View::Volumes,
            "photos-id",
            Delete,
            "photos belongs to web: detach it first",
        ),
        (
            View::Volumes,
            "web-root-id",
            Delete,
            "web-root is the disk of web and goes with it",
        ),
        (
            View::Volumes,
            "web-root-id",
            Rename,
            "web-root is named after web",
        ),
        (
            View::Volumes,
            "web-root-id",
            Resize,
            "available once web is stopped: disks grow while it is off",
        ),
        (View::Volumes, "photos-id", Attach, "photos belongs to web"),
        (
            View::Volumes,
            "data-id",
            Detach,
            "data belongs to no machine",
        ),
        (
            View::Images,
            "sha256:22",
            Rename,
            "an image is named when it is pulled or built",
        ),
        (
            View::Networks,
            "default",
            Delete,
            "the default network stays",
        ),
        (View::Networks, "lab", Rename, "a network keeps its name"),
    ] {
        assert_eq!(
            why_not(view, &[selected], action).as_deref(),
            Some(says),
            "{action:?} {selected}"
        );
    }
}

#[test]
fn what_can_be_done_is_not_refused() {
    use Action::*;
    for (view, selected, action) in [
        (View::Machines, "web-id", Stop),
        (View::Machines, "db-id", Start),
        (View::Machines, "broken-id", Start),
        (View::Machines, "broken-id", Restart),
        (View::Machines, "web-id", Unexpose),
        (View::Machines, "db-id", Attach),
        (View::Machines, "db-id", Delete),
        (View::Machines, "db-id", Quit),
        (View::Volumes, "data-id", Delete),
        (View::Volumes, "data-id", Attach),
        (View::Volumes, "old-root-id", Delete),
        (View::Networks, "lab", Delete),
    ] {
        assert_eq!(
            why_not(view, &[selected], action),
            None,
            "{action:?} {selected}"
        );
    }
    // Of several it is enough that it can be done with one; what takes one thing takes no more.
    assert_eq!(why_not(View::Machines, &["db-id", "web-id"], Start), None);
    assert_eq!(
        why_not(View::Machines, &["db-id", "web-id"], Rename).unwrap(),
        "one at a time: 2 are marked"
    );
    assert!(why_not(View::Machines, &[], Delete).is_some());
}

#[test]
fn a_computer_that_is_not_set_up_is_set_up_first() {
    let mut model = fixture::model(80, 24);
    model.place.first_run = true;
    assert!(available(Action::Deploy, &model).is_err());
    for action in [
        Action::Setup,
        Action::Help,
        Action::Palette,
        Action::Theme,
        Action::Quit,
    ] {
        assert_eq!(available(action, &model), Ok(()), "{action:?}");
    }
}
