//! Programs in a terminal of their own, as the console is.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use sistemo::vmm::Process;
use tokio::time::timeout;

use super::{Heard, Lab, Page};
use crate::shell::fake::LONG;
use crate::web::terminal::frame::FromPage;
use crate::web::terminal::program::Program;

fn shell(script: &str) -> Program {
    Program::new("/bin/sh")
        .env("PATH", "/usr/bin:/bin")
        .arg("-c")
        .arg(script)
}

#[tokio::test]
async fn it_knows_its_terminal_and_little_else() {
    let script = "stty size; tty | cut -c1-9; env | grep -v PWD | grep -v ^_ | sort; ps -o sid= -p $$; echo $$ over";
    let lab = Lab::with(shell(script)).await;
    let mut page = Page::open(&lab, "console?cols=90&rows=30").await;
    assert_eq!(page.hello["kind"], "console");
    assert_eq!(page.hello["machine"], serde_json::Value::Null);
    let told = page.becomes("ended").await;
    assert_eq!(told["exit"], 0);
    let text = String::from_utf8(page.text.clone()).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let known = [
        "30 90",
        "/dev/pts/",
        "COLORTERM=truecolor",
        "LC_CTYPE=C.UTF-8",
        "PATH=/usr/bin:/bin",
        "TERM=xterm-256color",
    ];
    assert_eq!(lines[..6], known, "{text}");
    // It leads a session.
    assert_eq!(lines[7], format!("{} over", lines[6]));
}

#[tokio::test]
async fn it_hears_of_sizes_and_takes_what_is_typed() {
    let script = "trap 'echo now $(stty size)' WINCH; echo ready; while read line; do echo heard $line; done; exit 7";
    let lab = Lab::with(shell(script)).await;
    let mut page = Page::open(&lab, "console").await;
    page.shows("ready").await;
    page.send(FromPage::Resize { cols: 70, rows: 20 }).await;
    // `read` may be at its work again when the trap runs.
    page.types("one\r").await;
    page.shows("heard one").await;
    page.shows("now 20 70").await;
    page.types("\u{4}").await;
    assert_eq!(page.becomes("ended").await["exit"], 7);
    page.send(FromPage::Again).await;
    page.text.clear();
    page.shows("ready").await;
}

#[tokio::test]
async fn one_that_minds_nothing_is_killed_with_all_of_its_group() {
    let script = "trap '' HUP TERM; sleep 1000 & echo $! $$ ready; wait; while :; do sleep 1; done";
    let lab = Lab::with(shell(script)).await;
    let mut page = Page::open(&lab, "console").await;
    page.shows("ready").await;
    let text = String::from_utf8(page.text.clone()).unwrap();
    let pids: Vec<u32> = text
        .split_whitespace()
        .take(2)
        .map(|pid| pid.parse().unwrap())
        .collect();
    let processes: Vec<Process> = pids
        .iter()
        .map(|pid| Process::with_pid(*pid).unwrap())
        .collect();
    let begun = std::time::Instant::now();
    page.send(FromPage::Close).await;
    assert_eq!(page.is_closed().await, Heard::Closed(1000, "closed".into()));
    for process in processes {
        timeout(LONG, process.wait_exit()).await.unwrap().unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn one_that_cannot_be_run_is_said_to_be_so() {
    let lab = Lab::with(Program::new("/nonexistent/sistemo")).await;
    let mut page = Page::open(&lab, "console").await;
    let told = page.becomes("refused").await;
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with("cannot run /nonexistent/sistemo"),
        "{message}"
    );
}

/// A large paste arrives whole, though the program's terminal takes little at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_paste_arrives_whole() {
    let script = "stty raw -echo; echo ready; head -c 1000000 | cksum; stty sane; echo over";
    let lab = Lab::with(shell(script)).await;
    let mut page = Page::open(&lab, "console").await;
    page.shows("ready").await;
    let text = "0123456789".repeat(100_000);
    for piece in text.as_bytes().chunks(32 << 10) {
        page.types(std::str::from_utf8(piece).unwrap()).await;
    }
    page.shows("over").await;
    let shown = String::from_utf8_lossy(&page.text);
    assert!(shown.contains(&checksum(text.as_bytes())), "{shown}");
}

/// What cksum(1) says of these bytes.
fn checksum(bytes: &[u8]) -> String {
    let sum = Command::new("cksum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut sum = sum.unwrap();
    sum.stdin.take().unwrap().write_all(bytes).unwrap();
    let said = sum.wait_with_output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().into()
}
