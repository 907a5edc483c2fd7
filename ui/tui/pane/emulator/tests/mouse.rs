//! Modes and forms of xterm's ctlseqs.

use super::*;

const CLICKS: TermMode = TermMode::MOUSE_REPORT_CLICK;
const DRAGS: TermMode = TermMode::MOUSE_DRAG;
const MOVES: TermMode = TermMode::MOUSE_MOTION;
const SGR: TermMode = TermMode::SGR_MOUSE;

const DOWN: MouseEventKind = MouseEventKind::Down(MouseButton::Left);
const UP: MouseEventKind = MouseEventKind::Up(MouseButton::Left);
const DRAG: MouseEventKind = MouseEventKind::Drag(MouseButton::Left);

fn event(kind: MouseEventKind, modifiers: KeyModifiers) -> MouseEvent {
    // Where it is on the whole screen does not matter.
    MouseEvent {
        kind,
        column: 77,
        row: 55,
        modifiers,
    }
}

fn guest(bytes: &str) -> Mouse {
    Mouse::Guest(bytes.as_bytes().to_vec())
}

/// What becomes of one event at column 4, line 2, counted from 0.
fn once(kind: MouseEventKind, mode: TermMode) -> Mouse {
    let event = event(kind, KeyModifiers::NONE);
    decide(&mut Held::default(), &event, 4, 2, mode, false)
}

#[test]
fn nobody_asked() {
    for kind in [
        DOWN,
        UP,
        DRAG,
        MouseEventKind::Moved,
        MouseEventKind::ScrollUp,
    ] {
        assert_eq!(once(kind, TermMode::NONE), Mouse::Ours);
    }
}

#[test]
fn sgr() {
    for (kind, bytes) in [
        (DOWN, "\x1b[<0;5;3M"),
        (UP, "\x1b[<0;5;3m"),
        (MouseEventKind::Down(MouseButton::Middle), "\x1b[<1;5;3M"),
        (MouseEventKind::Up(MouseButton::Right), "\x1b[<2;5;3m"),
        (DRAG, "\x1b[<32;5;3M"),
        (MouseEventKind::Moved, "\x1b[<35;5;3M"),
        (MouseEventKind::ScrollUp, "\x1b[<64;5;3M"),
        (MouseEventKind::ScrollDown, "\x1b[<65;5;3M"),
        (MouseEventKind::ScrollLeft, "\x1b[<66;5;3M"),
        (MouseEventKind::ScrollRight, "\x1b[<67;5;3M"),
    ] {
        assert_eq!(once(kind, MOVES | SGR), guest(bytes));
    }
    let held = &mut Held::default();
    let modifiers = KeyModifiers::CONTROL | KeyModifiers::ALT;
    assert_eq!(
        decide(held, &event(DOWN, modifiers), 4, 2, CLICKS | SGR, false),
        guest("\x1b[<24;5;3M")
    );
}

#[test]
fn the_old_forms() {
    assert_eq!(once(DOWN, CLICKS), guest("\x1b[M %#"));
    assert_eq!(once(UP, CLICKS), guest("\x1b[M#%#"));
    assert_eq!(once(MouseEventKind::ScrollUp, CLICKS), guest("\x1b[M`%#"));
    let far = |column, mode| {
        let event = event(DOWN, KeyModifiers::NONE);
        decide(&mut Held::default(), &event, column, 0, mode, false)
    };
    assert_eq!(
        far(222, CLICKS),
        Mouse::Guest(vec![0x1b, b'[', b'M', 32, 255, 33])
    );
    assert_eq!(far(223, CLICKS), guest(""));
    assert_eq!(
        far(223, CLICKS | TermMode::UTF8_MOUSE),
        guest("\x1b[M \u{100}!")
    );
    assert_eq!(
        far(2014, CLICKS | TermMode::UTF8_MOUSE),
        guest("\x1b[M \u{7ff}!")
    );
    assert_eq!(far(2015, CLICKS | TermMode::UTF8_MOUSE), guest(""));
    assert_eq!(far(2015, CLICKS | SGR), guest("\x1b[<0;2016;1M"));
}

