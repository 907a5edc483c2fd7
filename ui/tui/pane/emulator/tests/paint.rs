//! What is drawn of a grid.

use super::*;
use crate::tui::view::text::is_harmful;

fn depth(depth: Depth) -> Look {
    Look { depth, ..look() }
}

#[test]
fn colours_and_modifiers() {
    let text = b"\x1b[31mnamed\x1b[0m \x1b[38;5;208;48;5;17mindexed\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[0m \x1b[97;100mbright\r\n\
        \x1b[0;1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[7mreversed\x1b[0m \x1b[9mstruck\x1b[0m \x1b[8mhidden\x1b[0m\r\n\
        \x1b[4mone\x1b[0m \x1b[4:2mtwo\x1b[0m \x1b[4:3mcurly\x1b[0m \x1b[4:4mdotted\x1b[0m \x1b[4:5mdashed\x1b[0m \x1b[4;58;5;9mcoloured\x1b[0m";
    insta::assert_snapshot!(snapshot(&mut fed(50, 3, text), &look()));
}

#[test]
fn every_colour_is_fitted() {
    let text = b"\x1b[38;2;1;2;3;48;5;200;4;58;2;9;9;9mx\x1b[0;31;7my";
    let mut emulator = fed(10, 1, text);
    let buffer = painted(&mut emulator, &depth(Depth::None));
    for cell in &buffer.content {
        assert_eq!((cell.fg, cell.bg, cell.underline_color), Default::default());
    }
    assert_eq!(buffer[(0, 0)].modifier, Modifier::UNDERLINED);
    assert_eq!(buffer[(1, 0)].modifier, Modifier::REVERSED);
    let buffer = painted(&mut emulator, &depth(Depth::True));
    assert_eq!(buffer[(0, 0)].underline_color, Color::Rgb(9, 9, 9));
}

#[test]
fn a_theme_has_colours_of_its_own() {
    let mut ansi = [Color::Rgb(0, 0, 0); 16];
    ansi[1] = Color::Rgb(200, 0, 0);
    let look = Look {
        foreground: Some(Color::Rgb(7, 7, 7)),
        background: Some(Color::Rgb(3, 3, 3)),
        ansi: Some(ansi),
        ..look()
    };
    let mut emulator = fed(4, 1, b"a\x1b[31mb\x1b]4;1;#010203\x07");
    let buffer = painted(&mut emulator, &look);
    assert_eq!(
        (buffer[(0, 0)].fg, buffer[(0, 0)].bg),
        (Color::Rgb(7, 7, 7), Color::Rgb(3, 3, 3))
    );
    assert_eq!(
        buffer[(1, 0)].fg,
        Color::Rgb(1, 2, 3),
        "what the guest sets comes first"
    );
    emulator.advance(b"\x1b]104\x07");
    assert_eq!(
        painted(&mut emulator, &look)[(1, 0)].fg,
        Color::Rgb(200, 0, 0)
    );
}

/// Whatever is in a cell, the user's terminal must come out where the grid is.
#[test]
fn symbols_are_as_wide_as_their_cells() {
    use unicode_width::UnicodeWidthStr;
    for text in [
        "\u{26a0}\u{fe0f}!",
        "👨\u{200d}👩\u{200d}👧!",
        "👍🏽!",
        "🇩🇪!",
        "e\u{301}!",
        "a\u{20e3}!",
        "漢\u{fe00}!",
        "ᄀ\u{1161}\u{11a8}!",
        "क\u{94d}\u{200d}ष!",
        "\u{202e}abc!",
        "a\u{ad}b\u{200b}c!",
        "a\u{2028}b\u{2029}c\u{61c}d!",
        "a\tb!",
        "\u{300}!",
    ] {
        let mut emulator = fed(20, 1, text.as_bytes());
        let grid: Vec<bool> = {
            let row = &emulator.screen.term.grid()[Line(0)];
            let wide = alacritty_terminal::term::cell::Flags::WIDE_CHAR;
            row[..]
                .iter()
                .map(|cell| cell.flags.contains(wide))
                .collect()
        };
        let buffer = painted(&mut emulator, &look());
        for (x, wide) in grid.into_iter().enumerate() {
            let symbol = buffer.content[x].symbol();
            let width = symbol.width();
            assert!(
                width == 1 || (width == 2 && wide),
                "{text:?} {x}: {symbol:?}"
            );
            assert!(
                !symbol
                    .chars()
                    .any(|c| is_harmful(c) || text::is_invisible(c)),
                "{symbol:?}"
            );
        }
        assert!(rows(&mut emulator)[0].ends_with('!'), "{text:?}");
    }
}

#[test]
fn combining_characters_stay_on_their_letters() {
    assert_eq!(
        rows(&mut fed(20, 1, "cafe\u{301} n\u{303}".as_bytes())),
        ["cafe\u{301} n\u{303}"]
    );
}

#[test]
fn wide_characters_at_the_edges() {
    let mut emulator = fed(5, 2, "漢字漢".as_bytes());
    assert_eq!(rows(&mut emulator), ["漢字", "漢"]);
    // An area that cuts through one.
    let mut buffer = Buffer::filled(Rect::new(0, 0, 8, 4), ratatui::buffer::Cell::new("#"));
    paint(&mut emulator, &look(), Rect::new(1, 1, 3, 2), &mut buffer);
    let text: Vec<String> = (0..4).map(|y| row_text(&buffer, y)).collect();
    assert_eq!(text, ["########", "#漢 ####", "#漢 ####", "########"]);
    // And one that is larger than the grid, or than the buffer.
    let mut buffer = Buffer::filled(Rect::new(0, 0, 8, 4), ratatui::buffer::Cell::new("#"));
    paint(&mut emulator, &look(), Rect::new(2, 1, 90, 90), &mut buffer);
    let text: Vec<String> = (0..4).map(|y| row_text(&buffer, y)).collect();
    assert_eq!(text, ["########", "##漢字  ", "##漢    ", "##      "]);
}

#[test]
fn a_selection_shows_on_what_is_reversed() {
    let mut emulator = fed(6, 1, b"ab\x1b[7mcd\x1b[0mef");
    emulator.begin_selection(Kind::Simple, 1, 0);
    emulator.extend_selection(2, 0);
    let buffer = painted(&mut emulator, &look());
    let reversed = |x| buffer[(x, 0)].modifier.contains(Modifier::REVERSED);
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(reversed),
        [false, true, false, true, false, false]
    );
}

#[test]
fn the_cursor_is_underlined_where_the_terminals_is_not() {
    let mut emulator = fed(6, 1, b"ab");
    let unfocused = Look {
        focused: false,
        ..look()
    };
    let underlined = |buffer: Buffer| {
        let cells = buffer.content.iter();
        cells
            .map(|cell| cell.modifier.contains(Modifier::UNDERLINED))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        underlined(painted(&mut emulator, &unfocused)),
        [false, false, true, false, false, false]
    );
    assert_eq!(underlined(painted(&mut emulator, &look())), [false; 6]);
    emulator.advance(b"\x1b[?25l");
    assert_eq!(underlined(painted(&mut emulator, &unfocused)), [false; 6]);
}
