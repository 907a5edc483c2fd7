//! Sessions without a network: how long they live, and who has them.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::attachment::Next;
use super::*;
use crate::shell::fake::{Fake, Guest, LONG, machine};

struct Lab {
    session: Arc<Session>,
    guests: mpsc::UnboundedReceiver<Guest>,
    run: JoinHandle<()>,
    /// The machine is there for as long as this is.
    _machine: watch::Sender<Machine>,
}

impl Lab {
    fn new() -> Lab {
        let (fake, guests) = Fake::new();
        let machine = watch::Sender::new(machine("web", MachineState::Running));
        let ground = Ground {
            kind: Kind::Machine,
            machine: machine.subscribe(),
            transport: fake,
        };
        let (session, run) = Session::open(ground, (80, 24));
        Lab {
            session,
            guests,
            run: tokio::spawn(run),
            _machine: machine,
        }
    }

    async fn guest(&mut self) -> Guest {
        let mut guest = timeout(LONG, self.guests.recv()).await.unwrap().unwrap();
        guest.enter();
        guest
    }
}

/// All that there is to send.
async fn data(attachment: &Attachment, length: usize) -> Vec<u8> {
    let mut data = Vec::new();
    while data.len() < length {
        match attachment.next() {
            Some(Next::Data(message)) => data.extend_from_slice(&message[1..]),
            Some(Next::State(_)) => {}
            None => timeout(LONG, attachment.woken()).await.unwrap(),
        }
    }
    data
}

#[tokio::test(start_paused = true)]
async fn it_lives_for_a_minute_without_a_page() {
    let lab = Lab::new();
    let begun = Instant::now();
    lab.run.await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), SURVIVAL.as_secs());
}

#[tokio::test(start_paused = true)]
async fn every_page_gives_it_another_minute() {
    let mut lab = Lab::new();
    let mut guest = lab.guest().await;
    for round in 0..3 {
        tokio::time::sleep(SURVIVAL - Duration::from_secs(1)).await;
        let (page, _over) = lab.session.attach(round);
        tokio::time::sleep(SURVIVAL * 10).await;
        guest.says("x").await;
        assert_eq!(data(&page, 1).await, b"x");
    }
    assert!(!lab.run.is_finished());
    let left = Instant::now();
    lab.run.await.unwrap();
    assert_eq!(left.elapsed().as_secs(), SURVIVAL.as_secs());
    guest.is_given_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_was_sent_off_does_not_leave_the_session_alone() {
    let mut lab = Lab::new();
    let _guest = lab.guest().await;
    let (first, over) = lab.session.attach(0);
    let (second, mut still) = lab.session.attach(0);
    assert_eq!(over.await, Ok(Over::TakenOver));
    drop(first);
    tokio::time::sleep(SURVIVAL * 2).await;
    assert!(still.try_recv().is_err() && !lab.run.is_finished());
    drop(second);
    lab.run.await.unwrap();
}

#[tokio::test]
async fn a_shell_waits_for_a_page_that_draws_slowly() {
    let mut lab = Lab::new();
    let mut guest = lab.guest().await;
    let (page, _over) = lab.session.attach(0);
    let text = "0123456789abcdef".repeat(64 << 10);
    let whole = text.clone();
    let saying = tokio::spawn(async move {
        guest.says(&whole).await;
        guest
    });
    let mut seen = data(&page, stream::HIGH).await;
    assert_eq!(seen.len(), stream::HIGH);
    // Nothing more, for as long as nothing is drawn.
    assert!(page.next().is_none() && page.ready() == 0);
    page.acknowledge(1000).unwrap();
    assert!(data(&page, 1).await.is_empty() || page.ready() <= 1000);
    while seen.len() < text.len() {
        page.acknowledge(seen.len() as u64).unwrap();
        seen.extend(data(&page, 1).await);
        let (memory, _) = lab.session.memory();
        assert!(memory <= (512 << 10) + (64 << 10), "{memory} bytes");
    }
    assert!(seen == text.as_bytes());
    saying.await.unwrap();
    let ahead = page.acknowledge(seen.len() as u64 + 1).unwrap_err();
    assert!(ahead.to_string().contains("1048577"));
}

#[tokio::test]
async fn what_is_said_to_nobody_waits_for_the_next_page() {
    let mut lab = Lab::new();
    let mut guest = lab.guest().await;
    let text = "0123456789abcdef".repeat(128 << 10);
    let whole = text.clone();
    let saying = tokio::spawn(async move { guest.says(&whole).await });
    // It fills the buffer, and no more.
    while lab.session.memory().0 < 1 << 20 {
        tokio::task::yield_now().await;
    }
    let mut seen = Vec::new();
    while seen.len() < text.len() {
        // Pages come, draw something, and go.
        let (page, _over) = lab.session.attach(seen.len() as u64);
        assert_eq!((page.offset, page.lost), (seen.len() as u64, 0));
        for _ in 0..3 {
            if seen.len() < text.len() {
                seen.extend(data(&page, 1).await);
                page.acknowledge(seen.len() as u64).unwrap();
            }
        }
    }
    assert!(seen == text.as_bytes());
    saying.await.unwrap();
}

#[tokio::test]
async fn a_page_that_is_loaded_anew_is_given_what_is_left() {
    let mut lab = Lab::new();
    let mut guest = lab.guest().await;
    let (page, _over) = lab.session.attach(0);
    let text = "0123456789abcdef".repeat(64 << 10);
    let reading = async {
        let mut seen = 0;
        while seen < text.len() {
            seen += data(&page, 1).await.len();
            page.acknowledge(seen as u64).unwrap();
        }
    };
    tokio::join!(guest.says(&text), reading);
    drop(page);
    let (page, _over) = lab.session.attach(0);
    assert_eq!(page.lost, page.offset);
    let left = text.len() - page.offset as usize;
    assert!((200 << 10..300 << 10).contains(&left), "{left} bytes");
    assert!(data(&page, left).await == text.as_bytes()[text.len() - left..]);
    // One that has more than there is.
    drop(page);
    let (page, _over) = lab.session.attach(u64::MAX);
    assert_eq!((page.offset, page.lost), (text.len() as u64, 0));
}
