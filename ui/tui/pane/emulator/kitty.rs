//! Kitty's keyboard protocol (<https://sw.kovidgoyal.net/kitty/keyboard-protocol/>), as far as what crossterm tells of a
//! key reaches: not which key it is on another layout, and what Shift makes of it for letters only.

use alacritty_terminal::term::TermMode;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers, MediaKeyCode, ModifierKeyCode,
};

use super::keys::{Form, form};

const DISAMBIGUATE: TermMode = TermMode::DISAMBIGUATE_ESC_CODES;
const EVENTS: TermMode = TermMode::REPORT_EVENT_TYPES;
const ALTERNATES: TermMode = TermMode::REPORT_ALTERNATE_KEYS;
const ALL: TermMode = TermMode::REPORT_ALL_KEYS_AS_ESC;
const TEXT: TermMode = TermMode::REPORT_ASSOCIATED_TEXT;

/// The bytes for a key, or `None` if it is said as ever in these modes.
pub(super) fn encode(key: &KeyEvent, mode: TermMode) -> Option<Vec<u8>> {
    if !mode.intersects(TermMode::KITTY_KEYBOARD_PROTOCOL) {
        return None;
    }
    if key.kind == KeyEventKind::Release && !mode.contains(EVENTS) {
        return Some(Vec::new());
    }
    let all = mode.contains(ALL);
    let said = all || mode.contains(DISAMBIGUATE);
    let modified = key.modifiers.intersects(!KeyModifiers::SHIFT);
    let released = key.kind == KeyEventKind::Release;
    match key.code {
        KeyCode::Char(c) => {
            let wanted = all || (said && modified) || released;
            wanted.then(|| character(key, c, mode))
        }
        KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab | KeyCode::Backspace => {
            if released && !all {
                // Whoever types `reset` after a crash is not to be answered with releases.
                return Some(Vec::new());
            }
            let keypad = key.code == KeyCode::Enter && is_keypad(key);
            let modified = key.code == KeyCode::BackTab || !key.modifiers.is_empty();
            let wanted = all || (said && (keypad || modified));
            wanted.then(|| sequence(key, u32::from(control(key)), None, mode))
        }
        KeyCode::Esc => said.then(|| sequence(key, 27, None, mode)),
        KeyCode::F(n @ 13..=35) => {
            let code = 57376 + u32::from(n) - 13;
            mode.intersects(DISAMBIGUATE | EVENTS | ALL)
                .then(|| sequence(key, code, None, mode))
        }
        code => match (form(code), lone(code)) {
            _ if !mode.intersects(DISAMBIGUATE | EVENTS | ALL) => None,
            (Some(_), _) if is_keypad(key) => {
                keypad(code).map(|number| sequence(key, number, None, mode))
            }
            (Some(form), _) => Some(function(key, form, mode)),
            (None, Some(number)) => {
                let modifier = matches!(code, KeyCode::Modifier(_));
                let bytes = (all || !modifier).then(|| sequence(key, number, None, mode));
                Some(bytes.unwrap_or_default())
            }
            (None, None) => None,
        },
    }
}

/// The number of a key that has a control character.
fn control(key: &KeyEvent) -> u16 {
    match key.code {
        KeyCode::Enter if is_keypad(key) => 57414,
        KeyCode::Enter => 13,
        KeyCode::Backspace => 127,
        _ => 9,
    }
}

fn is_keypad(key: &KeyEvent) -> bool {
    key.state.contains(KeyEventState::KEYPAD)
}

fn character(key: &KeyEvent, c: char, mode: TermMode) -> Vec<u8> {
    if let Some(number) = is_keypad(key).then(|| keypad(key.code)).flatten() {
        return sequence(key, number, Some(c), mode);
    }
    // A key is named by what it types without Shift.
    let mut lower = c.to_lowercase();
    let base = lower.next().filter(|_| lower.next().is_none()).unwrap_or(c);
    let mut key = *key;
    if base != c {
        key.modifiers |= KeyModifiers::SHIFT;
    }
    let mut upper = base.to_uppercase();
    let shifted = upper
        .next()
        .filter(|_| upper.next().is_none())
        .unwrap_or(base);
    let typed = if key.modifiers.contains(KeyModifiers::SHIFT) {
        shifted
    } else {
        c
    };
    sequence(&key, u32::from(base), Some(typed), mode)
}

/// `CSI number : shifted ; modifiers : event ; text u`.
fn sequence(key: &KeyEvent, number: u32, typed: Option<char>, mode: TermMode) -> Vec<u8> {
    let mut bytes = format!("\x1b[{number}");
    let shifted = typed.filter(|c| u32::from(*c) != number && number < 57344);
    if let Some(shifted) = shifted.filter(|_| mode.contains(ALTERNATES)) {
        bytes += &format!(":{}", u32::from(shifted));
    }
    let second = modifiers_and_event(key, mode);
    let plain = !key.modifiers.intersects(!KeyModifiers::SHIFT);
    let text =
        typed.filter(|_| plain && mode.contains(ALL | TEXT) && key.kind != KeyEventKind::Release);
    match (second, text) {
        (None, None) => {}
        (Some(second), None) => bytes += &format!(";{second}"),
        (second, Some(text)) => {
            bytes += &format!(";{};{}", second.unwrap_or_default(), u32::from(text));
        }
    }
    bytes.push('u');
    bytes.into_bytes()
}

