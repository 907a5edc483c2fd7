//! What comes of sequences of actions, and of what happens to a log meanwhile.

use crossterm::event::KeyCode;

use super::super::LogAction::*;
use super::super::LogRequest;
use super::screen::Screen;

fn lines(count: usize) -> String {
    (1..=count)
        .map(|number| format!("line {number}\n"))
        .collect()
}

fn screen(count: usize) -> Screen {
    let mut screen = Screen::new(lines(count), 40, 11);
    screen.settled();
    screen
}

#[test]
fn a_log_is_followed_until_one_goes_up() {
    let mut screen = screen(100);
    assert_eq!(screen.here(), "line 100");
    screen.write("line 101\nline 1");
    assert_eq!(screen.here(), "line 1");
    screen.write("02\n");
    assert_eq!(screen.here(), "line 102");
    assert!(screen.status().contains("following"), "{}", screen.status());
    screen.acts(&[Up]);
    screen.write("line 103\n");
    assert_eq!(screen.here(), "line 101");
    assert!(
        !screen.status().contains("following"),
        "{}",
        screen.status()
    );
    screen.acts(&[Down, Down, Down]);
    screen.write("line 104\n");
    assert_eq!(screen.here(), "line 103", "going down is not following");
    screen.acts(&[Last]);
    screen.write("line 105\n");
    assert_eq!(screen.here(), "line 105");
    screen.acts(&[Follow]);
    screen.write("line 106\n");
    assert_eq!(screen.here(), "line 105");
    screen.acts(&[Follow]);
    assert_eq!(screen.here(), "line 106");
}

#[test]
fn pages_are_turned() {
    let mut screen = screen(100);
    screen.acts(&[First]);
    assert_eq!(screen.rows()[0], "▌ line 1");
    screen.acts(&[HalfDown]);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("▌ line 6", "line 6")
    );
    screen.acts(&[PageDown, Down]);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("  line 16", "line 17")
    );
    screen.acts(&[PageUp]);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("  line 6", "line 7")
    );
    screen.acts(&[PageUp]);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("▌ line 1", "line 1")
    );
    for _ in 0..20 {
        screen.acts(&[PageDown]);
    }
    assert_eq!(screen.here(), "line 100");
    assert_eq!(screen.rows()[0], "  line 91");
}

#[test]
fn the_wheel_moves_the_rows_and_a_click_the_cursor() {
    let mut screen = screen(100);
    let size = screen.size;
    screen.view.wheel(-3, size);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("  line 88", "line 97")
    );
    screen.view.wheel(-2, size);
    screen.view.wheel(4, size);
    assert_eq!(
        (screen.rows()[0].as_str(), screen.here().as_str()),
        ("  line 90", "line 95")
    );
    screen.view.click(2, false, size);
    assert_eq!(screen.here(), "line 92");
    screen.view.click(4, true, size);
    screen.view.click(5, true, size);
    assert_eq!(
        screen.rows()[1..6].join(","),
        "  line 91,│ line 92,│ line 93,│ line 94,▌ line 95"
    );
    screen.view.click(200, false, size);
    assert_eq!(screen.here(), "line 95");
}

#[test]
fn lines_are_copied() {
    let mut screen = Screen::new("\u{1b}[31mred\u{1b}[0m\tx\r\ntwo\n\nfour\n", 40, 11);
    screen.settled();
    screen.acts(&[First]);
    assert_eq!(screen.act(Copy), [LogRequest::Copy("red\tx".into())]);
    screen.acts(&[Mark, Down, Down]);
    assert_eq!(
        screen.act(Copy),
        [LogRequest::Copy("red\tx\ntwo\n\n".into())]
    );
    assert!(
        screen.status().contains("copied 3 lines"),
        "{}",
        screen.status()
    );
    screen.acts(&[Last]);
    assert_eq!(
        screen.act(Copy),
        [LogRequest::Copy("four".into())],
        "nothing is marked any more"
    );
}

