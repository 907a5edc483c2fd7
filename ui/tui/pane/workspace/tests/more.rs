//! Bells, copying, borders, tabs, the mouse, what is remembered.

use super::*;

/// A guest's way to copy (OSC 52).
fn copies(base64: &str) -> String {
    format!("\x1b]52;c;{base64}\x07")
}

fn copied(text: &str) -> [Request; 2] {
    let count = text.len();
    [
        Request::Copy(text.into()),
        Request::Say(format!("web has put {count} characters into the clipboard")),
    ]
}

#[tokio::test]
async fn bells_are_told_whoever_looks_but_not_without_end() {
    let (mut bench, mut first) = Bench::live(80, 24).await;
    let _second = bench.split(A::NewTab).await;
    let begin = bench.now;
    let mut rings = async |milliseconds| {
        first.says("\x07\x07").await;
        let now = begin + Duration::from_millis(milliseconds);
        bench.workspace.news(now)
    };
    assert_eq!(rings(0).await, [Request::Bell]);
    assert_eq!(rings(1).await, []);
    assert_eq!(rings(999).await, []);
    assert_eq!(rings(1000).await, [Request::Bell]);
    assert_eq!(bench.workspace.news(begin + Duration::from_secs(9)), []);
    assert!(bench.workspace.panes.values().any(|pane| pane.bell));
    bench.press("<ctrl-]>1");
    assert!(bench.workspace.panes.values().all(|pane| !pane.bell));
}

#[tokio::test(start_paused = true)]
async fn of_copies_in_a_row_the_last_comes_a_second_after_the_first() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    let begin = bench.now;
    let later = |milliseconds| begin + Duration::from_millis(milliseconds);
    guest.says(&copies("b25l")).await;
    assert_eq!(bench.workspace.news(begin), copied("one"));
    guest.says(&copies("dHdv")).await;
    assert_eq!(bench.workspace.news(later(1)), []);
    guest.says(&copies("dGhyZWU=")).await;
    assert_eq!(bench.workspace.news(later(999)), []);
    // It asks to be looked at again by itself.
    bench.notices.mark_unchanged();
    bench.notices.changed().await.unwrap();
    assert_eq!(bench.workspace.news(later(1000)), copied("three"));
    assert_eq!(bench.workspace.news(later(5000)), []);
}

#[tokio::test]
async fn only_who_is_seen_fills_the_clipboard() {
    let (mut bench, mut first) = Bench::live(80, 24).await;
    let mut second = bench.split(A::SplitRight).await;
    let now = bench.now;
    first.says(&copies("b25l")).await;
    assert_eq!(bench.workspace.news(now), copied("one"));
    let told = "web may not fill the clipboard while nobody sees it";
    let told = [Request::Say(told.into())];
    // The other pane has all of the tab.
    bench.press("<ctrl-]>z");
    let much_later = now + Duration::from_secs(60);
    first.says(&copies("dHdv")).await;
    assert_eq!(bench.workspace.news(much_later), told);
    first.says(&copies("dHdv")).await;
    assert_eq!(bench.workspace.news(much_later), [], "told once");
    bench.workspace.show(false);
    second.says(&copies("dHdv")).await;
    assert_eq!(bench.workspace.news(much_later), told);
    bench.workspace.show(true);
    assert_eq!(bench.workspace.news(much_later), []);
    second.says(&copies("dHdv")).await;
    assert_eq!(bench.workspace.news(much_later), copied("two"));
}

#[tokio::test]
async fn text_is_found_selected_copied_and_pasted() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    let lines: Vec<_> = (0..100).map(|line| format!("line {line}\r\n")).collect();
    guest.says(&lines.concat()).await;
    bench.press("<ctrl-]>[?line 42<enter>");
    assert_eq!(bench.workspace.typing(), Typing::Copy);
    let (buffer, cursor) = bench.draw();
    let row = cursor.unwrap().at.y;
    assert!(
        text(&buffer)
            .lines()
            .nth(row.into())
            .unwrap()
            .starts_with("line 42")
    );
    let copied = bench.press("Vjy");
    assert_eq!(
        copied.last(),
        Some(&Request::Copy("line 42\nline 43\n".into()))
    );
    assert_eq!(bench.workspace.typing(), Typing::Guest);
    bench.press("<ctrl-]>]");
    guest.hears("line 42\rline 43\r").await;
    assert_eq!(
        bench.press("<ctrl-]>[/nowhere<enter>"),
        [Request::Say("nothing matches nowhere".into())]
    );
    let said = bench.press("/(<enter>");
    assert!(matches!(&said[..], [Request::Say(said)] if said.starts_with("this is no pattern: ")));
    bench.press("12kvly");
    assert_eq!(bench.workspace.copied.as_deref(), Some("li"));
    let nothing = "nothing was selected: v begins a selection";
    assert_eq!(bench.press("<ctrl-]>[y"), [Request::Say(nothing.into())]);
    bench.press("<ctrl-]>[q");
    assert_eq!(bench.workspace.typing(), Typing::Guest);
    let (_, cursor) = bench.draw();
    assert_eq!(cursor.map(|cursor| cursor.at.y), Some(23));
}

#[tokio::test]
async fn borders_are_moved_by_keys() {
    let (mut bench, _guest) = Bench::live(120, 40).await;
    let alone = "there is no border to move: the tab has one pane";
    assert_eq!(bench.press("<ctrl-]>r"), [Request::Say(alone.into())]);
    let mut second = bench.split(A::SplitRight).await;
    bench.press("<ctrl-]>rhh<right>h");
    assert_eq!(bench.workspace.typing(), Typing::Resize);
    assert_eq!(bench.widths(), [56, 63]);
    bench.press("<enter>x");
    second.hears("x").await;
    bench.press("<ctrl-]><space><ctrl-]>=");
    assert_eq!(bench.widths(), [60, 59]);
}