#[test]
fn x10_tells_presses_only() {
    let modifiers = KeyModifiers::CONTROL;
    for (kind, bytes) in [
        (DOWN, "\x1b[M %#"),
        (UP, ""),
        (MouseEventKind::ScrollUp, ""),
    ] {
        let got = decide(
            &mut Held::default(),
            &event(kind, modifiers),
            4,
            2,
            TermMode::NONE,
            true,
        );
        assert_eq!(got, guest(bytes), "{kind:?}");
    }
}

#[test]
fn each_mode_tells_more() {
    for (mode, drag, moved) in [
        (CLICKS, false, false),
        (DRAGS, true, false),
        (MOVES, true, true),
    ] {
        for (kind, told) in [(DOWN, true), (DRAG, drag), (MouseEventKind::Moved, moved)] {
            let Mouse::Guest(bytes) = once(kind, mode | SGR) else {
                panic!("{kind:?} is not the pane's");
            };
            assert_eq!(!bytes.is_empty(), told, "{kind:?} in {mode:?}");
        }
    }
}

#[test]
fn a_mouse_that_stays_in_its_cell_has_not_moved() {
    let held = &mut Held::default();
    let moved = event(MouseEventKind::Moved, KeyModifiers::NONE);
    let mode = MOVES | SGR;
    assert_eq!(
        decide(held, &moved, 1, 1, mode, false),
        guest("\x1b[<35;2;2M")
    );
    assert_eq!(decide(held, &moved, 1, 1, mode, false), guest(""));
    assert_eq!(
        decide(held, &moved, 2, 1, mode, false),
        guest("\x1b[<35;3;2M")
    );
}

#[test]
fn shift_makes_it_the_panes() {
    let held = &mut Held::default();
    let mode = MOVES | SGR;
    assert_eq!(
        decide(held, &event(DOWN, KeyModifiers::SHIFT), 0, 0, mode, false),
        Mouse::Ours
    );
    // Also what follows, when Shift is let go first.
    assert_eq!(
        decide(held, &event(DRAG, KeyModifiers::NONE), 1, 0, mode, false),
        Mouse::Ours
    );
    assert_eq!(
        decide(held, &event(UP, KeyModifiers::NONE), 1, 0, mode, false),
        Mouse::Ours
    );
    assert_eq!(
        decide(held, &event(DOWN, KeyModifiers::NONE), 1, 0, mode, false),
        guest("\x1b[<0;2;1M")
    );
    // And the guest is told when a button that was pressed for it is let go with Shift.
    assert_eq!(
        decide(held, &event(UP, KeyModifiers::SHIFT), 1, 0, mode, false),
        guest("\x1b[<4;2;1m")
    );
}

#[test]
fn the_wheel_is_arrows_where_nothing_scrolls() {
    let alternate = TermMode::ALT_SCREEN | TermMode::ALTERNATE_SCROLL;
    let (up, down) = (MouseEventKind::ScrollUp, MouseEventKind::ScrollDown);
    assert_eq!(once(up, alternate), guest("\x1b[A\x1b[A\x1b[A"));
    assert_eq!(
        once(down, alternate | TermMode::APP_CURSOR),
        guest("\x1bOB\x1bOB\x1bOB")
    );
    assert_eq!(once(up, TermMode::ALT_SCREEN), Mouse::Ours);
    assert_eq!(once(up, TermMode::ALTERNATE_SCROLL), Mouse::Ours);
    assert_eq!(once(up, alternate | CLICKS | SGR), guest("\x1b[<64;5;3M"));
    assert_eq!(once(MouseEventKind::ScrollLeft, alternate), Mouse::Ours);
}
