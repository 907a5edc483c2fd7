//! What users do in the workspace, as sequences of events, with machines that the test plays.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use tokio::sync::{mpsc, watch};

use super::super::action::PaneAction as A;
use super::super::look::PaneLook;
use super::super::session::tests::{Fake, Guest, machine, notices, until};
use super::super::view::CursorPlace;
use super::*;

/// A workspace at work.
pub struct Bench {
    pub workspace: Workspace,
    pub guests: mpsc::UnboundedReceiver<Guest>,
    pub notices: watch::Receiver<u64>,
    pub area: Rect,
    pub now: Instant,
}

impl Bench {
    pub fn new(columns: u16, lines: u16) -> Bench {
        let (fake, guests) = Fake::new();
        let (notify, notices) = notices();
        let mut workspace = Workspace::new(fake, notify, 1000);
        let area = Rect::new(0, 0, columns, lines);
        workspace.resize(area);
        workspace.show(true);
        Bench {
            workspace,
            guests,
            notices,
            area,
            now: Instant::now(),
        }
    }

    /// One with a live shell in `web`.
    pub async fn live(columns: u16, lines: u16) -> (Bench, Guest) {
        let mut bench = Bench::new(columns, lines);
        bench
            .workspace
            .open(machine("web", MachineState::Running), Place::Tab);
        let guest = bench.guest().await;
        (bench, guest)
    }

    /// The next shell, as soon as it lives.
    pub async fn guest(&mut self) -> Guest {
        let mut guest = self.guests.recv().await.unwrap();
        guest.enter();
        let workspace = &self.workspace;
        let id = &guest.machine;
        let mut panes = workspace.panes.values();
        let all = || {
            workspace
                .panes
                .values()
                .filter(|pane| pane.machine.id == *id)
        };
        assert!(panes.any(|pane| pane.machine.id == *id));
        until(&mut self.notices, || {
            all().all(|pane| pane.session.is_none() || pane.state() == State::Live)
        })
        .await;
        guest
    }

    pub async fn split(&mut self, action: A) -> Guest {
        self.workspace.act(action);
        self.guest().await
    }

    /// Presses keys: characters, or names of crokey's in `<>`.
    pub fn press(&mut self, keys: &str) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut rest = keys;
        while let Some(char) = rest.chars().next() {
            let key = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((name, after)) => {
                    rest = after;
                    name.parse::<crokey::KeyCombination>().unwrap().into()
                }
                None => {
                    rest = &rest[char.len_utf8()..];
                    let shift = char.is_uppercase();
                    let modifiers = if shift {
                        KeyModifiers::SHIFT
                    } else {
                        KeyModifiers::NONE
                    };
                    KeyEvent::new(KeyCode::Char(char), modifiers)
                }
            };
            requests.extend(self.workspace.key(key, self.now));
        }
        requests.retain(|request| *request != Request::Remember);
        requests
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Request> {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        let mut requests = self.workspace.mouse(event, self.now);
        requests.retain(|request| *request != Request::Remember);
        requests
    }

    pub fn click(&mut self, column: u16, row: u16) -> Vec<Request> {
        let mut requests = self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
        requests.extend(self.mouse(MouseEventKind::Up(MouseButton::Left), column, row));
        requests
    }

    fn drag(&mut self, from: (u16, u16), to: (u16, u16)) -> Vec<Request> {
        self.mouse(MouseEventKind::Down(MouseButton::Left), from.0, from.1);
        self.mouse(MouseEventKind::Drag(MouseButton::Left), to.0, to.1);
        self.mouse(MouseEventKind::Up(MouseButton::Left), to.0, to.1)
    }

    pub fn machine_is(&mut self, name: &str, state: MachineState) {
        self.workspace.machines(&[machine(name, state)]);
    }

    pub async fn all_are(&mut self, state: State) {
        let panes = &self.workspace.panes;
        until(&mut self.notices, || {
            panes.values().all(|pane| pane.state() == state)
        })
        .await;
    }

    pub fn draw(&self) -> (Buffer, Option<CursorPlace>) {
        self.draw_as(&PaneLook::default())
    }

    pub fn draw_as(&self, look: &PaneLook) -> (Buffer, Option<CursorPlace>) {
        let mut buffer = Buffer::empty(self.area);
        let cursor = self.workspace.draw(self.area, &mut buffer, look);
        (buffer, cursor)
    }

    /// Width of the panes of the tab, from left to right.
    fn widths(&self) -> Vec<u16> {
        let placed = self.workspace.layout.placed(self.workspace.body());
        placed.panes.iter().map(|(_, place)| place.width).collect()
    }
}

