//! What a guest reads when a key is pressed: as xterm says it, or as the guest has asked to have it.
//!
//! xterm's ctlseqs, "PC-Style Function Keys" and "VT220-Style Function Keys"; for control characters what Xlib makes of a
//! key with Control (`XkbToControl`, libX11 src/xkb/XKBBind.c).

use alacritty_terminal::term::TermMode;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};

use super::kitty;

/// The bytes for a key, in the modes that the guest has set. Empty for a key that says nothing to it.
pub(super) fn encode(key: &KeyEvent, mode: TermMode) -> Vec<u8> {
    let key = &plain(key);
    if let Some(bytes) = kitty::encode(key, mode) {
        return bytes;
    }
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(8);
    if let Some(c) = keypad(key, mode) {
        bytes.extend([0x1b, b'O', c]);
        return bytes;
    }
    match key.code {
        KeyCode::Char(c) => character(c, key.modifiers, &mut bytes),
        KeyCode::Enter => {
            escape_alt(key.modifiers, &mut bytes);
            bytes.push(b'\r');
            if mode.contains(TermMode::LINE_FEED_NEW_LINE) {
                bytes.push(b'\n');
            }
        }
        KeyCode::Tab => {
            escape_alt(key.modifiers, &mut bytes);
            bytes.push(b'\t');
        }
        KeyCode::BackTab => {
            escape_alt(key.modifiers, &mut bytes);
            bytes.extend(b"\x1b[Z");
        }
        KeyCode::Backspace => {
            escape_alt(key.modifiers, &mut bytes);
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            bytes.push(if control { 0x08 } else { 0x7f });
        }
        KeyCode::Esc => {
            escape_alt(key.modifiers, &mut bytes);
            bytes.push(0x1b);
        }
        code => function(code, key.modifiers, mode, &mut bytes),
    }
    bytes
}

/// The same key under one name: terminals and crossterm have two for some.
fn plain(key: &KeyEvent) -> KeyEvent {
    let mut key = *key;
    match key.code {
        KeyCode::Null => {
            key.code = KeyCode::Char(' ');
            key.modifiers |= KeyModifiers::CONTROL;
        }
        KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => key.code = KeyCode::BackTab,
        _ => {}
    }
    key
}

/// Alt, and Meta where a keyboard has it, is an escape before the key (xterm's metaSendsEscape).
fn escape_alt(modifiers: KeyModifiers, bytes: &mut Vec<u8>) {
    if modifiers.intersects(KeyModifiers::ALT | KeyModifiers::META) {
        bytes.push(0x1b);
    }
}

fn character(c: char, modifiers: KeyModifiers, bytes: &mut Vec<u8>) {
    // A key of the desktop's that came here by accident types nothing.
    if modifiers.intersects(KeyModifiers::SUPER | KeyModifiers::HYPER) {
        return;
    }
    escape_alt(modifiers, bytes);
    let control = modifiers
        .contains(KeyModifiers::CONTROL)
        .then(|| control(c));
    match control.flatten() {
        Some(byte) => bytes.push(byte),
        None => {
            let mut buffer = [0; 4];
            bytes.extend(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

/// The control character of a key, as Xlib has it; `?` is xterm's own.
fn control(c: char) -> Option<u8> {
    let byte = u8::try_from(c).ok()?;
    match byte {
        b' ' | b'2' => Some(0x00),
        b'@'..=b'~' => Some(byte & 0x1f),
        b'3'..=b'7' => Some(byte - b'3' + 0x1b),
        b'8' | b'?' => Some(0x7f),
        b'/' => Some(0x1f),
        _ => None,
    }
}

/// A key of the keypad in application mode (DECKPAM): the letter behind `ESC O`. Only terminals that speak kitty's
/// protocol tell the keypad from the rest.
fn keypad(key: &KeyEvent, mode: TermMode) -> Option<u8> {
    if !mode.contains(TermMode::APP_KEYPAD)
        || !key.state.contains(KeyEventState::KEYPAD)
        || !key.modifiers.is_empty()
    {
        return None;
    }
    match key.code {
        KeyCode::Char(c @ '0'..='9') => Some(b'p' + u8::try_from(c).ok()? - b'0'),
        KeyCode::Char('*') => Some(b'j'),
        KeyCode::Char('+') => Some(b'k'),
        KeyCode::Char(',') => Some(b'l'),
        KeyCode::Char('-') => Some(b'm'),
        KeyCode::Char('.') => Some(b'n'),
        KeyCode::Char('/') => Some(b'o'),
        KeyCode::Char('=') => Some(b'X'),
        KeyCode::Enter => Some(b'M'),
        _ => None,
    }
}

/// How a key that types nothing is said in a control sequence.
pub(super) enum Form {
    /// `CSI letter`, or `CSI 1 ; modifiers letter`.
    Letter(u8),
    /// `CSI number ~`, or `CSI number ; modifiers ~`.
    Number(u16),
}

/// The form of a function key, xterm's and kitty's alike but for F3 and what comes behind F12.
pub(super) fn form(code: KeyCode) -> Option<Form> {
    Some(match code {
        KeyCode::Up => Form::Letter(b'A'),
        KeyCode::Down => Form::Letter(b'B'),
        KeyCode::Right => Form::Letter(b'C'),
        KeyCode::Left => Form::Letter(b'D'),
        KeyCode::KeypadBegin => Form::Letter(b'E'),
        KeyCode::End => Form::Letter(b'F'),
        KeyCode::Home => Form::Letter(b'H'),
        KeyCode::F(n @ 1..=4) => Form::Letter(b'P' + n - 1),
        KeyCode::Insert => Form::Number(2),
        KeyCode::Delete => Form::Number(3),
        KeyCode::PageUp => Form::Number(5),
        KeyCode::PageDown => Form::Number(6),
        KeyCode::F(n @ 5..=20) => {
            const NUMBERS: [u16; 16] = [
                15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34,
            ];
            Form::Number(NUMBERS[usize::from(n - 5)])
        }
        _ => return None,
    })
}

fn function(code: KeyCode, modifiers: KeyModifiers, mode: TermMode, bytes: &mut Vec<u8>) {
    let Some(form) = form(code) else {
        return;
    };
    let modifiers = xterm_modifiers(modifiers);
    let text = match form {
        Form::Letter(letter) if modifiers > 1 => format!("\x1b[1;{modifiers}{}", letter as char),
        Form::Letter(letter) => {
            let application = mode.contains(TermMode::APP_CURSOR) || matches!(code, KeyCode::F(_));
            format!(
                "\x1b{}{}",
                if application { 'O' } else { '[' },
                letter as char
            )
        }
        Form::Number(number) if modifiers > 1 => format!("\x1b[{number};{modifiers}~"),
        Form::Number(number) => format!("\x1b[{number}~"),
    };
    bytes.extend(text.as_bytes());
}

/// The parameter of modifiers: one more than the sum of Shift 1, Alt 2, Control 4, Meta 8.
fn xterm_modifiers(modifiers: KeyModifiers) -> u8 {
    let bit = |modifier, value| {
        if modifiers.contains(modifier) {
            value
        } else {
            0
        }
    };
    1 + bit(KeyModifiers::SHIFT, 1)
        + bit(KeyModifiers::ALT, 2)
        + bit(KeyModifiers::CONTROL, 4)
        + bit(KeyModifiers::META, 8)
}

#[cfg(test)]
#[path = "tests/keys.rs"]
mod tests;
