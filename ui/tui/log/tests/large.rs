//! Logs that are more than a few chunks, are cut, or have lines that do not end.

use std::fmt::Write as _;

use super::super::LogAction::*;
use super::super::chunk::Chunk;
use super::super::shape::{CHUNK, Shape};
use super::screen::Screen;
use sistemo::machine::LogReader;

/// Numbered lines, so many bytes of them at least.
pub(super) fn numbered(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 100);
    let mut number = 1;
    while text.len() < bytes {
        let _ = writeln!(text, "[{number:>9}] a line of a large log, {}", number % 97);
        number += 1;
    }
    text
}

/// A log of which something was cut out, as its keeper's marks say it, shown where that was.
pub(super) fn cut(width: u16, height: u16) -> Screen {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.log");
    let (head, tail) = ("one\ntwo\nthree\n", "far later\nthe end\n");
    std::fs::write(&path, format!("{head}{tail}")).unwrap();
    let inode = std::fs::metadata(&path).unwrap().ino();
    let (at, removed) = (head.len() as u64, 3_355_443);
    let marks = format!("log {inode}\ngap {at} {removed} {at} {}\n", at + removed);
    std::fs::write(folder.path().join("console.log.marks"), marks).unwrap();
    Screen::of(folder, width, height)
}

#[test]
fn every_line_is_in_one_chunk_whatever_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.log");
    let chunk = usize::try_from(CHUNK).unwrap();
    let lengths = [
        0,
        1,
        chunk - 3,
        chunk,
        10,
        chunk * 5 + 7,
        3,
        chunk - 1,
        chunk * 2,
        0,
        chunk / 2,
        chunk,
    ];
    let mut text = Vec::new();
    for (index, length) in lengths.into_iter().enumerate() {
        text.extend(std::iter::repeat_n(b'a' + index as u8, length));
        text.push(b'\n');
    }
    text.extend(b"no end");
    std::fs::write(&path, &text).unwrap();
    let mut reader = LogReader::open(path).unwrap();
    let shape = Shape {
        length: text.len() as u64,
        gap: None,
    };
    let (mut all, mut at) = (Vec::new(), 0);
    for slot in 0..shape.slots() {
        let chunk = Chunk::read(&mut reader, shape, slot).unwrap();
        for (index, line) in chunk.lines().iter().enumerate() {
            assert_eq!(line.at, at, "lines follow each other");
            assert_eq!(shape.slot(line.at), slot);
            at = line.end;
            assert!(line.end - line.at <= 2 * CHUNK);
            let own = &text[line.at as usize..line.end as usize];
            let own = own.strip_suffix(b"\n").unwrap_or(own);
            assert_eq!(chunk.text(index), own);
            all.extend_from_slice(own);
        }
    }
    assert_eq!(at, shape.length);
    let expected: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\n').collect();
    assert!(all == expected);
}

#[test]
fn a_log_of_many_chunks_is_searched_to_its_other_end() {
    let mut text = numbered(6 << 20);
    let third = text[..text.len() / 3].rfind('\n').unwrap() + 1;
    text.insert_str(third, "the NEEDLE is here\n");
    let mut screen = Screen::new(text, 80, 24);
    assert!(
        screen.here().contains("a line of a large log"),
        "its end is there at once"
    );
    screen.enter(Search, "NEEDLE");
    screen.settled();
    assert_eq!(screen.here(), "the NEEDLE is here");
    let status = screen.status();
    assert!(status.contains("went on from the beginning"), "{status}");
    assert!(status.contains("/NEEDLE 1 of 1"), "{status}");
    screen.acts(&[Last]);
    screen.enter(Search, "nowhere to be found");
    screen.settled();
    assert!(screen.status().contains("not found"), "{}", screen.status());
}

#[test]
fn a_search_is_given_up_with_the_next_key() {
    let mut screen = Screen::new(numbered(6 << 20), 80, 24);
    screen.acts(&[First]);
    screen.enter(Search, "nowhere to be found");
    screen.acts(&[Down]);
    screen.settled();
    assert!(
        screen.here().starts_with("[        2]"),
        "{}",
        screen.here()
    );
    assert!(
        !screen.status().contains("not found"),
        "{}",
        screen.status()
    );
}

#[test]
fn lines_that_are_kept_come_as_they_are_found() {
    let mut screen = Screen::new(numbered(6 << 20), 80, 24);
    screen.acts(&[First]);
    screen.enter(Filter, r"large log, 13$");
    assert!(
        screen.here().starts_with("[       13]"),
        "{}",
        screen.here()
    );
    screen.settled();
    screen.acts(&[Last]);
    let lines = numbered(6 << 20).lines().count();
    let last = (lines - 13) / 97 * 97 + 13;
    assert!(
        screen.here().contains(&format!(" {last}]")),
        "{last} {}",
        screen.here()
    );
    let kept = (lines - 13) / 97 + 1;
    let grouped = super::super::status::grouped(kept as u64);
    let status = screen.status();
    assert!(
        status.contains(&format!("{grouped} lines")),
        "{grouped} {status}"
    );
    screen.acts(&[Up]);
    assert!(
        screen.here().contains(&format!(" {}]", last - 97)),
        "{}",
        screen.here()
    );
    // Back among all lines, where one was.
    screen.enter(Filter, "");
    screen.settled();
    assert!(
        screen.here().contains(&format!(" {}]", last - 97)),
        "{}",
        screen.here()
    );
    screen.acts(&[Up]);
    assert!(
        screen.here().contains(&format!(" {}]", last - 98)),
        "{}",
        screen.here()
    );
}

#[test]
fn lines_are_counted() {
    let text = numbered(3 << 20);
    let lines = text.lines().count() as u64;
    let mut screen = Screen::new(text, 80, 24);
    screen.settled();
    let grouped = super::super::status::grouped(lines);
    let status = screen.status();
    assert!(
        status.contains(&format!("line {grouped} of {grouped}")),
        "{status}"
    );
    screen.acts(&[Up, HalfUp]);
    let expected = super::super::status::grouped(lines - 12);
    let status = screen.status();
    assert!(
        status.contains(&format!("line {expected} of {grouped}")),
        "{status}"
    );
}

#[test]
fn one_goes_over_what_was_cut_out() {
    let mut screen = cut(60, 12);
    screen.settled();
    screen.acts(&[Up, Up]);
    assert_eq!(screen.here(), "… 3.2 MiB of the log left out here …");
    screen.acts(&[Up]);
    assert_eq!(screen.here(), "three");
    assert!(
        screen.status().contains("line 3 of 5"),
        "{}",
        screen.status()
    );
    screen.enter(Filter, "t");
    screen.settled();
    assert_eq!(
        screen.rows()[..5].join(","),
        "  two,▌ three,  far later,  the end,"
    );
    screen.enter(Search, "end");
    screen.settled();
    assert_eq!(screen.here(), "the end");
}
