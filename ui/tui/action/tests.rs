//! The table holds together.

use std::collections::BTreeSet;

use super::*;
use crate::tui::keymap;

#[test]
fn every_action_has_one_row_a_name_and_a_title() {
    let mut ids = BTreeSet::new();
    for spec in specs() {
        assert!(ids.insert(spec.id), "{} stands there twice", spec.id);
        assert!(spec.id.chars().all(|letter| letter.is_ascii_lowercase() || ".-".contains(letter) || letter.is_ascii_digit()));
        assert!(!spec.title.is_empty() && !spec.title.ends_with('.'), "{}", spec.id);
        assert_eq!(spec_of(spec.action).unwrap().id, spec.id, "two rows for one action");
        assert!(spec.weight == 0 || !spec.short.is_empty(), "{} has no word for the bar", spec.id);
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
            assert!(read.is_ok_and(|read| !read.is_empty()), "{}: {keys}", spec.id);
        }
    }
}

#[test]
fn every_place_has_its_words() {
    let words: BTreeSet<_> = On::PLACES.iter().map(|place| place.in_words()).collect();
    assert_eq!(words.len(), On::PLACES.len());
    assert!(On::LOG.meets(On::OF_MACHINES) && !On::LOG.meets(On::LISTS));
}