fn function(key: &KeyEvent, form: Form, mode: TermMode) -> Vec<u8> {
    // F3's letter would be a report of the cursor's position.
    let form = match key.code {
        KeyCode::F(3) => Form::Number(13),
        _ => form,
    };
    let text = match (form, modifiers_and_event(key, mode)) {
        (Form::Letter(letter), None) => format!("\x1b[{}", letter as char),
        (Form::Letter(letter), Some(second)) => format!("\x1b[1;{second}{}", letter as char),
        (Form::Number(number), None) => format!("\x1b[{number}~"),
        (Form::Number(number), Some(second)) => format!("\x1b[{number};{second}~"),
    };
    text.into_bytes()
}

/// The second parameter, if it has something to say.
fn modifiers_and_event(key: &KeyEvent, mode: TermMode) -> Option<String> {
    let mut bits = 0;
    for (modifier, bit) in [
        (KeyModifiers::SHIFT, 1),
        (KeyModifiers::ALT, 2),
        (KeyModifiers::CONTROL, 4),
        (KeyModifiers::SUPER, 8),
        (KeyModifiers::HYPER, 16),
        (KeyModifiers::META, 32),
    ] {
        if key.modifiers.contains(modifier) {
            bits += bit;
        }
    }
    if key.code == KeyCode::BackTab {
        bits |= 1;
    }
    // The locks are only told to those that ask for everything: others would take a key for modified.
    if mode.contains(ALL) {
        bits += if key.state.contains(KeyEventState::CAPS_LOCK) {
            64
        } else {
            0
        };
        bits += if key.state.contains(KeyEventState::NUM_LOCK) {
            128
        } else {
            0
        };
    }
    let event = match key.kind {
        _ if !mode.contains(EVENTS) => None,
        KeyEventKind::Press => None,
        KeyEventKind::Repeat => Some(2),
        KeyEventKind::Release => Some(3),
    };
    match (bits, event) {
        (0, None) => None,
        (bits, None) => Some((bits + 1).to_string()),
        (bits, Some(event)) => Some(format!("{}:{event}", bits + 1)),
    }
}

/// The number of a key of the keypad.
fn keypad(code: KeyCode) -> Option<u32> {
    Some(match code {
        KeyCode::Char(c @ '0'..='9') => 57399 + u32::from(c) - u32::from('0'),
        KeyCode::Char('.') => 57409,
        KeyCode::Char('/') => 57410,
        KeyCode::Char('*') => 57411,
        KeyCode::Char('-') => 57412,
        KeyCode::Char('+') => 57413,
        KeyCode::Char('=') => 57415,
        KeyCode::Char(',') => 57416,
        KeyCode::Left => 57417,
        KeyCode::Right => 57418,
        KeyCode::Up => 57419,
        KeyCode::Down => 57420,
        KeyCode::PageUp => 57421,
        KeyCode::PageDown => 57422,
        KeyCode::Home => 57423,
        KeyCode::End => 57424,
        KeyCode::Insert => 57425,
        KeyCode::Delete => 57426,
        KeyCode::KeypadBegin => 57427,
        _ => return None,
    })
}

/// The number of a key that older terminals do not report at all.
fn lone(code: KeyCode) -> Option<u32> {
    Some(match code {
        KeyCode::CapsLock => 57358,
        KeyCode::ScrollLock => 57359,
        KeyCode::NumLock => 57360,
        KeyCode::PrintScreen => 57361,
        KeyCode::Pause => 57362,
        KeyCode::Menu => 57363,
        KeyCode::Media(media) => match media {
            MediaKeyCode::Play => 57428,
            MediaKeyCode::Pause => 57429,
            MediaKeyCode::PlayPause => 57430,
            MediaKeyCode::Reverse => 57431,
            MediaKeyCode::Stop => 57432,
            MediaKeyCode::FastForward => 57433,
            MediaKeyCode::Rewind => 57434,
            MediaKeyCode::TrackNext => 57435,
            MediaKeyCode::TrackPrevious => 57436,
            MediaKeyCode::Record => 57437,
            MediaKeyCode::LowerVolume => 57438,
            MediaKeyCode::RaiseVolume => 57439,
            MediaKeyCode::MuteVolume => 57440,
        },
        KeyCode::Modifier(modifier) => match modifier {
            ModifierKeyCode::LeftShift => 57441,
            ModifierKeyCode::LeftControl => 57442,
            ModifierKeyCode::LeftAlt => 57443,
            ModifierKeyCode::LeftSuper => 57444,
            ModifierKeyCode::LeftHyper => 57445,
            ModifierKeyCode::LeftMeta => 57446,
            ModifierKeyCode::RightShift => 57447,
            ModifierKeyCode::RightControl => 57448,
            ModifierKeyCode::RightAlt => 57449,
            ModifierKeyCode::RightSuper => 57450,
            ModifierKeyCode::RightHyper => 57451,
            ModifierKeyCode::RightMeta => 57452,
            ModifierKeyCode::IsoLevel3Shift => 57453,
            ModifierKeyCode::IsoLevel5Shift => 57454,
        },
        _ => return None,
    })
}

#[cfg(test)]
#[path = "tests/kitty.rs"]
mod tests;
