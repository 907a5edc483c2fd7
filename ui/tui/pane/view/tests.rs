//! What the workspace looks like.

use ratatui::buffer::Buffer;
use sistemo::guest::client::Exit;

use super::super::action::{PaneAction as A, Place};
use super::super::layout::Axis;
use super::super::look::PaneLook;
use super::super::session::MachineState;
use super::super::session::State;
use super::super::session::tests::fake::{Guest, broken, machine};
use super::super::workspace::tests::{Bench, text};
use super::CursorPlace;

/// A screen as a snapshot has it: its characters between bars, and where the cursor is.
fn shot(bench: &Bench) -> String {
    shown(&bench.draw())
}

fn shown((buffer, cursor): &(Buffer, Option<CursorPlace>)) -> String {
    let width = usize::from(buffer.area.width);
    let mut shown = String::new();
    for line in text(buffer).lines() {
        let fill = width - unicode_width::UnicodeWidthStr::width(line);
        shown += &format!("▏{line}{}▕\n", " ".repeat(fill));
    }
    match cursor {
        Some(cursor) => {
            shown += &format!("cursor {},{} {:?}", cursor.at.x, cursor.at.y, cursor.shape);
        }
        None => shown += "no cursor",
    }
    shown
}

const PROMPT: &str = "root@web:~# ";
const LISTING: &str = "\x1b]0;root@web: /srv\x07root@web:/srv# ls -l\r\ntotal 8\r\n\
    drwxr-xr-x 2 root root 4096 Nov 30 10:00 \x1b[1;34mdata\x1b[0m\r\n\
    -rw-r--r-- 1 root root  120 Nov 30 10:01 notes.txt\r\nroot@web:/srv# ";

/// Three shells: one on the left, two on the right.
async fn three(columns: u16, lines: u16) -> (Bench, [Guest; 3]) {
    let (mut bench, mut first) = Bench::live(columns, lines).await;
    first.says(LISTING).await;
    let mut second = bench.split(A::SplitRight).await;
    second.says(PROMPT).await;
    let below = Place::Split(Axis::Below);
    bench
        .workspace
        .open(machine("db", MachineState::Running), below);
    let mut third = bench.guest().await;
    third
        .says("psql (17.2)\r\nType \"help\" for help.\r\n\r\npostgres=# ")
        .await;
    (bench, [first, second, third])
}

#[tokio::test]
async fn one_pane() {
    let (bench, mut guest) = Bench::live(80, 24).await;
    guest.says(LISTING).await;
    insta::assert_snapshot!(shot(&bench));
}

#[tokio::test]
async fn panes_side_by_side() {
    let (bench, _guests) = three(80, 24).await;
    insta::assert_snapshot!("three_80x24", shot(&bench));
    let (mut bench, _guests) = three(120, 40).await;
    insta::assert_snapshot!("three_120x40", shot(&bench));
    bench.press("<ctrl-]>h");
    let look = PaneLook {
        ascii: true,
        ..PaneLook::default()
    };
    insta::assert_snapshot!("three_in_ascii", shown(&bench.draw_as(&look)));
}

#[tokio::test]
async fn a_zoomed_pane_in_one_of_several_tabs() {
    let (mut bench, _guests) = three(80, 24).await;
    bench.press("<ctrl-]>z");
    let mut other = bench.split(A::NewTab).await;
    bench.press("<ctrl-]>,logs of the database<enter><ctrl-]>p");
    other.says("\x07").await;
    bench.workspace.news(bench.now);
    insta::assert_snapshot!(shot(&bench));
}

#[tokio::test]
async fn more_tabs_than_fit() {
    let (mut bench, _guest) = Bench::live(60, 8).await;
    let mut guests = Vec::new();
    for _ in 0..8 {
        guests.push(bench.split(A::NewTab).await);
    }
    bench.press("<ctrl-]>5");
    let line = |bench: &Bench| text(&bench.draw().0).lines().next().unwrap().to_owned();
    assert_eq!(
        line(&bench),
        "  1 web  2 web  3 web  4 web  5 web  6 web  7 web  8 web   ›"
    );
    bench.press("<ctrl-]>9");
    assert_eq!(
        line(&bench),
        "‹ 2 web  3 web  4 web  5 web  6 web  7 web  8 web  9 web"
    );
    bench.click(2, 0);
    assert_eq!(bench.workspace.layout.current(), 1);
}

#[tokio::test]
async fn panes_that_all_get_what_is_typed() {
    let (mut bench, _guests) = three(80, 24).await;
    bench.press("<ctrl-]>b");
    insta::assert_snapshot!(shot(&bench));
}

