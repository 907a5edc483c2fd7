//! Sessions with machines that a test plays: what passes between a pane and its shell.

pub mod fake;
mod real;

use std::sync::Arc;
use std::time::Duration;

use sistemo::guest::client::{Event, Exit};
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::input::TooMuch;
use super::{MachineState, Notify, Session, State};
use crate::shell::fake::LONG;
use fake::{Fake, Guest, broken, machine, notices, until};

struct Lab {
    session: Session,
    guests: mpsc::UnboundedReceiver<Guest>,
    notices: watch::Receiver<u64>,
}

impl Lab {
    fn new(state: MachineState) -> Lab {
        let (fake, guests) = Fake::new();
        let (notify, notices) = notices();
        let session = Session::open(machine("web", state), (80, 24), 1000, fake, notify);
        session.set_seen(true);
        Lab {
            session,
            guests,
            notices,
        }
    }

    async fn guest(&mut self) -> Guest {
        timeout(LONG, self.guests.recv()).await.unwrap().unwrap()
    }

    async fn live() -> (Lab, Guest) {
        let mut lab = Lab::new(MachineState::Running);
        let mut guest = lab.guest().await;
        guest.enter();
        lab.becomes(&State::Live).await;
        (lab, guest)
    }

    async fn becomes(&mut self, state: &State) {
        let session = &self.session;
        until(&mut self.notices, || session.state() == *state).await;
    }

    fn machine_is(&self, state: MachineState) {
        self.session.machine_is(&machine("web", state));
    }
}

#[tokio::test]
async fn a_shell_is_opened_when_the_machine_runs() {
    let mut lab = Lab::new(MachineState::Stopped);
    lab.becomes(&State::Waiting).await;
    lab.machine_is(MachineState::Starting);
    lab.machine_is(MachineState::Running);
    let mut guest = lab.guest().await;
    assert_eq!(guest.machine, "id-of-web");
    assert_eq!(*guest.size.borrow(), (80, 24));
    lab.becomes(&State::Connecting).await;
    lab.session.send(b"typed ahead");
    guest.enter();
    lab.becomes(&State::Live).await;
    guest.hears("typed ahead").await;
    guest.says("hello\x1b[6n").await;
    guest.hears("\x1b[1;6R").await;
}

#[tokio::test]
async fn it_is_opened_again_when_the_machine_is_back() {
    let (mut lab, mut guest) = Lab::live().await;
    guest.says("first\r\nsecond").await;
    guest.says("\x1b[?1049h\x1b[?1000h\x1b[31mvim").await;
    lab.machine_is(MachineState::Stopped);
    lab.becomes(&State::Waiting).await;
    guest.is_given_up().await;
    lab.session.send(b"to nobody");
    lab.machine_is(MachineState::Running);
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
    {
        let emulator = lab.session.emulator();
        assert!(!emulator.alternate_screen() && !emulator.wants_mouse());
        // Below what was said before.
        let cursor = emulator.cursor().unwrap();
        assert_eq!((cursor.column, cursor.line), (0, 2));
    }
    lab.session.send(b"x");
    guest.hears("x").await;
}

