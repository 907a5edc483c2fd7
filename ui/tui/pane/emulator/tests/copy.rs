//! Copy mode.

use super::*;

fn at(emulator: &Emulator) -> (u16, u16) {
    let cursor = emulator.cursor().unwrap();
    (cursor.column, cursor.line)
}

fn go(emulator: &mut Emulator, motions: &[Motion]) -> (u16, u16) {
    for motion in motions {
        emulator.motion(*motion);
    }
    at(emulator)
}

#[test]
fn motions() {
    use Motion::*;
    let mut emulator = fed(
        20,
        6,
        b"  one two (three)\r\n\r\nfour five\r\nsix\r\n\r\nend",
    );
    emulator.motion(Left);
    assert_eq!(at(&emulator), (3, 5), "not in copy mode");
    emulator.enter_copy_mode();
    assert_eq!(at(&emulator), (3, 5));
    assert_eq!(go(&mut emulator, &[Top, LineStart]), (0, 0));
    assert_eq!(go(&mut emulator, &[LineText]), (2, 0));
    assert_eq!(go(&mut emulator, &[WordEnd]), (4, 0));
    assert_eq!(go(&mut emulator, &[Word]), (6, 0));
    assert_eq!(go(&mut emulator, &[WordBack]), (2, 0));
    assert_eq!(go(&mut emulator, &[LineEnd]), (16, 0));
    assert_eq!(go(&mut emulator, &[Bracket]), (10, 0));
    assert_eq!(go(&mut emulator, &[ParagraphDown]), (0, 1));
    assert_eq!(go(&mut emulator, &[Down, Right, Right]), (2, 2));
    assert_eq!(go(&mut emulator, &[Up, Left]), (1, 1));
    assert_eq!(go(&mut emulator, &[ParagraphUp]), (0, 0));
    assert_eq!(go(&mut emulator, &[ScreenBottom]), (0, 5));
    assert_eq!(go(&mut emulator, &[ScreenMiddle]), (0, 2));
    assert_eq!(go(&mut emulator, &[ScreenTop]), (2, 0));
    assert_eq!(go(&mut emulator, &[Bottom]).1, 5);
}

#[test]
fn through_all_of_history() {
    use Motion::*;
    let text: Vec<u8> = (1..=3000)
        .flat_map(|n| format!("line {n}\r\n").into_bytes())
        .collect();
    let mut emulator = fed(20, 10, &text);
    emulator.enter_copy_mode();
    go(&mut emulator, &[PageUp]);
    assert_eq!(rows(&mut emulator)[0], "line 2982");
    go(&mut emulator, &[HalfPageUp]);
    assert_eq!(rows(&mut emulator)[0], "line 2977");
    go(&mut emulator, &[HalfPageDown, PageDown]);
    assert_eq!(rows(&mut emulator)[0], "line 2992");
    go(&mut emulator, &[Top]);
    assert_eq!(rows(&mut emulator)[0], "line 1");
    assert_eq!(at(&emulator).1, 0);
    go(&mut emulator, &[PageUp, Up]);
    assert_eq!(at(&emulator).1, 0);
    // What comes meanwhile does not move the view.
    emulator.advance(b"more\r\nmore\r\n");
    assert_eq!(rows(&mut emulator)[0], "line 1");
    go(&mut emulator, &[Bottom]);
    assert_eq!(rows(&mut emulator)[0], "line 2994");
    emulator.leave_copy_mode();
    assert!(!emulator.in_copy_mode());
    assert_eq!(emulator.scrolled_back(), 0);
    while emulator.tidy() {}
    assert_eq!(emulator.history_at_hand(), KEEP);
}

#[test]
fn selecting_and_yanking() {
    use Motion::*;
    let mut emulator = fed(20, 4, b"one two\r\nthree\r\nfour");
    emulator.enter_copy_mode();
    go(&mut emulator, &[Top, LineStart, Word]);
    emulator.toggle_selection(Kind::Simple);
    assert!(emulator.is_selecting());
    assert_eq!(emulator.selected_text().as_deref(), Some("t"));
    go(&mut emulator, &[WordEnd]);
    assert_eq!(emulator.selected_text().as_deref(), Some("two"));
    go(&mut emulator, &[Down]);
    emulator.toggle_selection(Kind::Line);
    assert_eq!(
        emulator.selected_text().as_deref(),
        Some("one two\nthree\n")
    );
    emulator.toggle_selection(Kind::Block);
    assert_eq!(emulator.selected_text().as_deref(), Some("two\ne"));
    assert_eq!(emulator.yank().as_deref(), Some("two\ne"));
    assert!(!emulator.is_selecting());
    emulator.toggle_selection(Kind::Simple);
    emulator.toggle_selection(Kind::Simple);
    assert_eq!(emulator.yank(), None);
}

#[test]
fn searching_moves_its_cursor() {
    let mut emulator = fed(20, 4, b"one\r\ntwo\r\none");
    emulator.enter_copy_mode();
    emulator.motion(Motion::Top);
    emulator.motion(Motion::LineStart);
    assert_eq!(emulator.set_search("two"), Ok(true));
    assert_eq!(at(&emulator), (0, 1));
}

/// The guest goes on under it.
#[test]
fn the_ground_moves() {
    let text: Vec<u8> = (1..=100)
        .flat_map(|n| format!("line {n}\r\n").into_bytes())
        .collect();
    for sequence in [
        "\x1b[?1049h",
        "\x1b[?47h",
        "\x1b[3J",
        "\x1bc",
        "\x1b[2J",
        "\x1b[H\x1b[50M",
        "\x1b[?3h",
    ] {
        let mut emulator = fed(20, 10, &text);
        emulator.enter_copy_mode();
        emulator.motion(Motion::Top);
        emulator.toggle_selection(Kind::Line);
        emulator.motion(Motion::Down);
        emulator.advance(sequence.as_bytes());
        painted(&mut emulator, &look());
        emulator.cursor();
        emulator.motion(Motion::Up);
        emulator.motion(Motion::WordEnd);
        emulator.selected_text();
        emulator.resize(5, 3);
        emulator.motion(Motion::ScreenMiddle);
        painted(&mut emulator, &look());
        emulator.yank();
        emulator.leave_copy_mode();
    }
}

#[test]
fn a_motion_is_repeated_for_as_long_as_it_leads_on() {
    let mut emulator = fed(20, 6, b"one (two)\r\nthree\r\nfour");
    emulator.enter_copy_mode();
    emulator.motion(Motion::Top);
    emulator.motion(Motion::LineStart);
    assert_eq!(emulator.motions(Motion::Right, 3), 3);
    assert_eq!(at(&emulator), (3, 0));
    assert_eq!(emulator.motions(Motion::Down, 100_000), 5);
    assert_eq!(emulator.motions(Motion::Left, 100_000), 3);
    assert_eq!(emulator.motions(Motion::PageUp, 100_000), 1);
    assert_eq!(at(&emulator), (0, 0));
    // It would go there and back.
    emulator.motions(Motion::Right, 4);
    assert_eq!(emulator.motions(Motion::Bracket, 100_000), 1);
    assert_eq!(at(&emulator), (8, 0));
}