#[tokio::test]
async fn tabs_are_named_and_chosen() {
    let (mut bench, mut first) = Bench::live(80, 24).await;
    let mut second = bench.split(A::NewTab).await;
    bench.press("<ctrl-]>,logs<enter>");
    assert_eq!(
        bench.workspace.layout.tabs()[1].title.as_deref(),
        Some("logs")
    );
    bench.press("<ctrl-]>,<ctrl-u><enter>");
    assert_eq!(bench.workspace.layout.tabs()[1].title, None);
    bench.press("<ctrl-]>,no<esc>");
    assert_eq!(bench.workspace.layout.tabs()[1].title, None);
    bench.press("<ctrl-]>11<ctrl-]>n2<ctrl-]>p1");
    first.hears("11").await;
    second.hears("2").await;
    assert_eq!(
        bench.press("<ctrl-]>9"),
        [Request::Say("there is no tab 9".into())]
    );
    bench.click(11, 0);
    bench.press("2");
    second.hears("2").await;
}

#[tokio::test]
async fn the_mouse_chooses_selects_and_drags() {
    let (mut bench, mut first) = Bench::live(80, 24).await;
    let mut second = bench.split(A::SplitRight).await;
    first.says("some words here").await;
    bench.click(5, 5);
    bench.press("1");
    first.hears("1").await;
    // Double click, triple click, drag.
    let copied = |requests: Vec<Request>| match requests.last() {
        Some(Request::Copy(text)) => Some(text.clone()),
        _ => None,
    };
    assert_eq!(copied(bench.click(6, 1)), None);
    assert_eq!(copied(bench.click(6, 1)).as_deref(), Some("words"));
    assert_eq!(
        copied(bench.click(6, 1)).as_deref(),
        Some("some words here\n")
    );
    assert_eq!(copied(bench.drag((0, 1), (3, 1))).as_deref(), Some("some"));
    // The line between the two.
    assert_eq!(bench.widths(), [40, 39]);
    bench.drag((40, 7), (30, 9));
    assert_eq!(bench.widths(), [30, 49]);
    // A guest that wants the mouse has it.
    second.says("\x1b[?1002h\x1b[?1006h").await;
    bench.click(31, 1);
    second.hears("\x1b[<0;1;1M\x1b[<0;1;1m").await;
    bench.mouse(MouseEventKind::ScrollUp, 35, 3);
    second.hears("\x1b[<64;5;3M").await;
}

#[tokio::test]
async fn the_wheel_scrolls_back() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    guest.says(&"line\r\n".repeat(100)).await;
    bench.mouse(MouseEventKind::ScrollUp, 5, 5);
    bench.mouse(MouseEventKind::ScrollUp, 5, 5);
    assert_eq!(
        bench
            .workspace
            .session()
            .unwrap()
            .emulator()
            .scrolled_back(),
        6
    );
    bench.press("x");
    assert_eq!(
        bench
            .workspace
            .session()
            .unwrap()
            .emulator()
            .scrolled_back(),
        0
    );
}

#[tokio::test]
async fn a_guest_that_asks_is_told_who_has_the_keys() {
    let (mut bench, mut first) = Bench::live(120, 24).await;
    first.says("\x1b[?1004h").await;
    let _second = bench.split(A::SplitRight).await;
    first.hears("\x1b[O").await;
    bench.press("<ctrl-]>h");
    first.hears("\x1b[I").await;
    bench.workspace.attend(false);
    first.hears("\x1b[O").await;
}

#[tokio::test]
async fn panes_are_remembered_without_machines_that_are_gone() {
    let (mut bench, _guest) = Bench::live(120, 40).await;
    let _second = bench.split(A::SplitRight).await;
    let beneath = Place::Split(Axis::Below);
    bench
        .workspace
        .open(machine("db", MachineState::Stopped), beneath);
    bench
        .workspace
        .open(machine("gone", MachineState::Stopped), Place::Tab);
    bench
        .workspace
        .open(machine("db", MachineState::Stopped), Place::Tab);
    bench.press("<ctrl-]>,logs<enter>");
    let saved = bench.workspace.to_saved();
    insta::assert_json_snapshot!(saved);
    let machines = [
        machine("web", MachineState::Running),
        machine("db", MachineState::Stopped),
    ];
    let mut again = Bench::new(120, 40);
    again.workspace.restore(&saved, &machines);
    assert!(
        again.guests.try_recv().is_err(),
        "it connects before it is seen"
    );
    assert_eq!(again.workspace.layout.tabs().len(), 2);
    assert_eq!(
        again.workspace.layout.tabs()[1].title.as_deref(),
        Some("logs")
    );
    assert_eq!(again.workspace.layout.current(), 1);
    again.press("<ctrl-]>1");
    assert_eq!(
        again.widths(),
        bench.workspace.layout.tabs()[0]
            .placed(bench.workspace.body())
            .panes
            .iter()
            .map(|(_, place)| place.width)
            .collect::<Vec<_>>()
    );
    assert_eq!(again.workspace.machine().unwrap().name, "db");
    assert_eq!(again.guests.recv().await.unwrap().machine, "id-of-web");
    let mut broken = Bench::new(80, 24);
    for saved in ["null", "[]", r#"{"tabs": [{"panes": {"beside": [0]}}]}"#] {
        broken
            .workspace
            .restore(&serde_json::from_str(saved).unwrap(), &machines);
        assert!(broken.workspace.is_empty());
    }
}
