//! Whatever comes, in whatever order: nothing panics, and the cursor is on the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;

/// Something that happens to a pane.
#[derive(Clone, Debug)]
enum Deed {
    Output(Vec<u8>),
    Resize(u16, u16),
    Key(char, u8),
    Mouse(u16, u16, bool),
    Scroll(i32),
    Top,
    Bottom,
    Select(u8, u16, u16),
    Extend(u16, u16),
    Copy,
    Leave,
    Motion(u8),
    Toggle(u8),
    Search(&'static str),
    Next(bool),
    EndSync,
    Tidy,
}

const KINDS: [Kind; 4] = [Kind::Simple, Kind::Word, Kind::Line, Kind::Block];

const MOTIONS: [Motion; 22] = [
    Motion::Left,
    Motion::Down,
    Motion::Up,
    Motion::Right,
    Motion::Word,
    Motion::WordBack,
    Motion::WordEnd,
    Motion::LineStart,
    Motion::LineText,
    Motion::LineEnd,
    Motion::Top,
    Motion::Bottom,
    Motion::ScreenTop,
    Motion::ScreenMiddle,
    Motion::ScreenBottom,
    Motion::ParagraphUp,
    Motion::ParagraphDown,
    Motion::Bracket,
    Motion::HalfPageUp,
    Motion::HalfPageDown,
    Motion::PageUp,
    Motion::PageDown,
];

/// What is likely to matter: sequences with parameters, wide and combining characters, many lines.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[ -~]{0,30}".prop_map(String::into_bytes),
        "[漢字ア👍🇩a\u{301}\u{200d}\u{fe0f}]{0,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..40),
        (0..120u8).prop_map(|n| b"\r\n".repeat(usize::from(n))),
        (0..9u8).prop_map(|n| b"0123456789 (words) [and] {more}\t".repeat(usize::from(n))),
        (900..1200usize).prop_map(|n| b"many lines\r\n".repeat(n)),
    ];
    let sequence = (
        "[?>=!]?",
        proptest::collection::vec(
            prop_oneof![
                0..30u16,
                Just(47u16),
                Just(1047),
                Just(1049),
                Just(2026),
                any::<u16>()
            ],
            0..4,
        ),
        "[@A-Za-z]",
    )
        .prop_map(|(mark, numbers, last)| {
            let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
            format!("\x1b[{mark}{}{last}", numbers.join(";")).into_bytes()
        });
    let escape = "[78cDEHMNOZ=>]|[(][0B]|[#]8".prop_map(|rest| format!("\x1b{rest}").into_bytes());
    let operating = "(0|2|4|8|10|11|52|104);[ -~]{0,20}"
        .prop_map(|rest| format!("\x1b]{rest}\x07").into_bytes());
    let piece = prop_oneof![4 => text, 6 => sequence, 2 => escape, 1 => operating];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = || (0..60u16, 0..20u16);
    prop_oneof![
        10 => output().prop_map(Deed::Output),
        3 => (0..60u16, 0..20u16).prop_map(|(columns, lines)| Deed::Resize(columns, lines)),
        1 => (any::<char>(), any::<u8>()).prop_map(|(c, modifiers)| Deed::Key(c, modifiers)),
        1 => (at(), any::<bool>()).prop_map(|((column, line), down)| Deed::Mouse(column, line, down)),
        1 => prop_oneof![-2000..2000i32, Just(i32::MAX), Just(i32::MIN)].prop_map(Deed::Scroll),
        1 => Just(Deed::Top),
        1 => Just(Deed::Bottom),
        2 => (0..4u8, at()).prop_map(|(kind, (column, line))| Deed::Select(kind, column, line)),
        2 => at().prop_map(|(column, line)| Deed::Extend(column, line)),
        2 => Just(Deed::Copy),
        1 => Just(Deed::Leave),
        4 => (0..22u8).prop_map(Deed::Motion),
        2 => (0..4u8).prop_map(Deed::Toggle),
        1 => prop_oneof![Just("o"), Just("1|漢"), Just(""), Just("a*"), Just("line$"), Just("\\s+")].prop_map(Deed::Search),
        2 => any::<bool>().prop_map(Deed::Next),
        1 => Just(Deed::EndSync),
        2 => Just(Deed::Tidy),
    ]
}

fn happens(emulator: &mut Emulator, deed: Deed) {
    match deed {
        Deed::Output(bytes) => emulator.advance(&bytes),
        Deed::Resize(columns, lines) => emulator.resize(columns, lines),
        Deed::Key(c, modifiers) => {
            let modifiers = KeyModifiers::from_bits_truncate(modifiers);
            emulator.key(&KeyEvent::new(KeyCode::Char(c), modifiers));
        }
        Deed::Mouse(column, line, down) => {
            let kind = match down {
                true => MouseEventKind::Down(MouseButton::Left),
                false => MouseEventKind::Drag(MouseButton::Left),
            };
            let event = MouseEvent {
                kind,
                column,
                row: line,
                modifiers: KeyModifiers::NONE,
            };
            emulator.mouse(&event, column, line);
        }
        Deed::Scroll(lines) => emulator.scroll(lines),
        Deed::Top => emulator.scroll_to_top(),
        Deed::Bottom => emulator.scroll_to_bottom(),
        Deed::Select(kind, column, line) => {
            emulator.begin_selection(KINDS[usize::from(kind)], column, line);
        }
        Deed::Extend(column, line) => emulator.extend_selection(column, line),
        Deed::Copy => emulator.enter_copy_mode(),
        Deed::Leave => emulator.leave_copy_mode(),
        Deed::Motion(motion) => emulator.motion(MOTIONS[usize::from(motion)]),
        Deed::Toggle(kind) => emulator.toggle_selection(KINDS[usize::from(kind)]),
        Deed::Search(text) => {
            emulator.set_search(text).unwrap();
        }
        Deed::Next(true) => {
            emulator.search_next();
        }
        Deed::Next(false) => {
            emulator.search_previous();
        }
        Deed::EndSync => emulator.end_sync(),
        Deed::Tidy => {
            emulator.tidy();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(deeds in proptest::collection::vec(deed(), 1..40)) {
        let mut emulator = Emulator::new(20, 6, 1500);
        for deed in deeds {
            happens(&mut emulator, deed);
            let (columns, lines) = (emulator.columns(), emulator.lines());
            prop_assert!(columns >= 2 && lines >= 1);
            prop_assert!(emulator.history_len() <= 1500);
            prop_assert!(emulator.scrolled_back() <= emulator.history_len());
            if let Some(cursor) = emulator.cursor() {
                prop_assert!(usize::from(cursor.column) < columns);
                prop_assert!(usize::from(cursor.line) < lines);
            }
            painted(&mut emulator, &look());
            emulator.selected_text();
            emulator.link_at(3, 3);
            emulator.take_news();
            for byte in emulator.take_replies() {
                prop_assert!(byte == 0x1b || byte == 0x07 || (b' '..=b'~').contains(&byte));
            }
        }
    }
}
