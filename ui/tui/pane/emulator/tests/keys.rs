//! The table of xterm's ctlseqs, and of Xlib for control characters.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};

use super::*;

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

#[track_caller]
fn says(code: KeyCode, modifiers: KeyModifiers, mode: TermMode, bytes: &str) {
    let got = encode(&KeyEvent::new(code, modifiers), mode);
    let got = String::from_utf8_lossy(&got).into_owned();
    assert_eq!(got, bytes, "{code:?} with {modifiers:?} in {mode:?}");
}

#[test]
fn text_is_itself() {
    for c in ['a', 'A', ' ', '~', 'é', '漢', '🙂'] {
        says(KeyCode::Char(c), NONE, TermMode::NONE, &c.to_string());
    }
    says(KeyCode::Char('A'), SHIFT, TermMode::NONE, "A");
    says(KeyCode::Char('a'), ALT, TermMode::NONE, "\x1ba");
    says(KeyCode::Char('é'), ALT, TermMode::NONE, "\x1bé");
    says(
        KeyCode::Char('a'),
        KeyModifiers::META,
        TermMode::NONE,
        "\x1ba",
    );
    says(KeyCode::Char('a'), KeyModifiers::SUPER, TermMode::NONE, "");
}

#[test]
fn control_makes_control_characters() {
    for (c, byte) in [
        ('a', "\x01"),
        ('z', "\x1a"),
        ('A', "\x01"),
        (' ', "\0"),
        ('@', "\0"),
        ('2', "\0"),
        ('[', "\x1b"),
        ('3', "\x1b"),
        ('\\', "\x1c"),
        ('4', "\x1c"),
        (']', "\x1d"),
        ('5', "\x1d"),
        ('^', "\x1e"),
        ('6', "\x1e"),
        ('~', "\x1e"),
        ('_', "\x1f"),
        ('7', "\x1f"),
        ('/', "\x1f"),
        ('8', "\x7f"),
        ('?', "\x7f"),
        // Keys that have none are themselves.
        ('1', "1"),
        ('9', "9"),
        ('0', "0"),
        (';', ";"),
        ('é', "é"),
    ] {
        says(KeyCode::Char(c), CONTROL, TermMode::NONE, byte);
        says(
            KeyCode::Char(c),
            CONTROL | ALT,
            TermMode::NONE,
            &format!("\x1b{byte}"),
        );
    }
    says(KeyCode::Char('C'), CONTROL | SHIFT, TermMode::NONE, "\x03");
    says(KeyCode::Null, NONE, TermMode::NONE, "\0");
}

#[test]
fn keys_with_a_control_character() {
    for (code, modifiers, bytes) in [
        (KeyCode::Enter, NONE, "\r"),
        (KeyCode::Enter, SHIFT, "\r"),
        (KeyCode::Enter, ALT, "\x1b\r"),
        (KeyCode::Tab, NONE, "\t"),
        (KeyCode::Tab, ALT, "\x1b\t"),
        (KeyCode::Tab, SHIFT, "\x1b[Z"),
        (KeyCode::BackTab, SHIFT, "\x1b[Z"),
        (KeyCode::BackTab, NONE, "\x1b[Z"),
        (KeyCode::Backspace, NONE, "\x7f"),
        (KeyCode::Backspace, SHIFT, "\x7f"),
        (KeyCode::Backspace, CONTROL, "\x08"),
        (KeyCode::Backspace, ALT, "\x1b\x7f"),
        (KeyCode::Esc, NONE, "\x1b"),
        (KeyCode::Esc, ALT, "\x1b\x1b"),
    ] {
        says(code, modifiers, TermMode::NONE, bytes);
    }
    says(KeyCode::Enter, NONE, TermMode::LINE_FEED_NEW_LINE, "\r\n");
}

