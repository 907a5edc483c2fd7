//! Searching.

use super::super::search::BadSearch;
use super::*;

fn numbered(lines: usize) -> Vec<u8> {
    (1..=lines)
        .flat_map(|n| format!("line {n} of text\r\n").into_bytes())
        .collect()
}

/// The text that is marked as the match one is at.
fn marked(emulator: &mut Emulator) -> String {
    let buffer = painted(emulator, &look());
    let cells = buffer
        .content
        .iter()
        .filter(|cell| cell.bg == Color::LightYellow);
    cells.map(|cell| cell.symbol()).collect()
}

fn others(emulator: &mut Emulator) -> usize {
    let buffer = painted(emulator, &look());
    buffer
        .content
        .iter()
        .filter(|cell| cell.bg == Color::Yellow)
        .count()
}

#[test]
fn from_the_end_upwards_and_around() {
    let mut emulator = fed(30, 5, &numbered(3000));
    assert_eq!(emulator.set_search("line 1 of"), Ok(true));
    assert_eq!(marked(&mut emulator), "line 1 of");
    assert_eq!(emulator.scrolled_back(), emulator.history_len());
    assert_eq!(emulator.set_search("line 2.00 "), Ok(true));
    assert_eq!(marked(&mut emulator), "line 2900 ");
    assert!(emulator.search_previous());
    assert_eq!(marked(&mut emulator), "line 2800 ");
    assert!(emulator.search_next());
    assert_eq!(marked(&mut emulator), "line 2900 ");
    assert!(emulator.search_next(), "and around");
    assert_eq!(marked(&mut emulator), "line 2000 ");
    assert!(emulator.search_previous());
    assert_eq!(marked(&mut emulator), "line 2900 ");
    emulator.clear_search();
    assert!(!emulator.is_searching());
    assert_eq!(marked(&mut emulator), "");
    emulator.scroll_to_bottom();
    while emulator.tidy() {}
    assert_eq!(emulator.history_at_hand(), KEEP, "packed away again");
}

#[test]
fn all_that_is_in_view_is_marked() {
    let mut emulator = fed(30, 6, &numbered(5));
    assert_eq!(emulator.set_search("line"), Ok(true));
    assert_eq!(marked(&mut emulator), "line");
    assert_eq!(others(&mut emulator), 4 * 4);
    emulator.search_previous();
    assert_eq!(others(&mut emulator), 4 * 4);
}

#[test]
fn over_the_ends_of_wrapped_lines() {
    let mut emulator = fed(10, 4, b"0123456needle9\r\nnext");
    assert_eq!(emulator.set_search("needle"), Ok(true));
    assert_eq!(marked(&mut emulator), "needle");
    // It goes along with its text. Half of it is above the view.
    emulator.advance(b"\r\n\r\n");
    assert_eq!(marked(&mut emulator), "dle");
}

#[test]
fn case_matters_if_there_is_one() {
    let mut emulator = fed(30, 4, b"Error error ERROR");
    assert_eq!(emulator.set_search("error"), Ok(true));
    assert_eq!(others(&mut emulator), 10);
    assert_eq!(emulator.set_search("Error"), Ok(true));
    assert_eq!(marked(&mut emulator), "Error");
    assert_eq!(others(&mut emulator), 0);
}

#[test]
fn what_is_not_there() {
    let mut emulator = fed(30, 4, b"text");
    assert_eq!(emulator.set_search("nothing"), Ok(false));
    assert!(!emulator.search_next());
    assert!(!emulator.search_previous());
    assert_eq!(emulator.set_search(""), Ok(false));
    assert!(!emulator.is_searching());
}

#[test]
fn what_is_wrong_is_said() {
    let mut emulator = fed(30, 4, b"text");
    let error = emulator.set_search("a(b").unwrap_err();
    assert_eq!(error, BadSearch("unclosed group".into()));
    let error = emulator.set_search("(a{1000}){1000}").unwrap_err();
    assert!(!error.0.is_empty() && !error.0.contains('\n'), "{error:?}");
}

#[test]
fn wide_characters() {
    let mut emulator = fed(10, 3, "x漢字漢字漢字".as_bytes());
    assert_eq!(emulator.set_search("漢"), Ok(true));
    for _ in 0..5 {
        assert!(emulator.search_next());
        assert_eq!(marked(&mut emulator).trim(), "漢");
    }
}

#[test]
fn a_number_of_matches_is_not_gone_through_over_and_over() {
    let mut emulator = fed(30, 5, &numbered(3000));
    assert_eq!(emulator.set_search("line .000 "), Ok(true));
    assert_eq!(marked(&mut emulator), "line 3000 ");
    assert_eq!(emulator.search_on(false, 2), 2);
    assert_eq!(marked(&mut emulator), "line 2000 ");
    // 33,333 times around.
    assert!(emulator.search_on(false, 99_999) <= 6);
    assert_eq!(marked(&mut emulator), "line 2000 ");
    assert!(emulator.search_on(true, 100_000) <= 6);
    assert_eq!(marked(&mut emulator), "line 1000 ");
    assert_eq!(emulator.set_search("line 7 of"), Ok(true));
    assert!(emulator.search_on(false, 99_999) <= 2);
    assert_eq!(marked(&mut emulator), "line 7 of");
    assert_eq!(emulator.set_search("line"), Ok(true));
    assert_eq!(emulator.search_on(true, 99_999), 100);
    assert_eq!(emulator.set_search("nowhere"), Ok(false));
    assert_eq!(emulator.search_on(true, 99_999), 0);
}
