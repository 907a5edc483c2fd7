//! Control sequences, answers and news.

use super::*;

#[track_caller]
fn answers(asked: &str, answer: &str) {
    let mut emulator = fed(80, 24, asked.as_bytes());
    let got = emulator.take_replies();
    assert_eq!(String::from_utf8_lossy(&got), answer, "{asked:?}");
    assert!(emulator.take_replies().is_empty());
}

#[test]
fn questions_are_answered() {
    answers("\x1b[c", "\x1b[?62;22;52c");
    answers("\x1b[>c", "\x1b[>0;2600;1c");
    answers("\x1b[5n", "\x1b[0n");
    answers("\x1b[3;7H\x1b[6n", "\x1b[3;7R");
    answers("\x1b[18t", "\x1b[8;24;80t");
    // DECRQM: set, reset, unknown.
    answers("\x1b[?7$p", "\x1b[?7;1$y");
    answers("\x1b[?2004$p", "\x1b[?2004;2$y");
    answers("\x1b[?2026$p", "\x1b[?2026;2$y");
    answers("\x1b[?1047h\x1b[?1047$p", "\x1b[?1047;1$y");
    answers("\x1b[?9$p", "\x1b[?9;2$y");
    answers("\x1b[?2048$p", "\x1b[?2048;0$y");
    answers("\x1b[4h\x1b[4$p", "\x1b[4;1$y");
    // The clipboard is never read.
    answers("\x1b]52;c;?\x07", "");
    // Nor a size in pixels invented.
    answers("\x1b[14t", "");
}

#[test]
fn keyboard_modes_are_stacked_and_reported() {
    answers("\x1b[?u", "\x1b[?0u");
    answers("\x1b[>1u\x1b[?u", "\x1b[?1u");
    answers(
        "\x1b[>1u\x1b[>31u\x1b[?u\x1b[<u\x1b[?u",
        "\x1b[?31u\x1b[?1u",
    );
    answers(
        "\x1b[=5u\x1b[?u\x1b[=2;2u\x1b[?u\x1b[=1;3u\x1b[?u",
        "\x1b[?5u\x1b[?7u\x1b[?6u",
    );
    // Each screen has its own.
    answers(
        "\x1b[>1u\x1b[?1049h\x1b[?u\x1b[?1049l\x1b[?u",
        "\x1b[?0u\x1b[?1u",
    );
}

#[test]
fn colours_are_told_if_known() {
    let ask = b"\x1b]10;?\x07\x1b]11;?\x1b\\\x1b]12;?\x07\x1b]4;1;?\x07\x1b]4;196;?\x07";
    let mut emulator = fed(80, 24, ask);
    let unknown = emulator.take_replies();
    assert_eq!(
        String::from_utf8_lossy(&unknown),
        "\x1b]4;1;rgb:cdcd/0000/0000\x07\x1b]4;196;rgb:ffff/0000/0000\x07"
    );
    emulator.set_colours(&Look {
        foreground: Some(Color::Rgb(0xc0, 0xff, 0xee)),
        background: Some(Color::Rgb(1, 2, 3)),
        ansi: Some([Color::Rgb(9, 9, 9); 16]),
        ..look()
    });
    emulator.advance(ask);
    assert_eq!(
        String::from_utf8_lossy(&emulator.take_replies()),
        "\x1b]10;rgb:c0c0/ffff/eeee\x07\x1b]11;rgb:0101/0202/0303\x1b\\\x1b]12;rgb:c0c0/ffff/eeee\x07\
         \x1b]4;1;rgb:0909/0909/0909\x07\x1b]4;196;rgb:ffff/0000/0000\x07"
    );
    emulator.advance(b"\x1b]11;#ffffff\x07\x1b]11;?\x07");
    assert_eq!(emulator.take_replies(), b"\x1b]11;rgb:ffff/ffff/ffff\x07");
}

