//! Boot logs: how much of them stays, and what is shown of them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Image, Lab, until};

fn log_of(lab: &Lab, name: &str) -> PathBuf {
    let folder = lab.data_dir().join("machines").join(lab.field(name, "id"));
    folder.join("console.log")
}

/// Has the guest's kernel say nothing but emergencies on its console, where it would break into others' lines.
fn silence_kernel(lab: &Lab, name: &str) {
    lab.run(&format!("machine exec {name} dmesg -n 1")).ok();
}

/// Has the guest say something on its console, and waits until it is known when.
fn says(lab: &Lab, name: &str, command: &str) {
    lab.run(&format!(
        "machine exec {name} '{{ {command}; }} > /dev/ttyS0'"
    ))
    .ok();
    is_noted(lab, name);
}

fn is_noted(lab: &Lab, name: &str) {
    let log = log_of(lab, name);
    let marks = log.with_file_name("console.log.marks");
    until("the log's length is noted", || {
        let length = log.metadata().unwrap().len();
        let marks = std::fs::read_to_string(&marks).unwrap_or_default();
        let last = marks.lines().rfind(|line| line.starts_with("grown "));
        last.and_then(|line| line.rsplit(' ').next()) == Some(&length.to_string())
    });
}

/// `machine logs -f`, whose output is read while it runs.
struct Following {
    child: Child,
    out: PathBuf,
}

impl Following {
    fn start(lab: &Lab, line: &str) -> Following {
        let out = lab.data_dir().join("followed");
        let child = lab
            .command(line, &[])
            .stdout(File::create(&out).unwrap())
            .spawn()
            .unwrap();
        Following { child, out }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.out).unwrap()).into_owned()
    }

    /// Interrupts it as a user would, and gives what it showed.
    fn end(mut self) -> String {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.seen()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Checks that the numbers count up, and skip some only where it is said. Comes back with whether it is said.
#[track_caller]
fn counts_up(shown: &str, last: u32) -> bool {
    let lines: Vec<&str> = shown.lines().collect();
    let is_note = |line: &str| line.ends_with(" bytes of the log were left out here]");
    let (mut before, mut gap, mut any) = (0, false, false);
    for (index, line) in lines.iter().enumerate() {
        if is_note(line) {
            (gap, any) = (true, true);
        }
        // The line that was under way when its end was cut out may be a shorter number.
        if lines.get(index + 1).is_some_and(|next| is_note(next)) {
            continue;
        }
        if let Ok(number) = line.parse::<u32>() {
            let follows = number == before + 1 || gap && number > before;
            assert!(follows, "{number} comes after {before}");
            (before, gap) = (number, false);
        }
    }
    assert_eq!(before, last);
    any
}

#[test]
fn a_guest_that_writes_forever_does_not_fill_the_disk() {
    const MOST: u64 = 1 << 20;
    // What it may write in the quarter of a second between two looks; a computer that is busy with other tests looks late.
    const SLACK: u64 = MOST;
    const LAST: u32 = 250_000;
    let mut lab = Lab::new();
    lab.set("SISTEMO_CONSOLE_LOG_MAX", "1M");
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    silence_kernel(&lab, "a");
    let log = log_of(&lab, "a");
    let following = Following::start(&lab, "machine logs a -f");
    let writing = lab.start(
        &format!("machine exec a 'seq 1 {LAST} > /dev/ttyS0'"),
        &[],
        Vec::new(),
    );
    let mut most = (0, 0);
    until("the last number is shown", || {
        let facts = log.metadata().unwrap();
        most.0 = most.0.max(facts.len());
        most.1 = most.1.max(facts.blocks() * 512);
        following.seen().ends_with(&format!("\n{LAST}\r\n"))
    });
    writing.wait().ok();
    assert!(most.0 > MOST / 2 && most.0 < MOST + SLACK, "{most:?}");
    assert!(most.1 < MOST + SLACK, "{most:?}");
    let seen = following.end();
    counts_up(&seen, LAST);
    // Whoever comes later sees the boot and the end.
    let check = |shown: &str| {
        assert!(shown.contains("Linux version"), "the boot stays");
        assert!(
            counts_up(shown, LAST),
            "it is said that something is missing"
        );
    };
    check(&lab.run("machine logs a").ok());
    let tail = lab.run("machine logs a --tail 3").ok();
    assert_eq!(tail, format!("{}\r\n{}\r\n{LAST}\r\n", LAST - 2, LAST - 1));
    let lines = lab.run("machine logs a -o json").ok();
    let missing = lines.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["left_out_bytes"].as_u64()
    });
    let missing: Vec<u64> = missing.collect();
    assert!(missing.len() == 1 && missing[0] > MOST, "{missing:?}");

    // Nobody looks after it for a while.
    let attendant = lab.attendant().unwrap();
    kill(Pid::from_raw(attendant), Signal::SIGKILL).unwrap();
    until("the attendant is gone", || {
        lab.attendant() != Some(attendant)
    });
    let more = format!(
        "machine exec a 'seq {} {} > /dev/ttyS0'",
        LAST + 1,
        LAST + 100_000
    );
    lab.run(&more).ok();
    until("it is looked after again", || {
        // One that was killed may hold its duty for a moment longer; any command sees to it that there is one.
        lab.run("machine list").ok();
        log.metadata().unwrap().len() < MOST
    });
    lab.run("machine stop a").ok();
    let shown = lab.run("machine logs a").ok();
    assert!(shown.contains("Linux version") && shown.contains("reboot: Power down"));
    assert!(counts_up(&shown, LAST + 100_000));
    // It becomes the previous one whole.
    lab.run("machine start a --no-wait").ok();
    assert_eq!(lab.run("machine logs a --previous").ok(), shown);
    lab.run("machine delete a -y").ok();
    lab.has_nothing_left();
}

