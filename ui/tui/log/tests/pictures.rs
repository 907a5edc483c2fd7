//! What a log looks like.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crossterm::event::KeyCode;

use super::super::LogAction::{self, *};
use super::super::LogView;
use super::screen::{Screen, look};

/// The log of a boot, with what guests write into one.
fn boot() -> String {
    let mut text = String::from("\u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSeaBIOS (version 1.16)\r\n");
    for number in 0..30 {
        text += &format!("[    0.{number:06}] pci 0000:00:{number:02x}.0: [1af4:1000] type 00\r\n");
    }
    text += "[    0.310000] ACPI: Added _OSI(Module Device)\r\n";
    text += "[    0.320000] EXT4-fs (vda): re-mounted. Opts: errors=remount-ro\r\n";
    text += "[    0.330000] usb 1-1: device descriptor read/64, error -71\r\n";
    text += "[\u{1b}[0;32m  OK  \u{1b}[0m] Started \u{1b}[0;1;39mNetwork\u{1b}[0m.\r\n";
    text += "[\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to start \u{1b}[0;1;39mWeb\u{1b}[0m.\r\n";
    text += "fetching 10%\rfetching 50%\rfetching 100%\r\n";
    text += "\u{1b}]0;owned\u{7}\u{1b}[38;5;208morange\u{1b}[0m \u{1b}[48;2;0;0;95mon blue\u{1b}[0m\r\n";
    text += "日本語のログ e\u{301}te\u{301} 👍 done\r\n";
    text += "bytes that are no text: ";
    text
}

fn screen(width: u16, height: u16) -> Screen {
    let mut text = boot().into_bytes();
    text.extend(b"\xff\xfe\xc3(\r\n");
    let long = "x".repeat(200);
    text.extend(format!("a long line {long} and its end\r\nweb login: ").bytes());
    let mut screen = Screen::new(text, width, height);
    screen.settled();
    screen
}

fn picture(screen: &mut Screen) -> String {
    screen.settled();
    screen.picture()
}

/// With names of sizes, of which there are two.
fn at_both_sizes(name: &str, prepare: impl Fn(&mut Screen)) {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut screen = screen(width, height);
        prepare(&mut screen);
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), picture(&mut screen));
    }
}

#[test]
fn a_log_is_followed_in_its_colours() {
    at_both_sizes("followed", |_| {});
}

#[test]
fn long_lines_are_wrapped() {
    at_both_sizes("wrapped", |screen| screen.acts(&[Wrap]));
}

#[test]
fn long_lines_are_gone_along() {
    at_both_sizes("aside", |screen| screen.acts(&[Up, Right, Right]));
}

#[test]
fn times_are_shown() {
    at_both_sizes("times", |screen| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_250);
        let file = File::options().write(true).open(screen.path()).unwrap();
        file.set_modified(time).unwrap();
        screen.acts(&[Times]);
    });
}

#[test]
fn what_is_searched_for_is_highlighted() {
    at_both_sizes("search", |screen| {
        screen.enter(Search, r"type \d+");
        screen.acts(&[Next, Next]);
    });
}

#[test]
fn lines_are_filtered() {
    at_both_sizes("filter", |screen| {
        screen.enter(Filter, "pci|start");
        screen.acts(&[Wrap]);
    });
    at_both_sizes("filter-inverted", |screen| screen.enter(Filter, "!pci"));
    at_both_sizes("filter-nothing", |screen| screen.enter(Filter, "nowhere"));
}

#[test]
fn errors_are_gone_to() {
    at_both_sizes("errors", |screen| {
        screen.acts(&[First, NextError, NextError]);
    });
}

#[test]
fn lines_are_marked() {
    at_both_sizes("marked", |screen| {
        screen.acts(&[First, Down, Mark, Down, Down, Down]);
    });
}

#[test]
fn a_pattern_is_typed() {
    at_both_sizes("typing", |screen| {
        let _ = screen.act(Search);
        screen.type_text("type [");
        screen.key(KeyCode::Left);
    });
}

#[test]
fn a_log_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut screen = Screen::of(folder, 60, 5);
    insta::assert_snapshot!("empty", picture(&mut screen));
    std::fs::write(screen.path(), "first words\n").unwrap();
    screen.view.pages.source().grown();
    screen.wait();
    insta::assert_snapshot!("begun", picture(&mut screen));
}

#[test]
fn a_line_of_ninety_thousand_characters_is_drawn_in_part() {
    let text = format!("short\n{}\nend\n", "0123456789".repeat(9000));
    let mut screen = Screen::new(text, 60, 6);
    screen.acts(&[First, Down, Wrap]);
    screen.settled();
    let wrapped = screen.picture();
    screen.acts(&[Last]);
    insta::assert_snapshot!(
        "very-long",
        format!("{wrapped}----\n{}", picture(&mut screen))
    );
}

#[test]
fn nothing_that_a_terminal_would_act_on_is_drawn() {
    let mut hostile = String::new();
    for text in [
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{9b}2J",
        "\u{1b}P$q\u{1b}\\",
        "\u{202e}",
        "\u{7}",
        "\u{1b}[6n",
    ] {
        hostile += &format!("a{text}b\t{text}c\n");
    }
    for byte in 0..=255_u8 {
        hostile += &format!("{}x", char::from(byte));
    }
    let mut screen = Screen::new(hostile, 80, 24);
    screen.acts(&[Wrap, Times]);
    let buffer = screen.buffer();
    for cell in buffer.content() {
        assert!(!cell.symbol().contains(char::is_control), "{cell:?}");
        assert!(!cell.symbol().contains('\u{202e}'), "{cell:?}");
    }
    assert!(
        screen.rows()[0].ends_with("ab      c"),
        "{:?}",
        screen.rows()
    );
}

#[test]
fn where_something_was_cut_out_is_said() {
    use super::large;
    let mut screen = large::cut(60, 8);
    insta::assert_snapshot!("gap", picture(&mut screen));
}

#[test]
fn a_narrow_screen_says_what_matters_most() {
    let mut screen = screen(40, 6);
    screen.enter(Search, "pci");
    screen.acts(&[Wrap]);
    insta::assert_snapshot!("narrow", picture(&mut screen));
    for (width, height) in [(1, 1), (2, 1), (3, 2), (1, 9)] {
        screen.size = ratatui::layout::Size { width, height };
        let _ = screen.view.refresh(screen.size);
        let _ = screen.act(LogAction::Up);
        screen.buffer();
    }
}

#[test]
fn an_ascii_terminal_gets_ascii() {
    let mut text = boot();
    text.retain(|letter| letter.is_ascii());
    let mut screen = Screen::new(text, 80, 10);
    screen.acts(&[Mark, Up, Up]);
    screen.settled();
    let area = ratatui::layout::Rect::new(0, 0, 80, 10);
    let mut buffer = ratatui::buffer::Buffer::empty(area);
    let look = super::super::LogLook {
        ascii: true,
        ..look()
    };
    LogView::draw(&screen.view, area, &mut buffer, &look);
    let symbols: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
    assert!(symbols.is_ascii(), "{symbols}");
    assert!(symbols.contains('>') && symbols.contains('|'));
}
