//! A minute of keys, clicks, pastes and sizes by chance: the console neither panics nor leaks, and still answers.

use std::fs;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::support::{Image, Lab, Screen, until};

const MINUTE: Duration = Duration::from_secs(60);
/// How long a key is waited for that may change nothing.
const MOMENT: Duration = Duration::from_millis(15);
/// How long an answer takes at most that is one.
const ANSWER: Duration = Duration::from_secs(4);

/// All that acts but what ends the program, suspends it, or begins the palette, which knows how to set this computer up.
const KEYS: &str = "j k h l g G n N o O V * y Y U M 1 2 3 4 5 6 d u x X R D L s S c e E a A + z p b P t T w f F r v / m ? - [ ] , . < > ' % \
    | \" ! $ & ~ ( ) 0 7 9 enter esc tab shift-tab space backspace up down left right home end pageup pagedown insert delete \
    f1 f2 f3 f5 ctrl-a ctrl-b ctrl-d ctrl-e ctrl-f ctrl-g ctrl-h ctrl-k ctrl-l ctrl-n ctrl-o ctrl-r ctrl-s ctrl-t ctrl-u \
    ctrl-v ctrl-w ctrl-x ctrl-y ctrl-] alt-x alt-b ctrl-left ctrl-right";

/// What is pasted: hostile, wide, long, of several lines.
const PASTES: [&str; 5] = [
    "web",
    "\x1b[201~\x1b]0;x\x07",
    "漢字 👩‍👩‍👧 é",
    "a\nb\r\nc",
    "10.0.0.0/8 \u{202e}x",
];

fn random_step(rng: &mut Rng, screen: &mut Screen, keys: &[&str], size: &mut (u16, u16)) {
    match rng.u8(..100) {
        0..3 => {
            *size = (rng.u16(1..200), rng.u16(1..60));
            screen.resize(size.0, size.1);
        }
        3..5 => screen.pastes(PASTES[rng.usize(..PASTES.len())]),
        5 => screen.pastes(&"x".repeat(rng.usize(..20_000))),
        6..14 => {
            let (x, y) = (rng.u16(1..=size.0), rng.u16(1..=size.1));
            // Buttons, motion with one of them, and the wheel (xterm, SGR 1006).
            let kind = [0, 1, 2, 32, 64, 65][rng.usize(..6)];
            let end = if rng.bool() { 'M' } else { 'm' };
            screen.send(format!("\x1b[<{kind};{x};{y}{end}").as_bytes());
        }
        14..18 => {
            // The palette, in which nothing is begun.
            screen.press(":");
            for _ in 0..rng.usize(..12) {
                screen.types(&rng.alphanumeric().to_string());
            }
            screen.press("esc");
            screen.more_than(u64::MAX, MOMENT);
        }
        18..20 => screen.send(b"\x1b[O\x1b[I"),
        20..30 => {
            for _ in 0..rng.usize(..8) {
                screen.types(&rng.lowercase().to_string().replace('q', "k"));
            }
        }
        _ => screen.press(keys[rng.usize(..keys.len())]),
    }
}

/// What a process has: descriptors, threads, and KiB of memory.
fn holds(pid: i32) -> (usize, usize, u64) {
    let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    (count("fd"), count("task"), kib)
}

#[test]
fn a_minute_of_anything_neither_ends_the_console_nor_fills_it() {
    let seed = std::env::var("SISTEMO_TEST_SEED")
        .ok()
        .map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("this run again: SISTEMO_TEST_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let lab = Lab::new();
    // One machine runs, so that keys go into shells, too.
    let tiny = lab.image(Image::Tiny);
    lab.run(&format!("machine deploy {tiny} --name live")).ok();
    lab.run("volume create 16M --name data").ok();
    lab.run("network create other").ok();
    for (name, status) in [("web", "stopped"), ("db", "failed"), ("cache", "stopped")] {
        let id = format!("00000000-0000-4000-8000-{:012}", name.len());
        lab.store(&format!(
            "INSERT INTO machines (id, name, status, spec, image, created_at) VALUES ('{id}', '{name}', '{status}', \
             '{{\"vcpus\":1,\"memory\":134217728,\"command\":null}}', 'debian', '2026-01-01T00:00:00.000Z')"
        ));
        let folder = lab.data_dir().join("machines").join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("console.log"),
            "a line\nerror: another\n".repeat(5000),
        )
        .unwrap();
    }

    // Nothing that it does leaves the lab: it has no way out, and begins where it may write.
    let mut command = lab.command("", &[]);
    let home = fs::File::open(format!("/run/netns/{}", lab.namespace)).unwrap();
    command.current_dir(lab.folder()).env("HOME", lab.folder());
    // SAFETY: setns is async-signal-safe, and the closure allocates nothing.
    unsafe {
        command.pre_exec(move || {
            Ok(nix::sched::setns(
                &home,
                nix::sched::CloneFlags::CLONE_NEWNET,
            )?)
        });
    }
    let mut size = (100, 30);
    let mut screen = Screen::of(command, size.0, size.1);
    screen.sees("NAV");
    screen.press("/");
    screen.types("live");
    screen.press("enter");
    // On a busy computer the machines come later than the screen.
    screen.sees("1 shown");
    screen.press("s");
    screen.sees("BusyBox");
    let keys: Vec<&str> = KEYS.split_whitespace().collect();
    let begun = Instant::now();
    let mut first = None;
    while begun.elapsed() < MINUTE {
        let seen = screen.more_than(0, MOMENT);
        random_step(&mut rng, &mut screen, &keys, &mut size);
        screen.more_than(seen, MOMENT);
        if first.is_none() && begun.elapsed() > MINUTE / 4 {
            first = Some(holds(screen.pid()));
        }
    }

    // It finds its way back from wherever it is, and answers. Each try waits for the answer to the last: whoever goes by
    // what was there before leaves the shells and enters them again.
    screen.resize(100, 30);
    let answers = |screen: &mut Screen| {
        screen.press("1 ?");
        screen.shows_within(ANSWER, |text| text.contains("In the list of machines"))
    };
    let mut answered = answers(&mut screen);
    for round in 0..12 {
        if answered.is_ok() {
            break;
        }
        // Out of a form, whose question is answered; and, every other time, out of the shells.
        let out: &[&str] = match round % 2 {
            0 => &["esc", "y", "esc"],
            _ => &["esc", "y", "esc", "ctrl-] d"],
        };
        for keys in out {
            screen.press(keys);
            screen.more_than(u64::MAX, 4 * MOMENT);
        }
        answered = answers(&mut screen);
    }
    if let Err(why) = answered {
        panic!("it does not find back, {why}");
    }
    screen.press("esc");
    screen.gone("In the list of machines");
    // Its shells end with it, if it is still there.
    lab.run("machine delete live -y");
    let (descriptors, threads, _) = first.unwrap();
    until("what was begun has ended, and left nothing", || {
        let now = holds(screen.pid());
        now.0 <= descriptors + 16 && now.1 <= threads + 16
    });
    let (_, _, kib) = holds(screen.pid());
    assert!(kib < 256 << 10, "{kib} KiB are resident");
    screen.press("q");
    screen.until("it does not ask, nor end", |text| {
        text.contains("Quit?") || !text.contains("NAV")
    });
    screen.press("y");
    assert!(screen.ends().success());
}
