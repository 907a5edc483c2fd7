//! What becomes of a terminal: its machine, its shells, its pages.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sistemo::guest::client::{Event, Exit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{Heard, Lab, Page};
use crate::shell::MachineState;
use crate::shell::fake::{LONG, broken};
use crate::web::terminal::frame::FromPage;

const WEB: &str = "machines/web/terminal";

#[tokio::test]
async fn a_page_has_a_shell_as_soon_as_the_machine_runs() {
    let mut lab = Lab::new().await;
    lab.machine_is(MachineState::Stopped);
    let mut page = Page::open(&lab, &format!("{WEB}?cols=100&rows=30")).await;
    assert_eq!(page.hello["kind"], "machine");
    assert_eq!(page.hello["machine"], "web");
    assert_eq!(page.hello["id"], "id-of-web");
    assert_eq!(
        (&page.hello["resumed"], &page.hello["lost"]),
        (&false.into(), &0.into())
    );
    let told = page.becomes("waiting").await;
    assert_eq!(told["message"], "machine web is stopped");
    assert_eq!(told["hint"], "start it: sistemo machine start web");
    lab.machine_is(MachineState::Starting);
    let told = page.becomes("waiting").await;
    assert_eq!(told["message"], "machine web is starting");
    lab.machine_is(MachineState::Running);
    let mut guest = lab.guest().await;
    assert_eq!(
        (guest.machine.as_str(), *guest.size.borrow()),
        ("id-of-web", (100, 30))
    );
    page.becomes("connecting").await;
    page.types("typed ahead").await;
    guest.enter();
    page.becomes("live").await;
    guest.hears("typed ahead").await;
    guest.says("hello").await;
    page.shows("hello").await;
    page.send(FromPage::Resize { cols: 90, rows: 20 }).await;
    let told = timeout(LONG, guest.events.recv()).await.unwrap();
    assert_eq!(told, Some(Event::Resize { cols: 90, rows: 20 }));
}

#[tokio::test]
async fn it_says_when_the_machine_stops_and_has_another_shell_when_it_is_back() {
    let mut lab = Lab::new().await;
    let (mut page, mut guest) = lab.live().await;
    guest.says("\x1b[?1049h\x1b[31mvim").await;
    page.shows("vim").await;
    lab.machine_is(MachineState::Failed(Some("out of memory".into())));
    let told = page.becomes("waiting").await;
    assert_eq!(told["message"], "machine web failed: out of memory");
    guest.is_given_up().await;
    page.types("to nobody").await;
    lab.machine_is(MachineState::Running);
    let mut guest = lab.guest().await;
    guest.enter();
    page.becomes("live").await;
    // The terminal is made fit for it.
    assert!(String::from_utf8_lossy(&page.text).contains("\x1b[?1049l"));
    page.types("x").await;
    guest.hears("x").await;
    lab.machine_is(MachineState::Gone);
    let told = page.becomes("gone").await;
    assert_eq!(told["message"], "machine web was deleted");
}

#[tokio::test]
async fn a_shell_that_ended_is_followed_by_another_when_that_is_asked_for() {
    let mut lab = Lab::new().await;
    let (mut page, guest) = lab.live().await;
    // While there is one it is not.
    page.send(FromPage::Again).await;
    page.send(FromPage::Ping(1)).await;
    assert_eq!(page.hears().await, Heard::Pong(1));
    guest.ends(Ok(Exit::Status(3)));
    let told = page.becomes("ended").await;
    assert_eq!((&told["exit"], &told["signal"]), (&3.into(), &().into()));
    page.send(FromPage::Again).await;
    let mut guest = lab.guest().await;
    guest.enter();
    page.becomes("live").await;
    guest.ends(Ok(Exit::Signal {
        name: "KILL".into(),
        core_dumped: false,
        message: String::new(),
    }));
    assert_eq!(page.becomes("ended").await["signal"], "KILL");
    page.send(FromPage::Again).await;
    lab.guest()
        .await
        .ends(Err(broken("another host key", true)));
    let told = page.becomes("refused").await;
    assert_eq!(told["message"], "another host key");
    assert_eq!(told["hint"], "restart the machine");
    page.send(FromPage::Again).await;
    lab.guest().await.ends(Err(broken("no route", false)));
    assert_eq!(page.becomes("lost").await["message"], "no route");
    // At once, not after the pause.
    page.send(FromPage::Again).await;
    let mut guest = lab.guest().await;
    guest.enter();
    page.becomes("live").await;
}

#[tokio::test]
async fn the_newest_page_has_the_session() {
    let mut lab = Lab::new().await;
    let (mut first, mut guest) = lab.live().await;
    guest.says("hello").await;
    first.shows("hello").await;
    first.send(FromPage::Resize { cols: 90, rows: 20 }).await;
    timeout(LONG, guest.events.recv()).await.unwrap();
    let mut second = Page::again(&lab, WEB, &first.session(), 2).await;
    assert_eq!(second.session(), first.session());
    assert_eq!(
        (&second.hello["resumed"], &second.hello["offset"]),
        (&true.into(), &2.into())
    );
    assert_eq!(
        first.is_closed().await,
        Heard::Closed(4000, "taken over".into())
    );
    second.becomes("live").await;
    second.shows("llo").await;
    // A page that does not say its size leaves it as it was.
    assert_eq!(*guest.size.borrow(), (90, 20));
    guest.says(" again").await;
    second.shows("llo again").await;
    second.types("x").await;
    guest.hears("x").await;
}

