//! The protocol's own examples, and its tables.

use super::super::keys;
use super::*;

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const ALT: KeyModifiers = KeyModifiers::ALT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

#[track_caller]
fn says(code: KeyCode, modifiers: KeyModifiers, mode: TermMode, bytes: &str) {
    event_says(KeyEvent::new(code, modifiers), mode, bytes);
}

#[track_caller]
fn event_says(key: KeyEvent, mode: TermMode, bytes: &str) {
    let got = keys::encode(&key, mode);
    assert_eq!(String::from_utf8_lossy(&got), bytes, "{key:?} in {mode:?}");
}

fn kind(code: KeyCode, kind: KeyEventKind) -> KeyEvent {
    KeyEvent::new_with_kind(code, NONE, kind)
}

#[test]
fn disambiguated() {
    for (code, modifiers, bytes) in [
        // What types text goes on to do that.
        (KeyCode::Char('a'), NONE, "a"),
        (KeyCode::Char('A'), SHIFT, "A"),
        (KeyCode::Enter, NONE, "\r"),
        (KeyCode::Tab, NONE, "\t"),
        (KeyCode::Backspace, NONE, "\x7f"),
        // What was ambiguous no longer is.
        (KeyCode::Esc, NONE, "\x1b[27u"),
        (KeyCode::Char('a'), ALT, "\x1b[97;3u"),
        (KeyCode::Char('i'), CONTROL, "\x1b[105;5u"),
        (KeyCode::Char('I'), CONTROL | SHIFT, "\x1b[105;6u"),
        (KeyCode::Char(' '), CONTROL, "\x1b[32;5u"),
        (KeyCode::Null, NONE, "\x1b[32;5u"),
        (KeyCode::Char('a'), KeyModifiers::SUPER, "\x1b[97;9u"),
        (KeyCode::Enter, SHIFT, "\x1b[13;2u"),
        (KeyCode::Enter, ALT, "\x1b[13;3u"),
        (KeyCode::BackTab, SHIFT, "\x1b[9;2u"),
        (KeyCode::BackTab, NONE, "\x1b[9;2u"),
        (KeyCode::Tab, CONTROL, "\x1b[9;5u"),
        (KeyCode::Backspace, CONTROL, "\x1b[127;5u"),
        // Function keys keep their forms, in one form only.
        (KeyCode::Up, NONE, "\x1b[A"),
        (KeyCode::Up, CONTROL, "\x1b[1;5A"),
        (KeyCode::Home, NONE, "\x1b[H"),
        (KeyCode::F(1), NONE, "\x1b[P"),
        (KeyCode::F(3), NONE, "\x1b[13~"),
        (KeyCode::F(3), SHIFT, "\x1b[13;2~"),
        (KeyCode::F(5), NONE, "\x1b[15~"),
        (KeyCode::F(13), NONE, "\x1b[57376u"),
        (KeyCode::F(35), ALT, "\x1b[57398;3u"),
        (KeyCode::Delete, SHIFT, "\x1b[3;2~"),
        (KeyCode::PrintScreen, NONE, "\x1b[57361u"),
        (
            KeyCode::Media(MediaKeyCode::MuteVolume),
            NONE,
            "\x1b[57440u",
        ),
        // Modifiers alone are for those that want everything.
        (KeyCode::Modifier(ModifierKeyCode::LeftShift), SHIFT, ""),
    ] {
        says(code, modifiers, DISAMBIGUATE, bytes);
    }
    // Cursor keys have one form only.
    says(
        KeyCode::Up,
        NONE,
        DISAMBIGUATE | TermMode::APP_CURSOR,
        "\x1b[A",
    );
}

#[test]
fn with_kinds_of_events() {
    let mode = DISAMBIGUATE | EVENTS;
    use KeyEventKind::{Press, Release, Repeat};
    for (key, bytes) in [
        (kind(KeyCode::Char('a'), Press), "a"),
        (kind(KeyCode::Char('a'), Repeat), "a"),
        (kind(KeyCode::Char('a'), Release), "\x1b[97;1:3u"),
        (kind(KeyCode::Up, Repeat), "\x1b[1;1:2A"),
        (kind(KeyCode::Up, Release), "\x1b[1;1:3A"),
        (kind(KeyCode::Delete, Release), "\x1b[3;1:3~"),
        (kind(KeyCode::Esc, Release), "\x1b[27;1:3u"),
        (kind(KeyCode::Enter, Release), ""),
        (kind(KeyCode::Tab, Release), ""),
        (kind(KeyCode::Backspace, Release), ""),
    ] {
        event_says(key, mode, bytes);
        if key.kind == Release {
            event_says(key, DISAMBIGUATE, "");
        }
    }
    event_says(kind(KeyCode::Enter, Release), mode | ALL, "\x1b[13;1:3u");
}

#[test]
fn all_as_escapes_with_text_and_alternates() {
    says(KeyCode::Char('a'), NONE, ALL, "\x1b[97u");
    says(KeyCode::Char('A'), SHIFT, ALL, "\x1b[97;2u");
    says(KeyCode::Char('A'), NONE, ALL, "\x1b[97;2u");
    says(KeyCode::Enter, NONE, ALL, "\x1b[13u");
    says(KeyCode::Char('A'), SHIFT, ALL | ALTERNATES, "\x1b[97:65;2u");
    says(KeyCode::Char('a'), NONE, ALL | ALTERNATES, "\x1b[97u");
    says(KeyCode::Char('a'), NONE, ALL | TEXT, "\x1b[97;;97u");
    says(
        KeyCode::Char('A'),
        SHIFT,
        ALL | TEXT | ALTERNATES,
        "\x1b[97:65;2;65u",
    );
    says(KeyCode::Char('a'), CONTROL, ALL | TEXT, "\x1b[97;5u");
    says(KeyCode::Char('漢'), NONE, ALL | TEXT, "\x1b[28450;;28450u");
    says(
        KeyCode::Modifier(ModifierKeyCode::RightAlt),
        ALT,
        ALL,
        "\x1b[57449;3u",
    );
    let mut key = KeyEvent::from(KeyCode::Up);
    key.state = KeyEventState::NUM_LOCK | KeyEventState::CAPS_LOCK;
    event_says(key, ALL, "\x1b[1;193A");
    event_says(key, DISAMBIGUATE, "\x1b[A");
}

#[test]
fn the_keypad() {
    let key = |code| KeyEvent {
        state: KeyEventState::KEYPAD,
        ..KeyEvent::from(code)
    };
    event_says(key(KeyCode::Enter), DISAMBIGUATE, "\x1b[57414u");
    event_says(key(KeyCode::Left), DISAMBIGUATE, "\x1b[57417u");
    event_says(key(KeyCode::KeypadBegin), DISAMBIGUATE, "\x1b[57427u");
    event_says(key(KeyCode::Char('5')), DISAMBIGUATE, "5");
    event_says(key(KeyCode::Char('5')), ALL, "\x1b[57404u");
    event_says(
        key(KeyCode::Char('5')),
        ALL | TEXT | ALTERNATES,
        "\x1b[57404;;53u",
    );
}

#[test]
fn alternates_alone_change_nothing() {
    says(KeyCode::Char('a'), CONTROL, ALTERNATES, "\x01");
    says(KeyCode::Esc, NONE, ALTERNATES, "\x1b");
    says(
        KeyCode::Up,
        NONE,
        ALTERNATES | TermMode::APP_CURSOR,
        "\x1bOA",
    );
    says(KeyCode::F(13), NONE, ALTERNATES, "\x1b[25~");
}