#[test]
fn line_drawing_of_dec() {
    let mut emulator = fed(
        10,
        3,
        b"\x1b(0lqqk\r\nx\x1b(B ab\x1b(0x\r\n\x1b)0\x1b(B\x0emqqj\x0f q",
    );
    assert_eq!(rows(&mut emulator), ["┌──┐", "│ ab│", "└──┘ q"]);
}

#[test]
fn scroll_regions() {
    let mut emulator = fed(5, 5, b"1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4;1H\n");
    assert_eq!(rows(&mut emulator), ["1", "3", "4", "", "5"]);
    emulator.advance(b"\x1b[2;1H\x1bM");
    assert_eq!(rows(&mut emulator), ["1", "", "3", "4", "5"]);
    assert_eq!(emulator.history_len(), 0);
    // With its own origin.
    emulator.advance(b"\x1b[?6h\x1b[1;1Hx\x1b[99;1Hy\x1b[?6l");
    assert_eq!(rows(&mut emulator), ["1", "x", "3", "y", "5"]);
}

#[test]
fn alternate_screens() {
    for (enter, leave) in [
        ("\x1b[?1049h", "\x1b[?1049l"),
        ("\x1b[?1047h", "\x1b[?1047l"),
        ("\x1b[?47h", "\x1b[?47l"),
        ("\x1b[?1048h\x1b[?1047h", "\x1b[?1047l\x1b[?1048l"),
    ] {
        let mut emulator = fed(10, 3, b"$ vi");
        emulator.advance(enter.as_bytes());
        emulator.advance(b"\x1b[2;2HX");
        assert!(emulator.alternate_screen());
        assert_eq!(rows(&mut emulator), ["", " X", ""], "{enter:?}");
        emulator.advance(leave.as_bytes());
        assert!(!emulator.alternate_screen());
        assert_eq!(rows(&mut emulator), ["$ vi", "", ""], "{enter:?}");
    }
    // 47 alone leaves the cursor where it was.
    let emulator = fed(10, 3, b"$ vi\x1b[?47h\x1b[3;3H\x1b[?47l");
    assert_eq!(
        emulator.cursor().map(|cursor| (cursor.column, cursor.line)),
        Some((2, 2))
    );
}

#[test]
fn insert_mode_tabs_and_wrapping() {
    assert_eq!(rows(&mut fed(10, 1, b"abc\r\x1b[4hX\x1b[4l")), ["Xabc"]);
    assert_eq!(
        rows(&mut fed(20, 1, b"a\tb\x1b[3g\ra\tb")),
        ["a       b          b"]
    );
    assert_eq!(rows(&mut fed(5, 2, b"\x1b[?7labcdefg")), ["abcdg", ""]);
    assert_eq!(rows(&mut fed(5, 2, b"abcde\r\nf")), ["abcde", "f"]);
}

#[test]
fn cursors() {
    let mut emulator = fed(10, 3, b"ab\x1b[5 q");
    let cursor = emulator.cursor().unwrap();
    assert_eq!((cursor.column, cursor.line), (2, 0));
    assert_eq!((cursor.shape, cursor.blinks), (Shape::Bar, true));
    emulator.advance(b"\x1b[4 q");
    assert_eq!(
        emulator.cursor().map(|c| (c.shape, c.blinks)),
        Some((Shape::Underline, false))
    );
    emulator.advance(b"\x1b[0 q\x1b[?25l");
    assert_eq!(emulator.cursor(), None);
    emulator.advance(b"\x1b[?25h\r\n\n\n\n");
    emulator.scroll(2);
    assert_eq!(emulator.cursor(), None, "it is below the view");
}

#[test]
fn a_synchronized_update_is_shown_whole_or_late() {
    let mut emulator = fed(10, 1, b"old");
    assert_eq!(emulator.sync_deadline(), None);
    emulator.advance(b"\x1b[?2026h\rnew");
    assert!(emulator.sync_deadline().is_some());
    assert_eq!(rows(&mut emulator), ["old"]);
    emulator.advance(b"er\x1b[?2026l");
    assert_eq!(rows(&mut emulator), ["newer"]);
    assert_eq!(emulator.sync_deadline(), None);
    emulator.advance(b"\x1b[?2026h\rlate");
    emulator.end_sync();
    assert_eq!(rows(&mut emulator), ["later"]);
    assert_eq!(emulator.sync_deadline(), None);
}

