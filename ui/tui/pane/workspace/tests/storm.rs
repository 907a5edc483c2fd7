//! Whatever is pressed, clicked and heard: the workspace stays whole.

use proptest::prelude::*;

use super::*;

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    Keys(String),
    Paste(String),
    Mouse(MouseEventKind, u16, u16),
    Says(String),
    Machine(u8),
    Screen(u16, u16),
    Show(bool),
    Restore,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let button = prop_oneof![Just(MouseButton::Left), Just(MouseButton::Middle)];
    let kind = prop_oneof![
        3 => button.clone().prop_map(MouseEventKind::Down),
        3 => button.clone().prop_map(MouseEventKind::Drag),
        2 => button.prop_map(MouseEventKind::Up),
        1 => Just(MouseEventKind::ScrollUp),
        1 => Just(MouseEventKind::ScrollDown),
    ];
    let says = prop_oneof![
        "[a-z \r\n日]{0,200}",
        Just("\x1b[?1049h\x1b[?1002h\x1b[?1006h".into()),
        Just("\x1b]0;title\x07\x07\x1b]52;c;aGVsbG8=\x07".into()),
        Just("\x1b[?2026h".into()),
    ];
    let event = prop_oneof![
        6 => "(<ctrl-\\]>[%\"|czx!{}=b\\[/hjklnp12, rDR]|[a-zA-Z0-9/?$^%]|<esc>|<enter>|<ctrl-d>|y){1,4}"
            .prop_map(Event::Keys),
        1 => "[a-z\n\u{1b}]{0,20}".prop_map(Event::Paste),
        4 => (kind, 0..100u16, 0..30u16).prop_map(|(kind, x, y)| Event::Mouse(kind, x, y)),
        2 => says.prop_map(Event::Says),
        1 => (0..5u8).prop_map(Event::Machine),
        1 => (0..130u16, 0..45u16).prop_map(|(width, height)| Event::Screen(width, height)),
        1 => any::<bool>().prop_map(Event::Show),
        1 => Just(Event::Restore),
    ];
    prop::collection::vec(event, 1..50)
}

async fn happens(bench: &mut Bench, guests: &mut Vec<Guest>, event: Event) {
    match event {
        Event::Keys(keys) => {
            bench.press(&keys);
        }
        Event::Paste(text) => {
            bench.workspace.paste(&text);
        }
        Event::Mouse(kind, column, row) => {
            bench.mouse(kind, column, row);
        }
        Event::Says(text) => {
            for guest in guests.iter_mut() {
                guest.says(&text).await;
            }
        }
        Event::Machine(0) => {
            bench.workspace.machines(&[]);
        }
        Event::Machine(1) => bench.machine_is("web", MachineState::Stopped),
        Event::Machine(_) => bench.machine_is("web", MachineState::Running),
        Event::Screen(width, height) => {
            bench.area = Rect::new(0, 0, width, height);
            bench.workspace.resize(bench.area);
        }
        Event::Show(shown) => {
            bench.workspace.show(shown);
        }
        Event::Restore => {
            let saved = bench.workspace.to_saved();
            let known = [machine("web", MachineState::Running)];
            bench.workspace.restore(&saved, &known);
        }
    }
    tokio::task::yield_now().await;
    while let Ok(mut guest) = bench.guests.try_recv() {
        guest.enter();
        guests.push(guest);
    }
    bench.workspace.news(bench.now);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_takes_the_workspace_apart(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new(100, 30);
            let mut guests = Vec::new();
            bench.workspace.open(machine("web", MachineState::Running), Place::Tab);
            for event in events {
                happens(&mut bench, &mut guests, event).await;
                let workspace = &bench.workspace;
                let mut placed = workspace.layout.panes();
                placed.sort_unstable();
                let known: Vec<_> = workspace.panes.keys().copied().collect();
                assert_eq!(placed, known);
                assert_eq!(workspace.layout.focus().is_none(), known.is_empty());
                let (_, cursor) = bench.draw();
                assert!(cursor.is_none_or(|cursor| bench.area.contains(cursor.at)));
            }
        });
    }
}
