//! Bursts of events.

use crossterm::event::{Event, KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::tui::terminal::Input;
use crate::tui::terminal::events::coalesce;

fn mouse(kind: MouseEventKind, column: u16) -> Input {
    let modifiers = KeyModifiers::NONE;
    Input::Event(Event::Mouse(MouseEvent {
        kind,
        column,
        row: 0,
        modifiers,
    }))
}

fn size(columns: u16) -> Input {
    Input::Event(Event::Resize(columns, 24))
}

fn key(c: char) -> Input {
    Input::Event(Event::Key(KeyCode::Char(c).into()))
}

#[test]
fn only_the_last_of_sizes_and_ways_counts() {
    use MouseEventKind::{Down, Drag, Up};
    let left = MouseButton::Left;
    let burst = vec![
        size(80),
        size(81),
        size(82),
        mouse(Down(left), 1),
        mouse(Drag(left), 2),
        mouse(Drag(left), 3),
        mouse(Drag(MouseButton::Right), 4),
        mouse(Up(left), 5),
        mouse(Up(left), 5),
        key('a'),
        key('a'),
        size(83),
    ];
    let kept = vec![
        size(82),
        mouse(Down(left), 1),
        mouse(Drag(left), 3),
        mouse(Drag(MouseButton::Right), 4),
        mouse(Up(left), 5),
        mouse(Up(left), 5),
        key('a'),
        key('a'),
        size(83),
    ];
    assert_eq!(coalesce(burst), kept);
}

#[test]
fn of_the_wheel_no_more_is_kept_than_a_hand_turns() {
    use MouseEventKind::{ScrollDown, ScrollUp};
    let turned = |kind, times| vec![mouse(kind, 1); times];
    assert_eq!(coalesce(turned(ScrollDown, 5)).len(), 5);
    assert_eq!(coalesce(turned(ScrollDown, 500)).len(), 16);
    let both = [
        turned(ScrollDown, 40),
        turned(ScrollUp, 40),
        turned(ScrollDown, 2),
    ]
    .concat();
    assert_eq!(coalesce(both).len(), 16 + 16 + 2);
    let between = [
        turned(ScrollDown, 10),
        vec![key('a')],
        turned(ScrollDown, 10),
    ]
    .concat();
    assert_eq!(coalesce(between).len(), 21);
    assert_eq!(coalesce(vec![]), vec![]);
}
