//! Floods: real programs that write without end, and pages of every kind.

use std::process::Command;

use super::{Heard, Lab, Page};
use crate::web::terminal::frame::FromPage;
use crate::web::terminal::program::Program;

/// What may be on its way to a page.
const HIGH: u64 = 256 << 10;
/// A little less than what keeps a program waiting that has been held up.
const SELDOM: u64 = 60 << 10;

fn shell(script: &str) -> Program {
    Program::new("/bin/sh")
        .env("PATH", "/usr/bin:/bin")
        .arg("-c")
        .arg(script)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_waits_for_a_page_that_draws_nothing_and_control_c_ends_it_at_once() {
    let lab = Lab::with(shell("exec yes")).await;
    let mut page = Page::open(&lab, "console").await;
    page.becomes("live").await;
    assert_eq!(page.offset, 0);
    while page.offset < HIGH {
        page.hears().await;
    }
    assert_eq!(page.offset, HIGH);
    // It has had its turn, and nothing more has come.
    for number in 0..20 {
        page.send(FromPage::Ping(number)).await;
        assert_eq!(page.hears().await, Heard::Pong(number));
    }
    for session in lab.terminals.sessions().values() {
        let (memory, _) = session.memory();
        assert!(memory <= (256 << 10) + (16 << 10), "{memory} bytes");
    }
    // It flows while it is drawn.
    while page.offset < 8 << 20 {
        page.acknowledge().await;
        page.hears().await;
    }
    let (begun, before) = (std::time::Instant::now(), page.offset);
    page.types("\u{3}").await;
    let told = page.becomes("ended").await;
    assert_eq!(told["signal"], "INT");
    let more = page.offset - before;
    assert!(more <= 2 * HIGH, "{more} bytes came after Ctrl-C");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_cut_off_again_and_again_gets_every_byte_once() {
    const SCRIPT: &str = "seq 1 400000";
    let expected = Command::new("/bin/sh")
        .args(["-c", SCRIPT])
        .output()
        .unwrap();
    let expected = String::from_utf8(expected.stdout)
        .unwrap()
        .replace('\n', "\r\n");
    let lab = Lab::with(shell(SCRIPT)).await;
    let mut page = Page::open(&lab, "console").await;
    let (session, mut text) = (page.session(), Vec::new());
    let mut said = 0;
    for cut in 1.. {
        let until = cut * 300_000 + cut * cut * 137;
        let is_over = loop {
            if page.offset >= until {
                break false;
            }
            match page.hears().await {
                Heard::State(told) if told["state"] == "ended" => break true,
                // Every other page says seldom what it has drawn, but before the program would wait for it.
                Heard::Data(_) if cut % 2 == 0 || page.offset >= said + SELDOM => {
                    said = page.offset;
                    page.acknowledge().await;
                }
                Heard::Data(_) | Heard::State(_) => {}
                other => panic!("{other:?}"),
            }
        };
        text.append(&mut page.text);
        if is_over {
            break;
        }
        // In the middle of the flood, without a word.
        drop(page);
        page = Page::again(&lab, "console", &session, text.len() as u64).await;
        said = page.offset;
        assert_eq!(page.hello["resumed"], true);
        assert_eq!(
            (&page.hello["offset"], &page.hello["lost"]),
            (&text.len().into(), &0.into())
        );
    }
    assert!(
        text == expected.as_bytes(),
        "{} of {} bytes",
        text.len(),
        expected.len()
    );
}

/// Many that print at once: each has its share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_starves_among_many_floods() {
    const PAGES: usize = 24;
    const ENOUGH: u64 = 3 << 20;
    let lab = Lab::with(shell("exec yes")).await;
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        pages.push(Page::open(&lab, "console").await);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let tasks: Vec<_> = pages
        .into_iter()
        .map(|mut page| {
            let (stop, stopped) = (stop.clone(), stopped.clone());
            tokio::spawn(async move {
                while page.offset < ENOUGH && !*stopped.borrow() {
                    if matches!(page.hears().await, Heard::Data(_)) {
                        page.text.clear();
                        page.acknowledge().await;
                    }
                }
                // The first that has enough ends it for all.
                stop.send_replace(true);
                page.offset
            })
        })
        .collect();
    let mut read = Vec::new();
    for task in tasks {
        read.push(task.await.unwrap());
    }
    read.sort_unstable();
    let (least, most) = (read[0], read[PAGES - 1]);
    assert!(least * 4 >= most, "{read:?}");
}
