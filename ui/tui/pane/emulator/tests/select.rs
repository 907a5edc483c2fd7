//! Selecting with the mouse.

use super::*;

fn select(emulator: &mut Emulator, kind: Kind, from: (u16, u16), to: (u16, u16)) -> Option<String> {
    emulator.begin_selection(kind, from.0, from.1);
    emulator.extend_selection(to.0, to.1);
    emulator.selected_text()
}

#[test]
fn cells_in_either_direction() {
    let mut emulator = fed(20, 3, b"one two\r\nthree");
    assert_eq!(
        select(&mut emulator, Kind::Simple, (4, 0), (6, 0)).as_deref(),
        Some("two")
    );
    assert_eq!(
        select(&mut emulator, Kind::Simple, (6, 0), (4, 0)).as_deref(),
        Some("two")
    );
    assert_eq!(
        select(&mut emulator, Kind::Simple, (4, 0), (2, 1)).as_deref(),
        Some("two\nthr")
    );
    emulator.begin_selection(Kind::Simple, 4, 0);
    assert_eq!(emulator.selected_text(), None, "a click selects nothing");
    emulator.clear_selection();
    assert_eq!(emulator.selected_text(), None);
}

#[test]
fn wrapped_lines_are_joined() {
    let mut emulator = fed(10, 4, b"0123456789abcdef\r\nnext");
    assert_eq!(
        select(&mut emulator, Kind::Simple, (8, 0), (3, 2)).as_deref(),
        Some("89abcdef\nnext")
    );
    emulator.begin_selection(Kind::Line, 2, 1);
    assert_eq!(
        emulator.selected_text().as_deref(),
        Some("0123456789abcdef\n")
    );
}

#[test]
fn words_brackets_and_blocks() {
    let mut emulator = fed(20, 3, b"one two (a b) z\r\nthree\r\nfour five");
    emulator.begin_selection(Kind::Word, 5, 0);
    assert_eq!(emulator.selected_text().as_deref(), Some("two"));
    emulator.begin_selection(Kind::Word, 8, 0);
    assert_eq!(emulator.selected_text().as_deref(), Some("(a b)"));
    assert_eq!(
        select(&mut emulator, Kind::Block, (1, 0), (2, 2)).as_deref(),
        Some("ne\nhr\nou")
    );
}

#[test]
fn wide_characters_and_tabs() {
    let mut emulator = fed(20, 2, "漢字 x\r\na\tb".as_bytes());
    assert_eq!(
        select(&mut emulator, Kind::Simple, (1, 0), (2, 0)).as_deref(),
        Some("漢字")
    );
    assert_eq!(
        select(&mut emulator, Kind::Simple, (0, 1), (9, 1)).as_deref(),
        Some("a\tb")
    );
}

#[test]
fn it_stays_on_its_text() {
    let mut emulator = fed(20, 3, b"one\r\ntwo");
    select(&mut emulator, Kind::Simple, (0, 0), (2, 0));
    emulator.advance(b"\r\n3\r\n4\r\n5\r\n6\r\n");
    assert_eq!(emulator.selected_text().as_deref(), Some("one"));
    emulator.scroll(100);
    let buffer = painted(&mut emulator, &look());
    assert!(buffer[(0, 0)].modifier.contains(Modifier::REVERSED));
    assert_eq!(
        emulator.key(&crossterm::event::KeyEvent::from(
            crossterm::event::KeyCode::F(30)
        )),
        b""
    );
    assert!(
        emulator.selected_text().is_some(),
        "a key that says nothing changes nothing"
    );
    emulator.key(&crossterm::event::KeyEvent::from(
        crossterm::event::KeyCode::Enter,
    ));
    assert_eq!(emulator.selected_text(), None);
}