#[test]
fn a_log_is_shown_from_the_end_from_a_time_and_over_restarts() {
    let lab = Lab::new();
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name a")).ok();
    lab.refuses(
        &[
            (
                "machine logs a --since soon",
                2,
                "invalid value 'soon' for '--since",
            ),
            ("machine logs a --until 25:00", 2, "\"25:00\" is not a time"),
            (
                "machine logs a --tail some",
                2,
                "it wants a number of lines",
            ),
            ("machine logs a -f --previous", 2, "cannot be used with"),
            (
                "machine logs a --previous",
                3,
                "has been started no more than once",
            ),
            ("machine logs nosuch", 3, "there is no machine"),
        ],
        "config",
    );
    silence_kernel(&lab, "a");
    says(&lab, "a", "echo first; echo second");
    let between = jiff::Timestamp::now();
    // Times are known to a quarter of a second.
    let begun = Instant::now();
    until("a while has passed", || {
        begun.elapsed() > Duration::from_secs(1)
    });
    says(&lab, "a", "echo third; echo fourth");
    let show = |flags: &str| {
        lab.run(&format!("machine logs a {flags}"))
            .ok()
            .replace('\r', "")
    };
    assert_eq!(show("--tail 3"), "second\nthird\nfourth\n");
    assert_eq!(show("-n 0"), "");
    assert_eq!(show("--tail all"), show(""));
    assert_eq!(show(&format!("--since {between}")), "third\nfourth\n");
    assert_eq!(show(&format!("--since {between} --tail 1")), "fourth\n");
    let begun = show(&format!("--until {between}"));
    assert!(
        begun.contains("Linux version") && begun.ends_with("first\nsecond\n"),
        "{begun}"
    );
    assert_eq!(show("--since 1h"), show(""));
    assert_eq!(show("--since 2099-01-01"), "");
    let stamped = show(&format!("-t --since {between}"));
    let (time, line) = stamped.lines().next().unwrap().split_once(' ').unwrap();
    assert_eq!(line, "third");
    let time: jiff::Timestamp = time.parse().unwrap();
    assert!(
        between < time && time < jiff::Timestamp::now(),
        "{between} {time}"
    );
    let lines = show("--tail 1 -o json");
    let line: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(
        (&line["line"], &line["left_out_bytes"]),
        (&"fourth".into(), &Value::Null)
    );
    assert!(line["time"].is_string(), "{line}");

    // A terminal is given nothing that it would act on, unless that is what is wanted; a pipe everything.
    let nasty = r#"printf "a\033]0;title\007b\033[31mred\033[0m\033[2Jc\n""#;
    says(&lab, "a", nasty);
    let sent = "a\u{1b}]0;title\u{7}b\u{1b}[31mred\u{1b}[0m\u{1b}[2Jc\n";
    assert_eq!(show("--tail 1"), sent);
    let seen = |flags: &str| on_a_terminal(&lab, &format!("machine logs a --tail 1 {flags}"));
    assert_eq!(
        seen("").replace('\r', ""),
        "ab\u{1b}[31mred\u{1b}[0mc\n\u{1b}[0m"
    );
    assert_eq!(seen("--raw").replace('\r', ""), sent);

    // The attendant may be killed between a line and the note of it: more is shown, not less.
    let attendant = lab.attendant().unwrap();
    kill(Pid::from_raw(attendant), Signal::SIGSTOP).unwrap();
    lab.run("machine exec a 'echo unseen > /dev/ttyS0'").ok();
    kill(Pid::from_raw(attendant), Signal::SIGKILL).unwrap();
    assert!(show(&format!("--since {between}")).ends_with("unseen\n"));

    // Following goes over a restart; a log that is put aside is the previous one.
    let before = show("");
    let following = Following::start(&lab, "machine logs a -f --tail 1");
    until("the end is shown", || following.seen() == "unseen\r\n");
    lab.run("machine restart a").ok();
    silence_kernel(&lab, "a");
    says(&lab, "a", "echo again");
    until("the new log is shown", || {
        following.seen().contains("again\r\n")
    });
    assert!(following.end().contains("Linux version"));
    let previous = show("--previous");
    assert!(previous.starts_with(&before) && previous.contains("reboot: Power down"));
    assert_eq!(show("--previous --tail 1").lines().count(), 1);
    assert!(!show("").contains("unseen"));

    // What has no time to wait for ends by itself, and so does what follows a machine that goes.
    let until_now = format!("-f --tail 1 --until {}", jiff::Timestamp::now());
    assert_eq!(show(&until_now), "again\n");
    let mut following = Following::start(&lab, "machine logs a -f");
    until("it follows", || following.seen().contains("again\r\n"));
    lab.run("machine delete a -y").ok();
    assert!(following.child.wait().unwrap().success());
    lab.has_nothing_left();
}

/// What a command writes to a terminal.
fn on_a_terminal(lab: &Lab, line: &str) -> String {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut child = lab.command(line, &[]).stdout(pty.slave).spawn().unwrap();
    let (mut shown, mut master) = (Vec::new(), File::from(pty.master));
    let mut buffer = [0; 4096];
    // Reading fails once nobody has the other end any more.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}
