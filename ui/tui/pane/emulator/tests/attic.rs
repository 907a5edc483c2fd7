//! What is packed away comes back as it was.

use super::super::tests::fed;
use super::super::{Emulator, KEEP, PACK_AT};
use super::*;

/// Everything in the grid, with all of each cell.
fn cells(emulator: &Emulator) -> Vec<Vec<Cell>> {
    let grid = emulator.screen.term.grid();
    let lines = grid.topmost_line().0..=grid.bottommost_line().0;
    lines.map(|line| grid[Line(line)][..].to_vec()).collect()
}

/// The same with and without an attic.
fn both(columns: u16, bytes: &[u8]) -> (Emulator, Emulator) {
    let mut packed = fed(columns, 5, b"");
    let mut whole = fed(columns, 5, b"");
    // A search keeps the history in the grid.
    whole.set_search("nothing").unwrap();
    packed.advance(bytes);
    whole.advance(bytes);
    pack(&mut packed);
    pack(&mut whole);
    (packed, whole)
}

fn pack(emulator: &mut Emulator) {
    while emulator.tidy() {}
}

/// One that has read this, and packed away what it can.
fn packed(bytes: &[u8]) -> Emulator {
    let mut emulator = fed(80, 24, bytes);
    pack(&mut emulator);
    emulator
}

fn many(line: &str) -> Vec<u8> {
    (0..3000)
        .flat_map(|n| format!("{n} {line}\r\n").into_bytes())
        .collect()
}

#[track_caller]
fn comes_back(columns: u16, bytes: &[u8]) {
    let (mut packed, whole) = both(columns, bytes);
    assert!(whole.attic.is_empty());
    assert!(!packed.attic.is_empty());
    assert!(packed.history_at_hand() < PACK_AT);
    assert_eq!(packed.history_len(), whole.history_len());
    packed.bring_back();
    assert!(packed.attic.is_empty());
    for (at, (left, right)) in cells(&packed).iter().zip(cells(&whole)).enumerate() {
        assert_eq!(*left, right, "row {at}");
    }
    assert_eq!(cells(&packed).len(), cells(&whole).len());
    assert_eq!(packed.cursor(), whole.cursor());
}

#[test]
fn plain_text() {
    comes_back(80, &many("some words"));
}

#[test]
fn empty_lines_and_blanks_in_colour() {
    comes_back(80, &many("\x1b[44mblue\x1b[K\x1b[0m\r\n\r\n   x   "));
}

#[test]
fn colours_and_marks() {
    comes_back(
        80,
        &many(
            "\x1b[1;31mred\x1b[0m \x1b[4:3;58;2;1;2;3mcurl\x1b[0m e\u{301}x\u{301}\u{302} \x1b[38;2;9;8;7mrgb\x1b[m\tt",
        ),
    );
}

#[test]
fn links() {
    comes_back(
        80,
        &many("\x1b]8;id=1;http://example.org\x07here\x1b]8;;\x07 not"),
    );
}

#[test]
fn lines_that_are_wrapped() {
    comes_back(20, &many(&"0123456789".repeat(7)));
}

#[test]
fn wide_characters_that_do_not_fit_the_end_of_a_line() {
    comes_back(7, &many("漢字漢字漢字漢字漢字"));
}

#[test]
fn halves_of_wide_characters() {
    // Written over, shifted out and cut off.
    let (mut packed, _) = both(
        10,
        &many("漢字\r\x1b[Cx\r\n漢字\r\x1b[@\r\n字字字字字\r\x1b[@"),
    );
    packed.bring_back();
    packed.scroll_to_top();
    assert_eq!(packed.columns(), 10);
}

#[test]
fn a_line_without_an_end() {
    let mut emulator = fed(80, 5, b"");
    emulator.advance("0123456789".repeat(20_000).as_bytes());
    pack(&mut emulator);
    assert!(emulator.history_at_hand() < PACK_AT);
    emulator.bring_back();
    let history = i32::try_from(emulator.history_len()).unwrap();
    assert_eq!(history, 200_000 / 80 - 5);
    let text: String = (-history..5).map(|line| emulator.text_of(line)).collect();
    assert_eq!(text, "0123456789".repeat(20_000));
}