/// What is on the screen, a scrolling region and a cursor far up must not have the new shell draw over anything.
#[tokio::test]
async fn a_new_shell_begins_below_what_the_old_one_wrote() {
    for (old, place) in [
        ("one\r\ntwo\r\nthree\x1b[2;3r\x1b[1;2H", "4;1"),
        ("\x1b[24;1Hlast\x1b[H", "24;1"),
        ("\x1b[9;9H", "1;1"),
    ] {
        let (mut lab, mut guest) = Lab::live().await;
        guest.says(old).await;
        lab.machine_is(MachineState::Stopped);
        lab.becomes(&State::Waiting).await;
        lab.machine_is(MachineState::Running);
        let mut guest = lab.guest().await;
        guest.enter();
        lab.becomes(&State::Live).await;
        guest.says("\x1b[6n").await;
        guest.hears(&format!("\x1b[{place}R")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_tried_again_and_again_ever_more_seldom() {
    let mut lab = Lab::new(MachineState::Running);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let guest = lab.guest().await;
        guest.ends(Err(broken("no route", false)));
        lab.becomes(&State::Lost("no route".into())).await;
        let lost = tokio::time::Instant::now();
        lab.becomes(&State::Connecting).await;
        pauses.push(lost.elapsed().as_millis().div_ceil(100) * 100);
    }
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 8000]);
    lab.guest().await.ends(Err(broken("no route", false)));
    lab.becomes(&State::Lost("no route".into())).await;
    let asked = tokio::time::Instant::now();
    lab.session.reconnect();
    lab.guest().await.enter();
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn what_would_fail_again_is_not_tried_again() {
    let mut lab = Lab::new(MachineState::Running);
    lab.guest()
        .await
        .ends(Err(broken("another host key", true)));
    let refused = State::Refused(
        "another host key".into(),
        Some("restart the machine".into()),
    );
    lab.becomes(&refused).await;
    assert!(lab.guests.try_recv().is_err());
    lab.session.reconnect();
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
}

#[tokio::test(start_paused = true)]
async fn a_shell_that_ends_stays_ended_unless_its_machine_ends_with_it() {
    let (mut lab, guest) = Lab::live().await;
    let ended = State::Ended(Exit::Status(3));
    guest.ends(Ok(Exit::Status(3)));
    lab.becomes(&ended).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    lab.machine_is(MachineState::Stopped);
    lab.machine_is(MachineState::Running);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.session.state(), ended);
    lab.session.reconnect();
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
    // `poweroff`: the shell gets the signal first.
    guest.ends(Ok(Exit::Status(0)));
    lab.becomes(&State::Ended(Exit::Status(0))).await;
    lab.machine_is(MachineState::Stopping);
    lab.becomes(&State::Waiting).await;
    lab.machine_is(MachineState::Running);
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
    // Stopped from outside: the machine is said to stop before the shell ends.
    lab.machine_is(MachineState::Stopping);
    guest.ends(Ok(Exit::Status(0)));
    lab.becomes(&State::Waiting).await;
}

#[tokio::test]
async fn a_machine_that_was_restarted_unseen_is_entered_anew() {
    let (mut lab, mut guest) = Lab::live().await;
    let mut restarted = machine("web", MachineState::Running);
    restarted.started = Some("2026-11-30T11:00:00Z".into());
    lab.session.machine_is(&restarted);
    guest.is_given_up().await;
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
}

#[tokio::test]
async fn the_user_ends_a_shell_and_begins_another() {
    let (mut lab, mut guest) = Lab::live().await;
    lab.session.leave();
    lab.becomes(&State::Left).await;
    guest.is_given_up().await;
    lab.session.reconnect();
    let mut guest = lab.guest().await;
    guest.enter();
    lab.becomes(&State::Live).await;
}

