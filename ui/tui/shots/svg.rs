//! A screen as a picture: a ratatui buffer becomes an SVG (SVG 1.1), the same bytes for the same screen every time.
//!
//! Every background run is a rectangle, every run of one style a text that is told its length, so that no font can shear
//! the grid. What terminals draw as lines and blocks is drawn as such ([`shapes`]): fonts leave gaps between them.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use super::ink::{Ink, Palette, Rgb};
use super::shapes;

/// A cell, in pixels. Glyphs of nearly every fixed font are 0.6 of its size wide.
pub(super) const WIDTH: usize = 9;
pub(super) const HEIGHT: usize = 19;
const FONT_SIZE: usize = 15;
/// From a cell's top to the line that letters stand on.
const BASELINE: usize = 14;
/// Around the screen, and above it for the title.
const MARGIN: usize = 10;
const TITLE: usize = 32;
const FONTS: &str = "ui-monospace,'SF Mono','Cascadia Mono','DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace";

/// Draws a screen in a window of this title.
pub(super) fn svg(buffer: &Buffer, title: &str, palette: &Palette) -> String {
    let (columns, rows) = (
        usize::from(buffer.area.width),
        usize::from(buffer.area.height),
    );
    let (width, height) = (columns * WIDTH + 2 * MARGIN, rows * HEIGHT + TITLE + MARGIN);
    let mut out = Svg::default();
    out.line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{FONTS}" font-size="{FONT_SIZE}" xml:space="preserve">"#
    ));
    frame(&mut out, title, palette, width, height);
    out.line(format_args!(
        r#"<g transform="translate({MARGIN} {TITLE})">"#
    ));
    for (y, row) in buffer.content.chunks(columns.max(1)).enumerate() {
        let inks: Vec<Ink> = row.iter().map(|cell| palette.ink(cell)).collect();
        backgrounds(&mut out, y * HEIGHT, &inks, palette.background);
        texts(&mut out, y * HEIGHT, row, &inks);
    }
    out.line(format_args!("</g>"));
    out.line(format_args!("</svg>"));
    out.0
}

#[derive(Default)]
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The window: its body, three buttons, and the title in the middle.
fn frame(out: &mut Svg, title: &str, palette: &Palette, width: usize, height: usize) {
    let (body, text) = (
        palette.background,
        palette.background.mixed(palette.foreground, 0.6),
    );
    let edge = body.mixed(palette.foreground, 0.25);
    out.line(format_args!("<title>{}</title>", escaped(title)));
    let (right, bottom) = (width - 1, height - 1);
    out.line(format_args!(
        r#"<rect x=".5" y=".5" width="{right}" height="{bottom}" rx="8" fill="{body}" stroke="{edge}"/>"#
    ));
    for (x, fill) in [(18, "#ff5f57"), (38, "#febc2e"), (58, "#28c840")] {
        out.line(format_args!(
            r#"<circle cx="{x}" cy="16" r="6" fill="{fill}"/>"#
        ));
    }
    out.line(format_args!(
        r#"<text x="{}" y="21" fill="{text}" text-anchor="middle">{}</text>"#,
        width / 2,
        escaped(title)
    ));
}

/// A rectangle for every run of one background that is not the window's own.
fn backgrounds(out: &mut Svg, top: usize, inks: &[Ink], own: Rgb) {
    let mut x = 0;
    for run in inks.chunk_by(|a, b| a.background == b.background) {
        let fill = run[0].background;
        if fill != own {
            let (left, width) = (x * WIDTH, run.len() * WIDTH);
            out.line(format_args!(
                r#"<rect x="{left}" y="{top}" width="{width}" height="{HEIGHT}" fill="{fill}"/>"#
            ));
        }
        x += run.len();
    }
}

/// What stands in a row and is drawn together.
struct Run<'a> {
    text: String,
    at: usize,
    cells: usize,
    ink: &'a Ink,
}

impl Run<'_> {
    /// Whether what stands at a place goes on with it.
    fn takes(&self, at: usize, ink: &Ink) -> bool {
        self.at + self.cells == at && self.ink == ink && self.text.is_ascii()
    }
}

fn texts(out: &mut Svg, top: usize, row: &[Cell], inks: &[Ink]) {
    let mut run: Option<Run<'_>> = None;
    let mut x = 0;
    while x < row.len() {
        let (symbol, ink) = (row[x].symbol(), &inks[x]);
        let same = inks[x..].iter().take_while(|other| *other == ink).count();
        let symbols: Vec<&str> = row[x..x + same].iter().map(Cell::symbol).collect();
        let cells = symbol
            .width()
            .clamp(1, row.len() - x)
            .max(shapes::reach(&symbols));
        let is_blank = |at: usize| row[at].symbol().trim().is_empty() && !inks[at].has_line();
        // One blank between words is part of a run; where there are more, each word is held in its own place. So are
        // glyphs beyond ASCII, which may come from a font of another width.
        let is_text = match is_blank(x) {
            true => x + 1 < row.len() && !is_blank(x + 1),
            false => true,
        };
        let shape = shapes::draw(out, symbol, (x * WIDTH, top), cells, ink);
        let joins = is_text && !shape && symbol.is_ascii();
        match run.as_mut().filter(|run| joins && run.takes(x, ink)) {
            Some(run) => {
                run.text += symbol;
                run.cells += cells;
            }
            None => {
                let text = symbol.to_string();
                let begins = !shape && !is_blank(x);
                let next = begins.then_some(Run {
                    text,
                    at: x,
                    cells,
                    ink,
                });
                let ended = std::mem::replace(&mut run, next);
                ended.into_iter().for_each(|ended| draw(out, top, &ended));
            }
        }
        x += cells;
    }
    run.into_iter().for_each(|run| draw(out, top, &run));
}

