//! Guests that mean harm, or are broken, get no more than their share.

use super::*;

#[test]
fn keyboard_modes_without_end() {
    let mut emulator = fed(80, 24, &b"\x1b[>1u".repeat(10_000));
    emulator.advance(&b"\x1b[?1049h\x1b[>1u\x1b[?1049l\x1b[>1u\x1b[?47h\x1b[?47l".repeat(5000));
    emulator.advance(b"\x1b[<100u\x1b[?u");
    assert_eq!(emulator.take_replies(), b"\x1b[?0u");
}

#[test]
fn marks_without_end() {
    let mut emulator = fed(80, 24, b"x");
    emulator.advance("\u{301}".repeat(100_000).as_bytes());
    let cell = &emulator.screen.term.grid()[Line(0)][Column(0)];
    assert_eq!(cell.zerowidth().map(<[char]>::len), Some(16));
    // On a wide one too, and at the end of a line.
    emulator.advance("\x1b[2;79H漢".as_bytes());
    emulator.advance("\u{301}".repeat(1000).as_bytes());
    let cell = &emulator.screen.term.grid()[Line(1)][Column(78)];
    assert_eq!(cell.zerowidth().map(<[char]>::len), Some(16));
}

#[test]
fn questions_without_end() {
    let mut emulator = fed(80, 24, &b"\x1b[c".repeat(100_000));
    assert!(emulator.take_replies().len() <= 64 * 1024);
    emulator.advance(b"\x1b[5n");
    assert_eq!(emulator.take_replies(), b"\x1b[0n", "and then it goes on");
}

#[test]
fn a_string_without_end() {
    let mut emulator = fed(80, 24, b"\x1b]2;");
    let piece = [b'a'; 64 * 1024];
    for _ in 0..=LONGEST_STRING / piece.len() {
        emulator.advance(&piece);
    }
    emulator.advance(b"\r\nhere again");
    assert_eq!(emulator.title(), "");
    assert!(rows(&mut emulator).contains(&"here again".to_owned()));
}

#[test]
fn titles_and_copies_are_capped() {
    let long = "t".repeat(100_000);
    let mut emulator = fed(80, 24, format!("\x1b]2;{long}\x07").as_bytes());
    assert_eq!(emulator.title().len(), 256);
    // 100,002 and 99,999 bytes of base64's "AAAA".
    emulator.advance(format!("\x1b]52;c;{}\x07", "QUFB".repeat(33_334)).as_bytes());
    assert!(
        !emulator
            .take_news()
            .iter()
            .any(|news| matches!(news, News::Clipboard(_)))
    );
    emulator.advance(format!("\x1b]52;c;{}\x07", "QUFB".repeat(33_333)).as_bytes());
    assert_eq!(emulator.take_news(), [News::Clipboard("A".repeat(99_999))]);
}

#[test]
fn links_are_kept_when_they_may_be_opened_and_are_short() {
    let link = |bytes: &str| {
        let emulator = fed(80, 24, bytes.as_bytes());
        emulator.screen.term.grid()[Line(0)][Column(0)].hyperlink()
    };
    let good = link("\x1b]8;id=one;https://example.org/a\x1b\\x").unwrap();
    assert_eq!((good.id(), good.uri()), ("one", "https://example.org/a"));
    let long = "a".repeat(100_000);
    assert_eq!(link(&format!("\x1b]8;;http://{long}\x1b\\x")), None);
    assert_eq!(link(&format!("\x1b]8;;file:///{long}\x1b\\x")), None);
    // One link does not go on where another, which is refused, begins.
    assert_eq!(link("\x1b]8;;http://a\x07\x1b]8;;file:///b\x07x"), None);
    let named = link(&format!("\x1b]8;id={long};http://a\x1b\\x")).unwrap();
    assert_eq!(named.uri(), "http://a");
    assert!(named.id().len() <= 250, "{} bytes of id", named.id().len());
}