#[test]
fn news() {
    let mut emulator = fed(
        10,
        1,
        b"\x07\x07\x1b]0;one\x07\x1b]2;\x1b\\\x1b]2;a title\x07",
    );
    assert_eq!(
        emulator.take_news(),
        [News::Title("a title".into()), News::Bell]
    );
    assert_eq!(emulator.take_news(), []);
    assert_eq!(emulator.title(), "a title");
    // Saved and restored, as vim does.
    emulator.advance(b"\x1b[22;0t\x1b]2;vim\x07\x1b[23;0t");
    assert_eq!(emulator.title(), "a title");
    emulator.advance(b"\x1bc");
    assert_eq!(emulator.take_news(), [News::Title(String::new())]);
    // Copying: "text\x1b[31m" and a line.
    emulator.advance(b"\x1b]52;c;dGV4dBtbMzFtCmxpbmU=\x07");
    assert_eq!(
        emulator.take_news(),
        [News::Clipboard("text[31m\nline".into())]
    );
    emulator.advance(b"\x1b]52;c;not base64!\x07");
    assert_eq!(emulator.take_news(), []);
}

#[test]
fn links_are_found_on_their_text() {
    let mut emulator = fed(20, 2, b"\x1b]8;;https://example.org/a;b\x1b\\here\x1b]8;;\x1b\\ \x1b]8;;file:///etc\x1b\\no\x1b]8;;\x1b\\");
    assert_eq!(
        emulator.link_at(0, 0).as_deref(),
        Some("https://example.org/a;b")
    );
    assert_eq!(
        emulator.link_at(3, 0).as_deref(),
        Some("https://example.org/a;b")
    );
    assert_eq!(emulator.link_at(4, 0), None);
    assert_eq!(emulator.link_at(5, 0), None);
    assert_eq!(emulator.link_at(99, 99), None);
    emulator.advance(b"\r\n\n");
    emulator.scroll(1);
    assert_eq!(
        emulator.link_at(0, 0).as_deref(),
        Some("https://example.org/a;b")
    );
}

#[test]
fn pasting() {
    let mut emulator = fed(20, 2, b"");
    assert_eq!(
        emulator.paste("ls\r\necho\n\ta\x1b[31m\x03é"),
        b"ls\recho\r\ta[31m\xc3\xa9"
    );
    emulator.advance(b"\x1b[?2004h");
    assert_eq!(
        emulator.paste("a\x1b[201~; rm -rf /\n\u{9b}201~\x1b[20\x1b[201~1~"),
        b"\x1b[200~a; rm -rf /\r[201~\x1b[201~"
    );
}

#[test]
fn focus() {
    let mut emulator = fed(20, 2, b"");
    assert_eq!(emulator.focus(true), b"");
    emulator.advance(b"\x1b[?1004h");
    assert_eq!(emulator.focus(false), b"\x1b[O");
    assert_eq!(emulator.focus(true), b"\x1b[I");
}

#[test]
fn the_mouse_is_taken_by_modes() {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let click = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 0,
        row: 0,
        modifiers: KeyModifiers::NONE,
    };
    let mut emulator = fed(20, 2, b"");
    assert!(!emulator.wants_mouse());
    assert_eq!(emulator.mouse(&click, 3, 1), Mouse::Ours);
    emulator.advance(b"\x1b[?9h");
    assert!(emulator.wants_mouse());
    assert_eq!(
        emulator.mouse(&click, 3, 1),
        Mouse::Guest(b"\x1b[M $\"".to_vec())
    );
    emulator.advance(b"\x1b[?9l\x1b[?1000;1006h");
    // What is outside of the grid is at its edge.
    assert_eq!(
        emulator.mouse(&click, 99, 99),
        Mouse::Guest(b"\x1b[<0;20;2M".to_vec())
    );
}
