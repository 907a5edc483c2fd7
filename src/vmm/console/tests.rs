use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::marks::Marks;
use super::*;

#[test]
fn the_kernels_last_words_say_how_it_ended() {
    let panic = "[    1.2] Run /init as init process\r\n\
        [    1.3] Kernel panic - not syncing: No working init found.\r\n\
        [    1.4] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\r\n";
    assert_eq!(
        last_words(panic),
        Ending::Panicked {
            words: "No working init found.".into()
        }
    );
    assert_eq!(
        last_words("[   9.0] reboot: Power off not available: System halted instead\r\n"),
        Ending::PoweredOff
    );
    assert_eq!(
        last_words("x\n[   9.0] reboot: Power down\r\n"),
        Ending::PoweredOff
    );
    let restart = "[   9.0] reboot: Restarting system\r\n[   9.0] reboot: machine restart\r\n";
    assert_eq!(last_words(restart), Ending::Restarted);
    assert_eq!(last_words("[   9.0] e1000: link up\r\n"), Ending::Unsaid);
    assert_eq!(last_words(""), Ending::Unsaid);
}

#[test]
fn each_boot_begins_a_log_and_keeps_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("console.log");
    for text in ["one", "two", "three"] {
        begin(&path).unwrap().write_all(text.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    assert_eq!(fs::read_to_string(previous(&path)).unwrap(), "two");
}

/// A file system of a test's own, on a file or in memory; unmounted when dropped.
struct Mounted {
    folder: tempfile::TempDir,
    at: PathBuf,
    /// Whether a cut copies the end of a log.
    is_copied: bool,
}

impl Mounted {
    /// The kind is what mkfs and mount call it, the size what it takes at least.
    fn new(kind: &str, size: u64) -> Mounted {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("at"));
        std::fs::create_dir(&at).unwrap();
        let run = |program: &str, words: &[&std::ffi::OsStr]| {
            let done = Command::new(program).args(words).output().unwrap();
            assert!(done.status.success(), "{program}: {done:?}");
        };
        if kind == "tmpfs" {
            run(
                "mount",
                &[
                    "-t".as_ref(),
                    "tmpfs".as_ref(),
                    "none".as_ref(),
                    at.as_ref(),
                ],
            );
        } else {
            File::create(&image).unwrap().set_len(size << 20).unwrap();
            run(&format!("mkfs.{kind}"), &["-q".as_ref(), image.as_ref()]);
            let how = ["-o", "loop", "-t", kind].map(std::ffi::OsStr::new);
            run(
                "mount",
                &[&how[..], &[image.as_ref(), at.as_ref()]].concat(),
            );
        }
        let is_copied = ["btrfs", "tmpfs"].contains(&kind);
        Mounted {
            folder,
            at,
            is_copied,
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.at).status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "{:?}",
            self.folder
        );
    }
}

/// Where logs are cut without losing anything, and where the end is copied.
fn collapsing() -> [Mounted; 2] {
    [Mounted::new("ext4", 32), Mounted::new("xfs", 300)]
}

fn shifting() -> [Mounted; 2] {
    [Mounted::new("btrfs", 128), Mounted::new("tmpfs", 0)]
}

/// Lines of various lengths that count up.
fn lines(from: u64, to: u64) -> Vec<u8> {
    let line = |number: u64| format!("{number} {}\n", "x".repeat((number * 7 % 160) as usize));
    (from..to)
        .flat_map(|number| line(number).into_bytes())
        .collect()
}

/// The numbers of the lines in order, each with whether something was left out before it. Every line must be whole.
fn numbers(log: &mut Log) -> Vec<(u64, bool)> {
    let (mut at, mut text, mut found) = (0, Vec::new(), Vec::new());
    loop {
        let piece = log.read(at, 10_000).unwrap();
        if piece.bytes.is_empty() {
            assert!(text.is_empty(), "{text:?}");
            return found;
        }
        assert_eq!(piece.at, at + piece.left_out);
        let mut gap = piece.left_out > 0;
        assert!(!gap || text.is_empty(), "whole lines stay");
        at = piece.end();
        text.extend(piece.bytes);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let number = std::str::from_utf8(&line).unwrap();
            let number = number.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(lines(number, number + 1), line);
            found.push((number, std::mem::take(&mut gap)));
        }
    }
}

/// Checks that numbers follow one another but where something was left out.
#[track_caller]
fn follow(numbers: &[(u64, bool)]) {
    for pair in numbers.windows(2) {
        let [(before, _), (now, gap)] = pair else {
            unreachable!()
        };
        assert!(before < now && (*gap || before + 1 == *now), "{pair:?}");
    }
}

fn least() -> Bound {
    Bound::new(Bound::LEAST)
}

