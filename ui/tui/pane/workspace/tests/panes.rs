//! Keys, splits, broadcast, panes without a shell.

use super::*;

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
    assert_eq!(bench.press("<ctrl-]><esc>"), []);
    assert_eq!(bench.workspace.typing(), Typing::Guest);
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
    assert_eq!(bench.press("<ctrl-]>%"), std::slice::from_ref(&no_room));
    assert_eq!(bench.press("<ctrl-]>o"), [no_room]);
    let beneath = Place::Split(Axis::Below);
    assert_eq!(bench.press("<ctrl-]>O"), [Request::Choose(beneath)]);
    bench
        .workspace
        .open(machine("db", MachineState::Running), beneath);
    assert_eq!(bench.guest().await.machine, "id-of-db");
}

#[tokio::test]
async fn a_chosen_machine_gets_a_pane_wherever_there_is_room() {
    let (mut bench, _guest) = Bench::live(40, 10).await;
    let beside = Place::Split(Axis::Beside);
    let mut opens = async |machine_name| {
        let requests = bench
            .workspace
            .open(machine(machine_name, MachineState::Running), beside);
        assert_eq!(requests, [Request::Remember]);
        bench.guest().await;
        let layout = &bench.workspace.layout;
        (
            layout.current(),
            layout.placed(bench.workspace.body()).panes.len(),
        )
    };
    assert_eq!(opens("db").await, (0, 2));
    assert_eq!(opens("cache").await, (1, 1));
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
    assert_eq!(bench.workspace.typing(), Typing::Gone);
    assert_eq!(bench.press("s"), []);
}

#[tokio::test]
async fn who_closes_panes_without_a_shell_is_led_to_the_next_of_them() {
    let (mut bench, mut web) = Bench::live(120, 40).await;
    let mut guests = Vec::new();
    for place in [Place::Split(Axis::Beside), Place::Split(Axis::Below)] {
        bench
            .workspace
            .open(machine("db", MachineState::Running), place);
        guests.push(bench.guest().await);
    }
    // The live one had the keys last.
    bench.press("<ctrl-]>h<ctrl-]>l");
    bench.machine_is("web", MachineState::Running);
    let panes = &bench.workspace.panes;
    until(&mut bench.notices, || {
        let dead = |pane: &&Pane| pane.state() == State::Waiting;
        panes.values().filter(dead).count() == 2
    })
    .await;
    assert_eq!(bench.press("xx"), []);
    assert_eq!(bench.workspace.live_panes(), ["web"]);
    assert_eq!(bench.workspace.count(), 1);
    bench.press("y");
    web.hears("y").await;
}