#[test]
fn lines_come_back_at_another_width() {
    let (mut packed, mut whole) = both(40, &many(&"word ".repeat(15)));
    packed.resize(53, 5);
    whole.resize(53, 5);
    packed.bring_back();
    let history = i32::try_from(packed.history_len()).unwrap();
    assert_eq!(history, i32::try_from(whole.history_len()).unwrap());
    for line in -history..5 {
        assert_eq!(packed.text_of(line), whole.text_of(line));
    }
}

#[test]
fn no_more_is_kept_than_was_asked_for() {
    let mut emulator = Emulator::new(80, 24, 2000);
    emulator.advance(&many("word"));
    assert!(
        (1990..=2000).contains(&emulator.history_len()),
        "{}",
        emulator.history_len()
    );
    emulator.scroll_to_top();
    assert_eq!(emulator.scrolled_back(), emulator.history_len());
    assert!(emulator.history_len() <= 2000);
    assert_eq!(emulator.text_of(-1), "2976 word");
}

#[test]
fn history_is_forgotten_when_the_guest_says_so() {
    for sequence in ["\x1b[3J", "\x1bc"] {
        let mut emulator = packed(&many("word"));
        assert!(!emulator.attic.is_empty());
        emulator.advance(sequence.as_bytes());
        assert_eq!(emulator.history_len(), 0, "{sequence:?}");
    }
    // On the alternate screen there is none to forget.
    let mut emulator = packed(&many("word"));
    emulator.advance(b"\x1b[?1049h\x1b[3J\x1b[?1049l");
    assert_eq!(emulator.history_len(), 3000 - 23);
}

#[test]
fn it_is_packed_away_again_when_nobody_looks() {
    let mut emulator = packed(&many("word"));
    emulator.scroll_to_top();
    assert_eq!(emulator.history_at_hand(), 3000 - 23);
    emulator.advance(&many("more"));
    assert!(emulator.attic.is_empty());
    pack(&mut emulator);
    assert!(emulator.attic.is_empty(), "somebody looks");
    emulator.scroll_to_bottom();
    pack(&mut emulator);
    assert_eq!(emulator.history_at_hand(), KEEP);
    assert_eq!(emulator.history_len(), 6000 - 23);
}

/// Much output at once is not packed away line by line, but output as it usually comes is.
#[test]
fn a_flood_is_packed_away_when_it_ends() {
    let mut emulator = fed(80, 24, &many("word"));
    assert_eq!(emulator.history_at_hand(), 3000 - 23);
    emulator.advance(b"$ ");
    assert!(emulator.history_at_hand() <= 1000);
    assert!(!emulator.tidy());
    let mut emulator = fed(80, 24, b"");
    for piece in many("word").chunks(1000) {
        emulator.advance(piece);
        assert!(emulator.history_at_hand() < PACK_AT + 100);
    }
    assert_eq!(emulator.history_len(), 3000 - 23);
}

/// Ten panes with 10,000 lines of 80 columns are to take at most 80 MB, the program itself included.
#[test]
fn a_full_history_is_small() {
    let line = "\x1b[32mok\x1b[0m ".to_owned() + &"x".repeat(75);
    let mut emulator = fed(80, 24, b"");
    for _ in 0..5 {
        emulator.advance(&many(&line));
    }
    pack(&mut emulator);
    assert!(emulator.history_len() >= 9990);
    let kept = emulator.attic.lines.iter();
    let attic: usize = kept
        .map(|line| size_of::<Kept>() + line.text.len() + size_of_val(&line.runs[..]) + 32)
        .sum();
    let grid = 1024 * 80 * size_of::<Cell>();
    assert!(attic + grid < 5_000_000, "{attic} + {grid}");
}
