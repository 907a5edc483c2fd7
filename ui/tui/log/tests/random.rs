//! Whatever one does in whatever log, there are lines of it on the screen.

use proptest::collection::vec;
use proptest::prelude::*;
use ratatui::layout::Size;

use super::super::LOG_ACTIONS;
use super::screen::Screen;

#[derive(Clone, Debug)]
enum Event {
    Act(usize),
    Search(String),
    Filter(String),
    Write(String),
    Begin(String),
    Size(u16, u16),
    Wheel(isize),
    Click(u16, bool),
}

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-c ]{0,30}",
        1 => Just("\u{1b}[31m".to_owned()),
        1 => Just("日本\u{301}".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("\t".to_owned()),
        1 => "\\PC{0,9}",
        4 => Just("\n".to_owned()),
        1 => Just("x".repeat(500)),
    ];
    vec(word, 0..40).prop_map(|words| words.concat())
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..LOG_ACTIONS.len()).prop_map(Event::Act),
        1 => "[a-c.*!\\[]{0,3}".prop_map(Event::Search),
        1 => "!?[a-c.*\\[]{0,2}".prop_map(Event::Filter),
        1 => text().prop_map(Event::Write),
        1 => text().prop_map(Event::Begin),
        1 => (1..70_u16, 1..20_u16).prop_map(|(width, height)| Event::Size(width, height)),
        1 => (-9..9_isize).prop_map(Event::Wheel),
        1 => (0..25_u16, any::<bool>()).prop_map(|(row, drag)| Event::Click(row, drag)),
    ]
}

fn happen(screen: &mut Screen, event: Event) {
    use super::super::LogAction::{Filter, Search};
    if screen.view.has_input() {
        screen.view.escape(screen.size);
    }
    match event {
        Event::Act(index) => {
            let _ = screen.act(LOG_ACTIONS[index].0);
        }
        Event::Search(text) => screen.enter(Search, &text),
        Event::Filter(text) => screen.enter(Filter, &text),
        Event::Write(text) => screen.write(&text),
        Event::Begin(text) => {
            for text in ["", &text] {
                std::fs::write(screen.path(), text).unwrap();
                screen.view.refresh(screen.size);
            }
        }
        Event::Size(width, height) => {
            screen.size = Size { width, height };
            screen.view.refresh(screen.size);
        }
        Event::Wheel(rows) => screen.view.wheel(rows, screen.size),
        Event::Click(row, drag) => screen.view.click(row, drag, screen.size),
    }
}

/// Checks what is on the screen against the file.
fn check(screen: &Screen) -> Result<(), TestCaseError> {
    let bytes = std::fs::read(screen.path()).unwrap();
    let window = &screen.view.window;
    for line in &window.lines {
        let (at, end) = (line.at as usize, line.end as usize);
        prop_assert!(
            at < end && end <= bytes.len(),
            "{at} {end} of {}",
            bytes.len()
        );
        prop_assert!(at == 0 || bytes[at - 1] == b'\n');
        prop_assert!(end == bytes.len() || bytes[end - 1] == b'\n');
    }
    let here = screen.view.here;
    prop_assert_eq!(here.is_some(), !window.rows.is_empty());
    if let Some(here) = here {
        let (seen, _) = window.rows_of(here);
        prop_assert!(seen > 0, "the cursor is on the screen");
        let height = usize::from(screen.size.height).saturating_sub(1).max(1);
        let above = window.top().unwrap();
        prop_assert!(
            window.rows.len() == height || (above.1 == 0 && window.lines[0].at == above.0),
            "no row is empty while there is something above"
        );
    } else if screen.view.pages.patterns().filter.is_none() {
        prop_assert!(bytes.is_empty());
    }
    let buffer = screen.buffer();
    let cells = buffer.content();
    prop_assert!(
        cells
            .iter()
            .all(|cell| !cell.symbol().contains(char::is_control))
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn there_are_lines_on_the_screen(text in text(), events in vec(event(), 0..40)) {
        let mut screen = Screen::new(text, 40, 8);
        for event in events {
            happen(&mut screen, event);
            check(&screen)?;
        }
    }
}
