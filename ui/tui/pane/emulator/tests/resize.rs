//! Other sizes.

use super::*;

#[test]
fn lines_are_wrapped_anew() {
    let mut emulator = fed(10, 4, b"0123456789abcdef\r\n$ ");
    assert_eq!(rows(&mut emulator), ["0123456789", "abcdef", "$", ""]);
    emulator.resize(20, 4);
    assert_eq!(rows(&mut emulator), ["0123456789abcdef", "$", "", ""]);
    assert_eq!(
        emulator.cursor().map(|cursor| (cursor.column, cursor.line)),
        Some((2, 1))
    );
    emulator.resize(6, 4);
    assert_eq!(rows(&mut emulator), ["012345", "6789ab", "cdef", "$"]);
    emulator.resize(10, 4);
    assert_eq!(rows(&mut emulator), ["0123456789", "abcdef", "$", ""]);
    assert_eq!(emulator.history_len(), 0);
}

#[test]
fn a_screen_with_room_keeps_its_first_line() {
    // Lower, then narrower, then both.
    for (columns, lines) in [(20, 3), (7, 10), (7, 8)] {
        let mut emulator = fed(20, 10, b"one\r\na line of text\r\n$ ");
        emulator.resize(columns, lines);
        assert_eq!(rows(&mut emulator)[0], "one", "{columns}×{lines}");
        assert_eq!(emulator.history_len(), 0, "{columns}×{lines}");
        emulator.resize(20, 10);
        assert_eq!(rows(&mut emulator)[..3], ["one", "a line of text", "$"]);
        assert_eq!(
            emulator.cursor().map(|cursor| (cursor.column, cursor.line)),
            Some((2, 2))
        );
    }
}

#[test]
fn a_full_screen_keeps_its_last_line() {
    let mut emulator = fed(10, 4, b"a\r\nb\r\nc\r\nd");
    emulator.resize(10, 2);
    assert_eq!(rows(&mut emulator), ["c", "d"]);
    assert_eq!(emulator.history_len(), 2);
    emulator.resize(10, 4);
    assert_eq!(rows(&mut emulator), ["a", "b", "c", "d"]);
}

/// What was cleared does not come back because there is more room; it stays in the history.
#[test]
fn a_cleared_screen_stays_clear() {
    let text: Vec<u8> = (0..30)
        .flat_map(|n| format!("a line of text {n}\r\n").into_bytes())
        .collect();
    for (columns, lines) in [(20, 12), (40, 10), (40, 14), (9, 10)] {
        let mut emulator = fed(20, 10, &text);
        emulator.advance(b"\x1b[H\x1b[2J$ ");
        emulator.resize(columns, lines);
        assert_eq!(rows(&mut emulator)[0], "$", "{columns}×{lines}");
        assert_eq!(
            emulator.cursor().map(|cursor| (cursor.column, cursor.line)),
            Some((2, 0))
        );
        assert!(emulator.history_len() >= 30);
    }
}

#[test]
fn wide_characters_are_not_torn() {
    let mut emulator = fed(10, 5, "漢字漢字漢\r\n$ ".as_bytes());
    emulator.resize(5, 5);
    assert_eq!(rows(&mut emulator)[..4], ["漢字", "漢字", "漢", "$"]);
    emulator.resize(3, 6);
    emulator.resize(10, 5);
    assert_eq!(rows(&mut emulator)[..2], ["漢字漢字漢", "$"]);
}

#[test]
fn the_alternate_screen_is_the_programs_own() {
    let mut emulator = fed(
        10,
        4,
        b"0123456789abc\r\n$ vi\r\n\x1b[?1049h\x1b[HEDITOR    |x",
    );
    emulator.resize(6, 3);
    assert_eq!(rows(&mut emulator)[0], "EDITOR");
    emulator.resize(12, 4);
    emulator.advance(b"\x1b[?1049l");
    assert_eq!(rows(&mut emulator)[..2], ["0123456789ab", "c"]);
}

#[test]
fn nothing_is_too_small() {
    let mut emulator = fed(80, 24, b"text\r\nmore");
    emulator.resize(0, 0);
    assert_eq!((emulator.columns(), emulator.lines()), (2, 1));
    emulator.advance("漢字x".as_bytes());
    emulator.resize(80, 24);
    assert_eq!((emulator.columns(), emulator.lines()), (80, 24));
    let mut emulator = Emulator::new(0, 0, 0);
    emulator.advance("漢字x\r\n\n\n".as_bytes());
    assert_eq!(emulator.history_len(), 0);
}

#[test]
fn the_view_stays_with_what_it_shows() {
    let text: Vec<u8> = (0..100)
        .flat_map(|n| format!("line {n}\r\n").into_bytes())
        .collect();
    let mut emulator = fed(20, 10, &text);
    emulator.scroll(20);
    let shown = rows(&mut emulator)[0].clone();
    emulator.advance(b"more\r\nand more\r\n");
    assert_eq!(rows(&mut emulator)[0], shown);
    // Also when lines scroll in a region, which does not make history.
    emulator.advance(b"\x1b[3;6r\x1b[6H\n\n\n\x1b[r");
    assert_eq!(rows(&mut emulator)[0], shown);
    emulator.key(&crossterm::event::KeyEvent::from(
        crossterm::event::KeyCode::Char('x'),
    ));
    assert_eq!(emulator.scrolled_back(), 0);
}