#[test]
fn what_is_too_much_to_copy_is_for_a_file() {
    let line = format!("{}\n", "x".repeat(999));
    let mut screen = Screen::new(line.repeat(1100), 90, 11);
    screen.settled();
    screen.acts(&[First, Mark, Last]);
    assert_eq!(screen.act(Copy), []);
    let says = "that is too much to copy: save it to a file · ";
    assert!(
        screen.status().trim().starts_with(says),
        "{}",
        screen.status()
    );
}

#[test]
fn a_log_is_saved_and_nothing_is_overwritten_unasked() {
    let mut screen = Screen::new("one\r\n\u{1b}[31mtwo\u{1b}[0m\r\nthree\r\n", 60, 11);
    screen.settled();
    let suggested = "web-boot.log".to_owned();
    assert_eq!(screen.act(Save), [LogRequest::AskPath { suggested }]);
    let path = screen.folder.path().join("saved");
    let read = || std::fs::read_to_string(&path).unwrap();
    screen.view.save(path.clone(), false);
    while !screen.status().contains("lines: 3") {
        assert_eq!(screen.wait(), []);
    }
    assert_eq!(read(), "one\ntwo\nthree\n");
    screen.acts(&[First, Mark, Down]);
    screen.view.save(path.clone(), false);
    let mut asked = screen.wait();
    while asked.is_empty() {
        asked = screen.wait();
    }
    assert_eq!(asked, [LogRequest::AskReplace(path.clone())]);
    assert_eq!(read(), "one\ntwo\nthree\n");
    screen.view.save(path.clone(), true);
    while !screen.status().contains("lines: 2") {
        assert_eq!(screen.wait(), []);
    }
    assert_eq!(read(), "one\ntwo\n");
    screen.view.escape(screen.size);
    screen.enter(Filter, "t");
    screen.view.save(path.clone(), true);
    while !screen.status().contains("lines: 2") {
        assert_eq!(screen.wait(), []);
    }
    assert_eq!(read(), "two\nthree\n");
    let folder = screen.folder.path().join("none/saved");
    screen.view.save(folder, false);
    while !screen.status().contains("not saved") {
        assert_eq!(screen.wait(), []);
    }
}

#[test]
fn a_log_that_is_closed_or_exchanged_is_saved_to_the_end() {
    let count = 400_000;
    let mut screen = Screen::new(lines(count), 90, 11);
    let path = screen.folder.path().join("saved");
    let other = screen.folder.path().join("console.log.1");
    std::fs::write(&other, "an older line\n").unwrap();
    screen.view.save(path.clone(), false);
    let reader = sistemo::machine::LogReader::open(other).unwrap();
    screen.view.replace(reader, true, screen.size);
    while !screen.status().contains("lines: 400,000") {
        assert_eq!(screen.wait(), []);
    }
    assert!(std::fs::read_to_string(&path).unwrap() == lines(count));

    let mut screen = Screen::new(lines(count), 90, 11);
    let path = screen.folder.path().join("saved");
    screen.view.save(path.clone(), false);
    let (_folder, told) = screen.close();
    let says = format!("saved to {}, lines: 400,000", path.display());
    assert_eq!(told, [(true, says)]);
    assert!(std::fs::read_to_string(&path).unwrap() == lines(count));
}

#[test]
fn another_start_is_gone_on_with_unless_one_reads() {
    let mut screen = screen(100);
    let begin = |screen: &mut Screen, text: &str| {
        let path = screen.path();
        std::fs::rename(&path, screen.folder.path().join("console.log.1")).unwrap();
        std::fs::write(&path, text).unwrap();
        screen.view.pages.source().grown();
        screen.wait();
        screen.settled();
    };
    begin(&mut screen, "second start\n");
    assert_eq!(screen.here(), "second start");
    assert!(
        screen.status().contains("started again"),
        "{}",
        screen.status()
    );
    screen.write("and more\n");
    assert_eq!(screen.here(), "and more");
    screen.acts(&[Up]);
    begin(&mut screen, "third start\n");
    assert_eq!(screen.here(), "second start");
    assert!(
        screen.status().contains("started again: the new log"),
        "{}",
        screen.status()
    );
    screen.acts(&[Last]);
    assert_eq!(screen.here(), "third start");
}