#[tokio::test]
async fn a_session_that_is_not_there_or_anothers_is_a_new_one() {
    let mut lab = Lab::new().await;
    let (page, _guest) = lab.live().await;
    for (path, session) in [(WEB, "nonsense"), ("console", &page.session())] {
        let other = Page::again(&lab, path, session, 7).await;
        assert_eq!(
            (&other.hello["resumed"], &other.hello["offset"]),
            (&false.into(), &0.into())
        );
        assert_ne!(other.session(), page.session());
    }
}

#[tokio::test]
async fn a_page_closes_its_session_or_leaves_it_for_a_while() {
    let mut lab = Lab::new().await;
    let (mut page, mut guest) = lab.live().await;
    let session = page.session();
    drop(page);
    guest.says("to nobody").await;
    page = Page::again(&lab, WEB, &session, 0).await;
    page.shows("to nobody").await;
    page.send(FromPage::Close).await;
    assert_eq!(page.is_closed().await, Heard::Closed(1000, "closed".into()));
    guest.is_given_up().await;
    let page = Page::again(&lab, WEB, &session, 0).await;
    assert_eq!(page.hello["resumed"], false);
}

#[tokio::test]
async fn when_the_daemon_ends_pages_are_told() {
    let mut lab = Lab::new().await;
    let (mut page, mut guest) = lab.live().await;
    lab.stop.cancel();
    assert_eq!(
        page.is_closed().await,
        Heard::Closed(1001, "the daemon ends".into())
    );
    guest.is_given_up().await;
}

/// Both ways are full: a page that pastes more than is queued, and a guest that writes before it reads. The page's word
/// of what it has drawn is then stuck behind the paste.
#[tokio::test]
async fn a_paste_and_a_flood_do_not_wait_for_each_other() {
    const PASTE: usize = 4 << 20;
    const FLOOD: usize = 3 << 20;
    let mut lab = Lab::new().await;
    let (page, mut guest) = lab.live().await;
    let terminals = lab.terminals.clone();
    let page = tokio::spawn(paste_and_read(page, PASTE, FLOOD));
    guest.says(&"y".repeat(FLOOD)).await;
    for session in terminals.sessions().values() {
        let (memory, waiting) = session.memory();
        assert!(memory <= (1 << 20) + (16 << 10) && waiting <= 1 << 20);
    }
    let mut pasted = vec![0; PASTE];
    let reading = guest.input.read_exact(&mut pasted);
    timeout(LONG, reading).await.unwrap().unwrap();
    assert!(pasted.iter().all(|byte| *byte == b'p'));
    let mut page = timeout(LONG, page).await.unwrap().unwrap();
    assert_eq!(page.text.len(), FLOOD);
    // All is as before.
    page.types("x").await;
    guest.hears("x").await;
    timeout(LONG, guest.output.write_all(b"done"))
        .await
        .unwrap()
        .unwrap();
    page.shows("done").await;
}

/// A page that sends as fast as it can, reads at the same time, and says what it has drawn whenever it can.
async fn paste_and_read(mut page: Page, paste: usize, flood: usize) -> Page {
    let (mut sink, mut stream) = page.socket.split();
    let (drawn, mut to_say) = mpsc::unbounded_channel();
    let sending = async {
        for _ in 0..paste / (32 << 10) {
            let message = FromPage::Data(Bytes::from(vec![b'p'; 32 << 10])).encode();
            sink.send(Message::Binary(message)).await.unwrap();
        }
        while let Some(offset) = to_say.recv().await {
            let message = FromPage::Ack(offset).encode();
            sink.send(Message::Binary(message)).await.unwrap();
        }
    };
    let (text, offset) = (&mut page.text, &mut page.offset);
    let reading = async move {
        while text.len() < flood {
            let message = stream.next().await.unwrap().unwrap().into_data();
            if message.first() == Some(&0) {
                text.extend_from_slice(&message[1..]);
                *offset += message.len() as u64 - 1;
                drawn.send(*offset).unwrap();
            }
        }
        stream
    };
    let (stream, ()) = tokio::join!(reading, sending);
    page.socket = sink.reunite(stream).unwrap();
    page
}

#[tokio::test]
async fn keys_are_echoed_at_once() {
    let mut lab = Lab::new().await;
    let (mut page, mut guest) = lab.live().await;
    let begun = std::time::Instant::now();
    for round in 0..200 {
        page.types("k").await;
        guest.hears("k").await;
        guest.says("k").await;
        while page.text.len() <= round {
            page.hears().await;
        }
        page.acknowledge().await;
    }
    let each = begun.elapsed() / 200;
    assert!(each < Duration::from_millis(20), "an echo takes {each:?}");
}