#[tokio::test]
async fn closing_a_pane_ends_its_shell() {
    let (lab, mut guest) = Lab::live().await;
    drop(lab.session);
    guest.is_given_up().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_last_of_many_sizes_is_told() {
    let (lab, mut guest) = Lab::live().await;
    for columns in 40..=60 {
        lab.session.resize((columns, 20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = timeout(LONG, guest.events.recv()).await.unwrap();
    assert_eq!(told, Some(Event::Resize { cols: 60, rows: 20 }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(guest.events.try_recv().is_err());
}

#[tokio::test]
async fn a_paste_goes_in_pieces_and_control_c_overtakes_what_is_left() {
    let (lab, mut guest) = Lab::live().await;
    guest.says("\x1b[?2004h").await;
    let text = "ü".repeat(500_000);
    let bytes = lab.session.emulator().paste(&text);
    lab.session.paste(bytes).unwrap();
    let mut first = vec![0; 1 << 20];
    let length = guest.input.read(&mut first).await.unwrap();
    assert!(length <= 16 << 10, "{length} bytes at once");
    lab.session.cut_pastes();
    lab.session.send(&[3]);
    let mut rest = Vec::new();
    while !rest.ends_with(&[3]) {
        let before = rest.len();
        rest.resize(before + 4096, 0);
        let more = guest.input.read(&mut rest[before..]).await.unwrap();
        rest.truncate(before + more);
    }
    let whole = String::from_utf8([&first[..length], &rest[..]].concat()).unwrap();
    assert!(whole.starts_with("\x1b[200~ü") && whole.ends_with("ü\x1b[201~\x03"));
    assert!(whole.len() < 20 << 10, "{} bytes came", whole.len());
}

#[tokio::test]
async fn a_guest_that_does_not_read_cannot_make_the_queue_grow() {
    let (lab, mut guest) = Lab::live().await;
    lab.session.paste(vec![b'x'; 10 << 20]).unwrap();
    assert_eq!(lab.session.paste(vec![b'x'; 10 << 20]), Err(TooMuch));
    // It asks where the cursor is, over and over, and reads no answer.
    for _ in 0..1000 {
        guest.says(&"\x1b[6n".repeat(100)).await;
    }
    lab.session.send(b"y");
    assert!(lab.session.input.waiting() <= (10 << 20) + (64 << 10));
}

#[tokio::test]
async fn what_a_program_holds_back_is_shown_in_time() {
    let (mut lab, mut guest) = Lab::live().await;
    guest.says("\x1b[?2026hheld back").await;
    let session = &lab.session;
    let column = || session.emulator().cursor().map(|cursor| cursor.column);
    assert_eq!(column(), Some(0));
    until(&mut lab.notices, || column() == Some(9)).await;
}

/// Output that never ends, in one pane. It is taken in as fast as the terminal can, and no faster: while the screen has
/// the terminal nothing is, so nothing piles up. What another guest says is in its pane meanwhile.
#[expect(
    clippy::await_holding_lock,
    reason = "that the screen is held is what is tried"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_held_up_and_holds_nobody_up() {
    const WRITTEN: u64 = 64 << 10;
    let (mut flooded, mut guest) = Lab::live().await;
    let (quiet, mut other) = Lab::live().await;
    let (stop, stopped) = watch::channel(false);
    let count = watch::Sender::new(0u64);
    let (mut counted, watching) = (count.subscribe(), count.subscribe());
    let flood = tokio::spawn(async move {
        let lines = "flood\r\n".repeat(10_000);
        let lines = &lines[..WRITTEN as usize];
        while !*stopped.borrow() {
            guest.says(lines).await;
            count.send_modify(|count| *count += WRITTEN);
        }
        guest
    });
    let mut flows = async |more: u64| {
        let now = *counted.borrow();
        let flowing = counted.wait_for(|count| *count >= now + more);
        *timeout(LONG, flowing).await.unwrap().unwrap()
    };
    flows(8 * WRITTEN).await;
    let mut column = 0;
    let mut echoes = async |rounds: u16| {
        let asked = std::time::Instant::now();
        for _ in 0..rounds {
            quiet.session.send(b"k");
            other.hears("k").await;
            other.says("k").await;
            column += 1;
            let cursor = quiet.session.emulator().cursor();
            assert_eq!(cursor.map(|cursor| cursor.column), Some(column));
        }
        asked.elapsed() / u32::from(rounds)
    };
    // They come, however much the other writes.
    echoes(30).await;
    let screen = flooded.session.emulator();
    assert!(screen.history_len() <= 1000);
    // What the terminal had taken in when the screen took it may still be counted: once, and nothing after it.
    let held = *watching.borrow();
    echoes(30).await;
    let since = *watching.borrow() - held;
    assert!(since <= WRITTEN, "{since} bytes went on");
    drop(screen);
    flows(WRITTEN).await;
    stop.send_replace(true);
    let guest = timeout(LONG, flood).await.unwrap().unwrap();
    guest.ends(Ok(Exit::Status(0)));
    flooded.becomes(&State::Ended(Exit::Status(0))).await;
}