#[tokio::test]
async fn keys_go_to_the_guest_but_for_the_prefix() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    assert_eq!(bench.press("ls<enter><ctrl-c><esc>q"), []);
    guest.hears("ls\r\x03\x1bq").await;
    assert_eq!(bench.press("<ctrl-]><ctrl-]>"), []);
    guest.hears("\x1d").await;
    assert_eq!(bench.workspace.typing(), Typing::Guest);
    bench.press("<ctrl-]>");
    assert_eq!(bench.workspace.typing(), Typing::Prefix);
    assert_eq!(bench.workspace.pending_prefix(), Some(bench.now));
    assert_eq!(bench.press("d"), [Request::Leave]);
    assert_eq!(bench.press("<ctrl-]><esc>"), [Request::Leave]);
    assert_eq!(
        bench.press("<ctrl-]>:<ctrl-]>?"),
        [Request::Palette, Request::Help]
    );
    let unknown = "no such key behind the prefix; ? there shows those that are";
    assert_eq!(bench.press("<ctrl-]>Q"), [Request::Say(unknown.into())]);
    bench.press("x");
    guest.hears("x").await;
}

#[tokio::test]
async fn another_prefix_takes_the_place_of_the_usual_one() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    let prefix = "ctrl-b".parse().unwrap();
    bench.workspace.bind(Keys {
        prefix,
        ..Keys::default()
    });
    bench.press("<ctrl-]><ctrl-b><ctrl-b>");
    guest.hears("\x1d\x02").await;
    assert_eq!(bench.press("<ctrl-b>d"), [Request::Leave]);
}

#[tokio::test]
async fn shells_go_on_while_nobody_looks() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    bench.workspace.show(false);
    guest.says("still here").await;
    assert_eq!(bench.workspace.live_panes(), ["web"]);
    bench.workspace.show(true);
    let (buffer, _) = bench.draw();
    assert!(text(&buffer).contains("still here"));
}

#[tokio::test]
async fn panes_are_split_walked_and_closed() {
    let (mut bench, mut first) = Bench::live(120, 40).await;
    let mut second = bench.split(A::SplitRight).await;
    assert_eq!(*second.size.borrow(), (59, 39));
    bench.press("2<ctrl-]>h1<ctrl-]><left><ctrl-]>l2");
    second.hears("22").await;
    first.hears("1").await;
    // Closing a live shell is asked about.
    bench.press("<ctrl-]>x");
    assert_eq!(bench.workspace.typing(), Typing::Asked);
    bench.press("n");
    assert_eq!(bench.workspace.panes.len(), 2);
    assert_eq!(bench.press("<ctrl-]>xy"), []);
    second.is_given_up().await;
    assert_eq!(bench.widths(), [120]);
    assert_eq!(bench.press("<ctrl-]>xy"), [Request::Leave]);
    first.is_given_up().await;
    assert!(bench.workspace.is_empty());
}