#[tokio::test]
async fn copy_mode_and_its_search() {
    let (mut bench, mut guest) = Bench::live(80, 12).await;
    let lines: Vec<_> = (0..40).map(|line| format!("line {line}\r\n")).collect();
    guest.says(&lines.concat()).await;
    bench.press("<ctrl-]>[<ctrl-u><ctrl-u>");
    insta::assert_snapshot!("copy_mode", shot(&bench));
    bench.press("?line 1");
    insta::assert_snapshot!("copy_mode_search", shot(&bench));
}

#[tokio::test]
async fn what_is_asked_is_asked_in_the_pane() {
    let (mut bench, mut guest) = Bench::live(80, 6).await;
    guest.says(PROMPT).await;
    bench.press("<ctrl-]>x");
    insta::assert_snapshot!("close", shot(&bench));
    bench.press("n<ctrl-]>,lo<left>");
    insta::assert_snapshot!("rename", shot(&bench));
}

/// What panes without a shell say, in 60 columns and in 22.
#[tokio::test]
async fn panes_without_a_shell() {
    let mut all = String::new();
    for columns in [60, 22] {
        let mut bench = Bench::new(columns, 8);
        bench
            .workspace
            .open(machine("web", MachineState::Starting), Place::Tab);
        all += &format!("starting\n{}\n\n", shot(&bench));
        bench.machine_is("web", MachineState::Running);
        let unentered = bench.guests.recv().await.unwrap();
        all += &format!("connecting\n{}\n\n", shot(&bench));
        unentered.ends(Err(broken("the connection to machine web failed", false)));
        let lost = State::Lost("the connection to machine web failed".into());
        bench.all_are(lost).await;
        all += &format!("lost\n{}\n\n", shot(&bench));
        bench.press("<enter>");
        let mut guest = bench.guest().await;
        guest.says("web login\r\n$ make\r\nall good\r\n$ ").await;
        for (word, state) in [
            ("stopped", MachineState::Stopped),
            (
                "failed",
                MachineState::Failed(Some("the kernel panicked\x1b[2J".into())),
            ),
            ("gone", MachineState::Gone),
        ] {
            bench.machine_is("web", state);
            bench.all_are(State::Waiting).await;
            all += &format!("{word}\n{}\n\n", shot(&bench));
        }
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn panes_whose_shell_has_ended() {
    let (mut bench, guest) = Bench::live(60, 6).await;
    let mut all = String::new();
    let signal = Exit::Signal {
        name: "KILL".into(),
        core_dumped: false,
        message: String::new(),
    };
    let mut guest = Some(guest);
    for exit in [Exit::Status(0), Exit::Status(3), signal] {
        guest.take().unwrap().ends(Ok(exit.clone()));
        bench.all_are(State::Ended(exit)).await;
        all += &format!("{}\n\n", shot(&bench));
        bench.press("<enter>");
        guest = Some(bench.guest().await);
    }
    guest
        .unwrap()
        .ends(Err(broken("the guest shows another host key", true)));
    let hint = Some("restart the machine".into());
    bench
        .all_are(State::Refused(
            "the guest shows another host key".into(),
            hint,
        ))
        .await;
    all += &format!("{}\n\n", shot(&bench));
    bench.press("<enter>");
    let _guest = bench.guest().await;
    bench.press("<ctrl-]>D");
    bench.all_are(State::Left).await;
    all += &shot(&bench);
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn a_hostile_title_stays_in_its_place() {
    let (mut bench, mut guest) = Bench::live(40, 5).await;
    let title = "x\u{9b}2J\u{202e}evil ".repeat(30);
    guest.says(&format!("\x1b]0;{title}\x07")).await;
    insta::assert_snapshot!("hostile_title", shot(&bench));
    // Nor does any size of the screen end the program.
    for columns in 0..30 {
        for lines in 0..8 {
            bench.area = ratatui::layout::Rect::new(0, 0, columns, lines);
            bench.workspace.resize(bench.area);
            bench.draw();
        }
    }
}

#[tokio::test]
async fn small_screens_of_many_panes_are_drawn() {
    let (mut bench, _guests) = three(120, 40).await;
    bench.press("<ctrl-]>b<ctrl-]>,name<enter><ctrl-]>[/search");
    for columns in 0..50 {
        for lines in 0..14 {
            bench.area = ratatui::layout::Rect::new(0, 0, columns, lines);
            bench.workspace.resize(bench.area);
            bench.draw();
        }
    }
}
