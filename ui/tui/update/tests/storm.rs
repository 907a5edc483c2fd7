//! Anything at all, in any order.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{ready, update, view};
use crate::tui::fixture::{typed, world};
use crate::tui::message::Message;
use crate::tui::model::place::View;

/// The first key of what a generator made of letters and names.
fn one_key(text: &str) -> crossterm::event::KeyEvent {
    match text.starts_with('<') && text.len() > 3 {
        true => typed(text).remove(0),
        false => {
            let letter = text.chars().next().unwrap_or('x');
            crossterm::event::KeyCode::Char(letter).into()
        }
    }
}

/// One thing that may happen.
fn any_message() -> impl Strategy<Value = Message> {
    let keys = "[a-zA-Z0-9/:?* +<>&-]{1,3}|<(enter|esc|tab|backspace|up|down|left|right|pagedown|home|ctrl-d|ctrl-s|ctrl-n|ctrl-l|f2)>";
    let mouse = (0..5u8, 0..220u16, 0..70u16).prop_map(|(kind, column, row)| {
        let left = MouseButton::Left;
        let kind = match kind {
            0 => MouseEventKind::Down(left),
            1 => MouseEventKind::Up(left),
            2 => MouseEventKind::Drag(left),
            3 => MouseEventKind::ScrollUp,
            _ => MouseEventKind::ScrollDown,
        };
        Message::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        })
    });
    prop_oneof![
        12 => proptest::string::string_regex(keys).unwrap()
            .prop_map(|keys| Message::Key(one_key(&keys))),
        3 => mouse,
        1 => (1..220u16, 1..70u16).prop_map(|(columns, rows)| Message::Resize(columns, rows)),
        1 => "\\PC{0,20}".prop_map(Message::Paste),
        1 => any::<bool>().prop_map(Message::Focus),
        1 => Just(()).prop_map(|()| Message::Time),
        1 => (0..4usize).prop_map(|kept| {
            let mut world = world();
            world.machines.truncate(kept);
            Message::World(Ok(Box::new(world)))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens, nothing panics, what is selected is there, and it can be drawn.
    #[test]
    fn nothing_that_happens_is_too_much(messages in proptest::collection::vec(any_message(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let mut model = ready();
        for message in messages {
            update(&mut model, message);
            if let Some(list) = model.lists.get(model.place.view) {
                prop_assert!(list.rows.is_empty() || list.at < list.rows.len());
                prop_assert_eq!(list.rows.is_empty(), list.selected.is_none() || model.place.view == View::Panes);
            }
            let area = Rect::new(0, 0, model.size.0, model.size.1);
            let mut buffer = Buffer::empty(area);
            let cursor = view::draw(&model, area, &mut buffer);
            prop_assert!(cursor.is_none_or(|cursor| area.contains(cursor.at)));
        }
    }
}