/// Makes so many of the steps of a cut, as one who is killed then; half of one, when it is the one that copies.
fn cut_short(path: &Path, steps: usize, and_half: bool) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let place = marks::path(path);
    let mut marks = Marks::load(&place, marks::inode(&file).unwrap())
        .unwrap()
        .unwrap();
    let size = file.metadata().unwrap().len();
    let mut left = steps;
    let mut next = || {
        let is_made = left > 0;
        left = left.saturating_sub(1);
        is_made
    };
    if !next() {
        return;
    }
    assert!(keep::begin(&file, &place, &mut marks, size, least()).unwrap());
    let (at, until) = (marks.cut.at, marks.cut.going.unwrap().until);
    if next() {
        keep::empty(&file, at, until).unwrap();
    }
    if next() {
        marks::append(&place, "emptied").unwrap();
    }
    if next() {
        assert_eq!(keep::close(&file, at, until).unwrap(), until - at);
    } else if and_half {
        let mut half = vec![0; 100_000];
        file.read_exact_at(&mut half, until).unwrap();
        file.write_all_at(&half, at).unwrap();
    }
    if next() {
        marks::append(&place, &format!("done {}", until - at)).unwrap();
    }
}

const STEPS: usize = 5;

#[test]
fn a_log_that_grows_stays_small_and_keeps_its_beginning_and_its_end() {
    for mounted in collapsing().into_iter().chain(shifting()) {
        let path = mounted.at.join("console.log");
        let mut writer = begin(&path).unwrap();
        let mut keeper = Keeper::open(&path).unwrap();
        let mut follower = Log::open(&path).unwrap().unwrap();
        let (mut at, mut left_out, mut seen) = (0, 0, 0);
        let mut written = 0;
        for round in 0..40 {
            let text = lines(round * 1000, round * 1000 + 1000);
            writer.write_all(&text).unwrap();
            written += text.len() as u64;
            assert!(keeper.note(None).unwrap());
            assert!(!keeper.note(None).unwrap(), "it has not grown since");
            if keeper.is_over(least()).unwrap() {
                keeper.cut(least()).unwrap();
            }
            let facts = path.metadata().unwrap();
            assert!(facts.len() <= Bound::LEAST);
            // XFS allocates ahead of who appends.
            assert!(facts.blocks() * 512 <= 2 * Bound::LEAST);
            // One that lags behind is told what it missed.
            if round % 7 == 0 {
                loop {
                    let piece = follower.read(at, 1 << 16).unwrap();
                    if piece.bytes.is_empty() {
                        break;
                    }
                    (left_out, seen) = (left_out + piece.left_out, seen + piece.bytes.len() as u64);
                    at = piece.end();
                }
                assert_eq!((at, left_out + seen), (written, written));
            }
        }
        assert!(left_out > 0);
        let mut log = Log::open(&path).unwrap().unwrap();
        assert_eq!(log.length().unwrap(), written);
        let numbers = numbers(&mut log);
        follow(&numbers);
        assert_eq!(numbers[0], (0, false));
        assert_eq!(numbers.last(), Some(&(39_999, false)));
        assert_eq!(numbers.iter().filter(|(_, gap)| *gap).count(), 1);
        // The last lines, near and beyond what was left out.
        for count in [1, 100, 3000, numbers.len() - 1, numbers.len(), 1 << 20] {
            let start = log.last_lines(count).unwrap();
            let first = log.read(start, 1 << 10).unwrap().bytes;
            let first = String::from_utf8(first).unwrap();
            let wanted = numbers[numbers.len().saturating_sub(count)].0;
            assert!(first.starts_with(&format!("{wanted} ")), "{count}: {first}");
        }
        // It goes on after a restart, and the one before stays readable.
        drop(writer);
        begin(&path).unwrap().write_all(b"again\n").unwrap();
        let mut before = Log::open(&previous(&path)).unwrap().unwrap();
        assert_eq!(self::numbers(&mut before), numbers);
        assert_eq!(
            log.length().unwrap(),
            written,
            "an open one stays what it is"
        );
        assert!(!log.is_current());
        let mut now = Log::open(&path).unwrap().unwrap();
        assert_eq!(now.read(0, 100).unwrap().bytes, b"again\n");
    }
}

#[test]
fn nothing_that_is_written_meanwhile_is_lost_or_told_twice() {
    for mounted in collapsing() {
        let path = mounted.at.join("console.log");
        let mut writer = begin(&path).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..200_000 {
                    writer.write_all(&lines(number, number + 1)).unwrap();
                }
                over.store(true, Ordering::Release);
            });
            scope.spawn(|| {
                let mut keeper = Keeper::open(&path).unwrap();
                while !over.load(Ordering::Acquire) {
                    keeper.note(None).unwrap();
                    if keeper.is_over(least()).unwrap() {
                        keeper.cut(least()).unwrap();
                    }
                }
            });
            scope.spawn(|| {
                let mut log = Log::open(&path).unwrap().unwrap();
                let (mut at, mut text, mut found) = (0, Vec::new(), Vec::new());
                while found.last().is_none_or(|(number, _)| *number < 199_999) {
                    let piece = log.read(at, 10_000).unwrap();
                    if piece.left_out > 0 {
                        // The line that it was in the middle of.
                        text.clear();
                    }
                    let mut gap = piece.left_out > 0;
                    at = piece.end();
                    text.extend(piece.bytes);
                    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = text.drain(..=end).collect();
                        let line = String::from_utf8(line).unwrap();
                        let number = line.split(' ').next().unwrap().parse().unwrap();
                        assert_eq!(lines(number, number + 1), line.as_bytes());
                        found.push((number, std::mem::take(&mut gap)));
                    }
                }
                follow(&found);
            });
        });
        let mut log = Log::open(&path).unwrap().unwrap();
        let numbers = numbers(&mut log);
        follow(&numbers);
        assert_eq!(numbers.last().unwrap().0, 199_999);
    }
}

