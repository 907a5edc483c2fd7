//! Tests of the emulator as a whole, and what they share.

mod copy;
mod fuzz;
mod guard;
mod paint;
mod replay;
mod resize;
mod screen;
mod search;
mod select;

use alacritty_terminal::index::{Column, Line};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::view::Cursor;
use super::*;
use crate::tui::theme::Depth;

/// A pane's worker and whoever draws it are threads of their own.
#[test]
fn it_goes_from_thread_to_thread() {
    let mut emulator = fed(10, 1, b"here");
    emulator.set_search("h").unwrap();
    let there = std::thread::spawn(move || {
        emulator.advance(b" and there");
        emulator.title()
    });
    assert_eq!(there.join().unwrap(), "");
}

/// A look that changes nothing.
pub(super) fn look() -> Look {
    Look {
        depth: Depth::True,
        foreground: None,
        background: None,
        ansi: None,
        selection: Style::new().add_modifier(Modifier::REVERSED),
        found: Style::new().bg(Color::Yellow),
        found_current: Style::new().bg(Color::LightYellow),
        focused: true,
    }
}

/// An emulator of this size that has read this.
pub(super) fn fed(columns: u16, lines: u16, bytes: &[u8]) -> Emulator {
    let mut emulator = Emulator::new(columns, lines, 10_000);
    emulator.advance(bytes);
    emulator
}

/// What a pane of the emulator's size shows.
pub(super) fn painted(emulator: &mut Emulator, look: &Look) -> Buffer {
    let columns = u16::try_from(emulator.columns()).unwrap();
    let lines = u16::try_from(emulator.lines()).unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, lines));
    paint(emulator, look, buffer.area, &mut buffer);
    buffer
}

/// The rows of a pane as text, without the blanks at their ends.
pub(super) fn rows(emulator: &mut Emulator) -> Vec<String> {
    let buffer = painted(emulator, &look());
    let row = |y| row_text(&buffer, y).trim_end().to_owned();
    (0..buffer.area.height).map(row).collect()
}

/// A row as a terminal shows it: what is behind a wide character is not there.
fn row_text(buffer: &Buffer, y: u16) -> String {
    use unicode_width::UnicodeWidthStr;
    let mut text = String::new();
    let mut x = 0;
    while x < buffer.area.width {
        let symbol = buffer[(x, y)].symbol();
        text += symbol;
        x += u16::try_from(symbol.width()).unwrap().max(1);
    }
    text
}

/// A pane as text, with its cursor, and where it is not in the default style.
pub(super) fn snapshot(emulator: &mut Emulator, look: &Look) -> String {
    let buffer = painted(emulator, look);
    let mut text = String::new();
    for y in 0..buffer.area.height {
        text += &format!("│{}│\n", row_text(&buffer, y));
    }
    match emulator.cursor() {
        Some(Cursor {
            column,
            line,
            shape,
            blinks,
        }) => {
            let blinks = if blinks { ", blinking" } else { "" };
            text += &format!("cursor {line}:{column} {shape:?}{blinks}\n");
        }
        None => text += "no cursor\n",
    }
    let title = emulator.title();
    if !title.is_empty() {
        text += &format!("title {title:?}\n");
    }
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = buffer[(x, y)].style();
            let begun = x;
            while x < buffer.area.width && buffer[(x, y)].style() == style {
                x += 1;
            }
            if let Some(words) = words(style) {
                text += &format!("{y}:{begun}–{} {words}\n", x - 1);
            }
        }
    }
    text
}

fn words(style: Style) -> Option<String> {
    let mut words = Vec::new();
    let named = |color: Option<Color>| color.filter(|color| *color != Color::Reset);
    if let Some(color) = named(style.fg) {
        words.push(color.to_string());
    }
    if let Some(color) = named(style.bg) {
        words.push(format!("on {color}"));
    }
    if let Some(color) = named(style.underline_color) {
        words.push(format!("line {color}"));
    }
    let modifiers = style.add_modifier.iter_names();
    words.extend(modifiers.map(|(name, _)| name.to_lowercase()));
    (!words.is_empty()).then(|| words.join(" "))
}