#[test]
fn a_log_that_is_begun_anew_in_place_is_read_anew() {
    let mut screen = screen(100);
    screen.acts(&[Up, Up]);
    std::fs::write(screen.path(), "other\nwords\n").unwrap();
    screen.view.pages.source().grown();
    screen.wait();
    screen.settled();
    assert_eq!(screen.rows()[..2].join(","), "  other,▌ words");
    assert!(
        screen.status().contains("line 2 of 2"),
        "{}",
        screen.status()
    );
}

#[test]
fn the_other_start_is_asked_for_and_shown_in_the_same_way() {
    let mut screen = screen(3);
    screen.enter(Search, "line");
    assert_eq!(
        screen.act(OtherStart),
        [LogRequest::Open { previous: true }]
    );
    let other = screen.folder.path().join("console.log.1");
    std::fs::write(&other, "an older line\n").unwrap();
    let reader = sistemo::machine::LogReader::open(other).unwrap();
    screen.view.replace(reader, true, screen.size);
    screen.settled();
    assert_eq!(screen.here(), "an older line");
    assert!(screen.status().contains("/line"), "{}", screen.status());
    assert_eq!(
        screen.act(OtherStart),
        [LogRequest::Open { previous: false }]
    );
}

#[test]
fn searching_goes_round_and_can_be_ended() {
    let mut screen = screen(30);
    screen.acts(&[First]);
    screen.enter(Search, "line 1$|7");
    assert_eq!(screen.here(), "line 1");
    screen.acts(&[Next]);
    assert_eq!(screen.here(), "line 7");
    screen.acts(&[Previous, Previous]);
    assert_eq!(screen.here(), "line 27");
    assert!(
        screen.status().contains("from the end"),
        "{}",
        screen.status()
    );
    screen.acts(&[Next]);
    assert_eq!(screen.here(), "line 1");
    screen.enter(Search, "");
    screen.acts(&[Next]);
    assert!(
        screen.status().ends_with(" has been searched for yet"),
        "{}",
        screen.status()
    );
    // What was typed before comes back.
    let _ = screen.act(Search);
    screen.key(KeyCode::Up);
    screen.key(KeyCode::Enter);
    assert_eq!(screen.here(), "line 1");
    let _ = screen.act(Filter);
    screen.key(KeyCode::Esc);
    assert!(!screen.view.has_input());
    assert!(
        !screen.view.escape(screen.size),
        "there is nothing left to let go of"
    );
}

#[test]
fn what_is_no_pattern_is_taken_as_it_stands() {
    let mut screen = Screen::new("[  OK  ] one\n[FAILED] two\n", 70, 5);
    screen.settled();
    screen.enter(Search, "[fail");
    screen.settled();
    assert_eq!(screen.here(), "[FAILED] two");
    assert!(
        screen.status().contains("taken as it stands"),
        "{}",
        screen.status()
    );
}

#[test]
fn a_match_far_to_the_right_is_brought_into_view() {
    let text = format!(
        "first\n{}needle{}\nlast\n",
        "x".repeat(300),
        "y".repeat(300)
    );
    let mut screen = Screen::new(text, 60, 6);
    screen.settled();
    screen.acts(&[First]);
    screen.enter(Search, "needle");
    screen.settled();
    assert!(screen.here().contains("xneedley"), "{}", screen.here());
    screen.enter(Search, "last");
    screen.settled();
    assert_eq!(screen.here(), "last", "and back to the left");
}