#[tokio::test]
async fn no_room_is_said() {
    let (mut bench, _guest) = Bench::live(40, 24).await;
    let no_room = "no room for another pane here: each needs 20 columns and 5 lines";
    let no_room = Request::Say(no_room.into());
    assert_eq!(bench.press("<ctrl-]>%"), [no_room.clone()]);
    assert_eq!(bench.press("<ctrl-]>o"), [no_room]);
    let beneath = Place::Split(super::super::layout::Axis::Below);
    assert_eq!(bench.press("<ctrl-]>O"), [Request::Choose(beneath)]);
    bench
        .workspace
        .open(machine("db", MachineState::Running), beneath);
    assert_eq!(bench.guest().await.machine, "id-of-db");
}

#[tokio::test]
async fn what_is_broadcast_goes_to_all_panes_of_the_tab() {
    let (mut bench, mut first) = Bench::live(120, 40).await;
    let mut second = bench.split(A::SplitRight).await;
    first.says("\x1b[?1h").await;
    bench.press("<ctrl-]>b");
    assert_eq!(bench.workspace.typing(), Typing::Broadcast);
    bench.press("a<up>");
    bench.workspace.paste("b\nc");
    // Each in its own guest's way.
    first.hears("a\x1bOAb\rc").await;
    second.hears("a\x1b[Ab\rc").await;
    bench.press("<ctrl-]>bx");
    second.hears("x").await;
    bench.press("<ctrl-]>hx");
    first.hears("x").await;
}

#[tokio::test]
async fn a_pane_without_a_shell_takes_keys_of_its_own() {
    let (mut bench, _guest) = Bench::live(80, 24).await;
    bench.machine_is("web", MachineState::Stopped);
    bench.all_are(State::Waiting).await;
    assert_eq!(bench.workspace.typing(), Typing::Nobody);
    assert_eq!(bench.press("s"), [Request::Start("id-of-web".into())]);
    assert_eq!(bench.press("q<esc>"), [Request::Leave, Request::Leave]);
    bench.machine_is("web", MachineState::Running);
    let mut guest = bench.guest().await;
    bench.press("s");
    guest.hears("s").await;
    guest.ends(Ok(sistemo::guest::client::Exit::Status(0)));
    bench
        .all_are(State::Ended(sistemo::guest::client::Exit::Status(0)))
        .await;
    bench.press("<enter>");
    let guest = bench.guest().await;
    guest.ends(Ok(sistemo::guest::client::Exit::Status(1)));
    bench
        .all_are(State::Ended(sistemo::guest::client::Exit::Status(1)))
        .await;
    assert_eq!(bench.press("x"), [Request::Leave]);
    assert!(bench.workspace.is_empty());
}

#[tokio::test]
async fn a_machine_that_is_not_there_any_more_is_gone() {
    let (mut bench, mut guest) = Bench::live(80, 24).await;
    bench.workspace.machines(&[]);
    guest.is_given_up().await;
    bench.all_are(State::Waiting).await;
    assert_eq!(bench.workspace.machine().unwrap().state, MachineState::Gone);
    assert_eq!(bench.press("s"), []);
}

#[tokio::test]
async fn bells_and_copies_are_told_once_whoever_looks() {
    let (mut bench, mut first) = Bench::live(80, 24).await;
    let mut second = bench.split(A::NewTab).await;
    first.says("\x07\x07").await;
    assert_eq!(bench.workspace.news(), [Request::Bell]);
    assert_eq!(bench.workspace.news(), []);
    assert!(bench.workspace.panes.values().any(|pane| pane.bell));
    bench.press("<ctrl-]>1");
    assert!(bench.workspace.panes.values().all(|pane| !pane.bell));
    second.says("\x1b]52;c;aGVsbG8=\x07").await;
    assert_eq!(
        bench.workspace.news(),
        [
            Request::Copy("hello".into()),
            Request::Say("web has put 5 characters into the clipboard".into()),
        ]
    );
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
    let beneath = Place::Split(super::super::layout::Axis::Below);
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

/// The characters of a buffer, line by line.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol))
                .unwrap()
                .max(1);
        }
        line.truncate(line.trim_end().len());
        line
    };
    (area.top()..area.bottom())
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