#[test]
fn a_cut_that_was_interrupted_is_ended_by_whoever_finds_it() {
    for mounted in collapsing().into_iter().chain(shifting()) {
        let is_copied = mounted.is_copied;
        let ways = (0..=STEPS).map(|steps| (steps, false));
        for (steps, and_half) in ways.chain(is_copied.then_some((3, true))) {
            // What the guest writes before anybody looks again.
            for later in [0, 1000, 30_000] {
                let case = format!("{steps} {and_half} {later} {:?}", mounted.at);
                let path = mounted.at.join("console.log");
                let mut writer = begin(&path).unwrap();
                writer.write_all(&lines(0, 15_000)).unwrap();
                drop(Keeper::open(&path).unwrap());
                cut_short(&path, steps, and_half);
                writer.write_all(&lines(15_000, 15_000 + later)).unwrap();
                let mut log = Log::open(&path).unwrap().unwrap();
                let found = numbers(&mut log);
                follow(&found);
                assert_eq!(found.last().unwrap().0, 14_999 + later, "{case}");
                let gaps = found.iter().filter(|(_, gap)| *gap).count();
                assert_eq!(gaps, usize::from(steps > 0), "{case}");
                let whole = lines(0, 15_000 + later).len() as u64;
                assert_eq!(log.length().unwrap(), whole, "{case}");
                // And the next cut is none the worse for it.
                let mut keeper = Keeper::open(&path).unwrap();
                keeper.cut(least()).unwrap();
                follow(&numbers(&mut log));
                assert_eq!(log.length().unwrap(), whole, "{case}");
            }
        }
    }
}

#[test]
fn a_log_is_read_from_a_time_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("console.log");
    let mut writer = begin(&path).unwrap();
    let write = |writer: &mut File, text: &str| writer.write_all(text.as_bytes()).unwrap();
    write(&mut writer, "one\ntwo\nthree, ");
    let inode = marks::inode(&writer).unwrap();
    let grown = "grown 1000 15\n";
    std::fs::write(marks::path(&path), format!("log {inode}\n{grown}")).unwrap();
    write(&mut writer, "and more\nfour\n");
    let mut log = Log::open(&path).unwrap().unwrap();
    let written = log.time_of(29).unwrap();
    assert!(
        written > 1_700_000_000_000,
        "{written}: when the file was written to"
    );
    let from = |log: &mut Log, time: u64| {
        let start = log.first_since(time).unwrap();
        String::from_utf8(log.read(start, 100).unwrap().bytes).unwrap()
    };
    assert_eq!(from(&mut log, 1000), "one\ntwo\nthree, and more\nfour\n");
    // A line is as old as its end.
    assert_eq!(from(&mut log, 1001), "three, and more\nfour\n");
    assert_eq!(from(&mut log, written + 1), "");
    let grown = "grown 1000 15\ngrown 2000 24\ngrown 3000 29\n";
    std::fs::write(marks::path(&path), format!("log {inode}\n{grown}")).unwrap();
    assert_eq!(from(&mut log, 1001), "three, and more\nfour\n");
    assert_eq!(from(&mut log, 2001), "four\n");
    let ends = [3, 7, 23, 28];
    assert_eq!(
        ends.map(|at| log.time_of(at).unwrap()),
        [1000, 1000, 2000, 3000]
    );
    assert_eq!(ends.map(|at| log.not_before(at)), [0, 0, 1000, 2000]);
    // Who knows that nothing was said for a while says so.
    let silent = Some(Duration::from_millis(250));
    let mut keeper = Keeper::open(&path).unwrap();
    write(&mut writer, "five\n");
    assert!(keeper.note(silent).unwrap());
    let mut log = Log::open(&path).unwrap().unwrap();
    let (earliest, latest) = (log.not_before(33), log.time_of(33).unwrap());
    assert_eq!(earliest + 250, latest);
    assert_eq!(log.not_before(28), 2000);
    assert_eq!(from(&mut log, latest - 1000), "five\n");
    // Without marks more is shown, not less.
    std::fs::remove_file(marks::path(&path)).unwrap();
    let mut log = Log::open(&path).unwrap().unwrap();
    let all = "one\ntwo\nthree, and more\nfour\nfive\n";
    assert_eq!(from(&mut log, 2001), all);
    let written = log.time_of(0).unwrap();
    assert_eq!(from(&mut log, written + 1), "");
}