fn draw(out: &mut Svg, top: usize, run: &Run<'_>) {
    let (x, width) = (run.at * WIDTH, run.cells * WIDTH);
    let ink = run.ink;
    let weight = if ink.is(Modifier::BOLD) {
        r#" font-weight="bold""#
    } else {
        ""
    };
    let slant = if ink.is(Modifier::ITALIC) {
        r#" font-style="italic""#
    } else {
        ""
    };
    if !run.text.trim().is_empty() {
        out.line(format_args!(
            r#"<text x="{x}" y="{}" textLength="{width}" lengthAdjust="spacingAndGlyphs" fill="{}"{weight}{slant}>{}</text>"#,
            top + BASELINE,
            ink.foreground,
            escaped(&run.text)
        ));
    }
    let lines = [
        (Modifier::UNDERLINED, BASELINE + 2, ink.underline),
        (Modifier::CROSSED_OUT, BASELINE - 5, ink.foreground),
    ];
    for (_, down, fill) in lines.into_iter().filter(|(modifier, ..)| ink.is(*modifier)) {
        let y = top + down;
        out.line(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="1" fill="{fill}"/>"#
        ));
    }
}

/// Text as XML has it. Control characters, which XML 1.0 does not know, and the two that it forbids are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use super::*;

    fn drawn(text: &str, style: Style) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 16, 1));
        buffer.set_string(0, 0, text, style);
        svg(&buffer, "t", &Palette::default())
    }

    fn body(svg: &str) -> Vec<&str> {
        let from = svg
            .lines()
            .skip_while(|line| !line.starts_with("<g "))
            .skip(1);
        from.take_while(|line| *line != "</g>").collect()
    }

    #[test]
    fn words_of_a_style_are_one_text_of_a_set_length() {
        let svg = drawn("a bc   d", Style::new());
        let body = body(&svg);
        assert_eq!(body.len(), 2, "{svg}");
        assert!(
            body[0].contains(r#"x="0" y="14" textLength="36""#) && body[0].contains(">a bc<"),
            "{svg}"
        );
        assert!(
            body[1].contains(r#"x="63" y="14" textLength="9""#) && body[1].contains(">d<"),
            "{svg}"
        );
    }

    #[test]
    fn wide_characters_take_two_cells_and_have_a_place_of_their_own() {
        let svg = drawn("x漢字y", Style::new());
        let body = body(&svg);
        let places: Vec<&str> = body
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!(
            places,
            [r#"x="0""#, r#"x="9""#, r#"x="27""#, r#"x="45""#],
            "{svg}"
        );
        assert!(body[1].contains(r#"textLength="18""#), "{svg}");
    }

    #[test]
    fn styles_are_drawn() {
        let style = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Rgb(4, 5, 6));
        let plain = drawn("a", style);
        assert!(
            plain.contains(r##"width="9" height="19" fill="#040506""##),
            "{plain}"
        );
        assert!(plain.contains(r##"fill="#010203">a<"##), "{plain}");
        let reversed = drawn("a", style.add_modifier(Modifier::REVERSED));
        assert!(
            reversed.contains(r##"height="19" fill="#010203""##),
            "{reversed}"
        );
        let other = Modifier::BOLD | Modifier::ITALIC | Modifier::DIM;
        let other = drawn("a", style.add_modifier(other));
        assert!(
            other.contains(r#"font-weight="bold" font-style="italic">a<"#),
            "{other}"
        );
        assert!(!other.contains(r##"fill="#010203""##), "{other}");
        let lines = Modifier::UNDERLINED | Modifier::CROSSED_OUT;
        let lines = drawn(
            "a  b",
            style
                .underline_color(Color::Rgb(7, 7, 7))
                .add_modifier(lines),
        );
        assert!(
            lines.contains(r##"y="16" width="36" height="1" fill="#070707""##),
            "{lines}"
        );
        assert!(
            lines.contains(r##"y="9" width="36" height="1" fill="#010203""##),
            "{lines}"
        );
    }

    #[test]
    fn nothing_of_a_screen_is_taken_for_markup() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        for (x, symbol) in ["<", "&", ">", "\"", "\u{1b}", "\u{7}a", "'"]
            .into_iter()
            .enumerate()
        {
            buffer[(u16::try_from(x).unwrap(), 0)].set_symbol(symbol);
        }
        let svg = svg(&buffer, "<&\u{1b}]0;x", &Palette::default());
        assert!(svg.contains("&lt;&amp;&gt;&quot;"), "{svg}");
        assert!(svg.contains("<title>&lt;&amp;]0;x</title>"), "{svg}");
        assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "{svg}");
    }
}