#[test]
fn cursor_keys() {
    for (code, letter) in [
        (KeyCode::Up, 'A'),
        (KeyCode::Down, 'B'),
        (KeyCode::Right, 'C'),
        (KeyCode::Left, 'D'),
        (KeyCode::KeypadBegin, 'E'),
        (KeyCode::End, 'F'),
        (KeyCode::Home, 'H'),
    ] {
        says(code, NONE, TermMode::NONE, &format!("\x1b[{letter}"));
        says(code, NONE, TermMode::APP_CURSOR, &format!("\x1bO{letter}"));
        // Modified, they are the same in both modes.
        for mode in [TermMode::NONE, TermMode::APP_CURSOR] {
            says(code, SHIFT, mode, &format!("\x1b[1;2{letter}"));
            says(code, ALT, mode, &format!("\x1b[1;3{letter}"));
            says(code, SHIFT | ALT, mode, &format!("\x1b[1;4{letter}"));
            says(code, CONTROL, mode, &format!("\x1b[1;5{letter}"));
            says(code, CONTROL | SHIFT, mode, &format!("\x1b[1;6{letter}"));
            says(code, CONTROL | ALT, mode, &format!("\x1b[1;7{letter}"));
            says(
                code,
                CONTROL | ALT | SHIFT,
                mode,
                &format!("\x1b[1;8{letter}"),
            );
        }
    }
}

#[test]
fn editing_and_function_keys() {
    for (code, number) in [
        (KeyCode::Insert, 2),
        (KeyCode::Delete, 3),
        (KeyCode::PageUp, 5),
        (KeyCode::PageDown, 6),
        (KeyCode::F(5), 15),
        (KeyCode::F(6), 17),
        (KeyCode::F(7), 18),
        (KeyCode::F(8), 19),
        (KeyCode::F(9), 20),
        (KeyCode::F(10), 21),
        (KeyCode::F(11), 23),
        (KeyCode::F(12), 24),
        (KeyCode::F(13), 25),
        (KeyCode::F(14), 26),
        (KeyCode::F(15), 28),
        (KeyCode::F(16), 29),
        (KeyCode::F(17), 31),
        (KeyCode::F(18), 32),
        (KeyCode::F(19), 33),
        (KeyCode::F(20), 34),
    ] {
        for mode in [TermMode::NONE, TermMode::APP_CURSOR] {
            says(code, NONE, mode, &format!("\x1b[{number}~"));
            says(code, CONTROL, mode, &format!("\x1b[{number};5~"));
        }
    }
    for (n, letter) in [(1, 'P'), (2, 'Q'), (3, 'R'), (4, 'S')] {
        says(
            KeyCode::F(n),
            NONE,
            TermMode::NONE,
            &format!("\x1bO{letter}"),
        );
        says(
            KeyCode::F(n),
            SHIFT,
            TermMode::NONE,
            &format!("\x1b[1;2{letter}"),
        );
    }
    for code in [
        KeyCode::F(0),
        KeyCode::F(21),
        KeyCode::CapsLock,
        KeyCode::Pause,
    ] {
        says(code, NONE, TermMode::NONE, "");
    }
}

#[test]
fn the_keypad_has_a_mode_of_its_own() {
    let key = |code| {
        KeyEvent::new_with_kind_and_state(code, NONE, KeyEventKind::Press, KeyEventState::KEYPAD)
    };
    for (code, plain, application) in [
        (KeyCode::Char('0'), "0", "\x1bOp"),
        (KeyCode::Char('9'), "9", "\x1bOy"),
        (KeyCode::Char('.'), ".", "\x1bOn"),
        (KeyCode::Char('+'), "+", "\x1bOk"),
        (KeyCode::Enter, "\r", "\x1bOM"),
        (KeyCode::Up, "\x1b[A", "\x1b[A"),
    ] {
        assert_eq!(encode(&key(code), TermMode::NONE), plain.as_bytes());
        assert_eq!(
            encode(&key(code), TermMode::APP_KEYPAD),
            application.as_bytes()
        );
    }
    // The digits of the main keys are themselves.
    says(KeyCode::Char('0'), NONE, TermMode::APP_KEYPAD, "0");
}

#[test]
fn a_key_that_is_let_go_says_nothing() {
    let mut key = KeyEvent::from(KeyCode::Char('a'));
    key.kind = KeyEventKind::Repeat;
    assert_eq!(encode(&key, TermMode::NONE), b"a");
    key.kind = KeyEventKind::Release;
    assert_eq!(encode(&key, TermMode::NONE), b"");
}
