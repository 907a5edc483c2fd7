//! What a guest reads of the mouse, and which of it is the pane's own.
//!
//! xterm's ctlseqs, "Mouse Tracking": modes 9, 1000, 1002 and 1003, in the forms of X10, 1005 and 1006.

use alacritty_terminal::term::TermMode;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::keys;

/// How many lines one notch of the wheel is worth to a program that gets arrows for it, as in xterm.
const WHEEL_LINES: usize = 3;

/// Whose an event of the mouse is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mouse {
    /// The guest's: these bytes are for it. None if it does not want to know of this one.
    Guest(Vec<u8>),
    /// The pane's, to select or to scroll.
    Ours,
}

/// What is remembered from one event to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Whether the button that is down was pressed for the guest; `None` while none is down.
    guests: Option<bool>,
    /// Where the guest knows the mouse, column and line.
    at: Option<(u16, u16)>,
}

/// Decides on an event at a cell of the pane, counted from 0.
pub(super) fn decide(
    held: &mut Held,
    event: &MouseEvent,
    column: u16,
    line: u16,
    mode: TermMode,
    x10: bool,
) -> Mouse {
    let wants = x10 || mode.intersects(TermMode::MOUSE_MODE);
    let free = wants && !event.modifiers.contains(KeyModifiers::SHIFT);
    // A button stays with whoever it was pressed for, whatever happens to keys and modes until it is let go.
    let guests = match event.kind {
        MouseEventKind::Down(_) => *held.guests.insert(free),
        MouseEventKind::Up(_) => held.guests.take().unwrap_or(free),
        MouseEventKind::Drag(_) => held.guests.unwrap_or(free),
        _ => free,
    };
    if !guests {
        return wheel_as_arrows(event, mode, wants);
    }
    if !wants {
        return Mouse::Guest(Vec::new());
    }
    let moves = matches!(event.kind, MouseEventKind::Drag(_) | MouseEventKind::Moved);
    let still = held.at.replace((column, line)) == Some((column, line));
    if (moves && still) || !is_wanted(event.kind, mode) {
        return Mouse::Guest(Vec::new());
    }
    Mouse::Guest(encode(event, column, line, mode, x10))
}

/// Whether the modes ask for events of this kind.
fn is_wanted(kind: MouseEventKind, mode: TermMode) -> bool {
    match kind {
        MouseEventKind::Down(_) => true,
        MouseEventKind::Drag(_) => mode.intersects(TermMode::MOUSE_DRAG | TermMode::MOUSE_MOTION),
        MouseEventKind::Moved => mode.contains(TermMode::MOUSE_MOTION),
        _ => mode.intersects(TermMode::MOUSE_MODE),
    }
}

/// On the alternate screen, where there is nothing to scroll, the wheel is arrows (mode 1007), also with Shift.
fn wheel_as_arrows(event: &MouseEvent, mode: TermMode, wants: bool) -> Mouse {
    let code = match event.kind {
        MouseEventKind::ScrollUp => KeyCode::Up,
        MouseEventKind::ScrollDown => KeyCode::Down,
        _ => return Mouse::Ours,
    };
    if wants || !mode.contains(TermMode::ALT_SCREEN | TermMode::ALTERNATE_SCROLL) {
        return Mouse::Ours;
    }
    let arrow = keys::encode(&KeyEvent::from(code), mode);
    Mouse::Guest(arrow.repeat(WHEEL_LINES))
}

fn encode(event: &MouseEvent, column: u16, line: u16, mode: TermMode, x10: bool) -> Vec<u8> {
    let button = |button| match button {
        MouseButton::Left => 0,
        MouseButton::Middle => 1,
        MouseButton::Right => 2,
    };
    let (mut code, released) = match event.kind {
        MouseEventKind::Down(which) => (button(which), false),
        MouseEventKind::Up(which) => (button(which), true),
        MouseEventKind::Drag(which) => (button(which) + 32, false),
        MouseEventKind::Moved => (3 + 32, false),
        MouseEventKind::ScrollUp => (64, false),
        MouseEventKind::ScrollDown => (65, false),
        MouseEventKind::ScrollLeft => (66, false),
        MouseEventKind::ScrollRight => (67, false),
    };
    let sgr = mode.contains(TermMode::SGR_MOUSE);
    if released && !sgr {
        // The old forms do not say which button was let go.
        code = 3;
    }
    if !x10 || mode.intersects(TermMode::MOUSE_MODE) {
        let bit = |modifier, bit| {
            if event.modifiers.contains(modifier) {
                bit
            } else {
                0
            }
        };
        code += bit(KeyModifiers::SHIFT, 4)
            + bit(KeyModifiers::ALT, 8)
            + bit(KeyModifiers::CONTROL, 16);
    }
    let (column, line) = (u32::from(column) + 1, u32::from(line) + 1);
    if sgr {
        let last = if released { 'm' } else { 'M' };
        return format!("\x1b[<{code};{column};{line}{last}").into_bytes();
    }
    // A byte holds positions up to 223, a character of two bytes those up to 2015; beyond there is nothing to say.
    let utf8 = mode.contains(TermMode::UTF8_MOUSE);
    let last = if utf8 { 2015 } else { 223 };
    if column > last || line > last {
        return Vec::new();
    }
    let mut bytes = b"\x1b[M".to_vec();
    for value in [code, column, line] {
        match char::from_u32(value + 32) {
            Some(c) if utf8 => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => bytes.extend(u8::try_from(value + 32)),
        }
    }
    bytes
}

#[cfg(test)]
#[path = "tests/mouse.rs"]
mod tests;
