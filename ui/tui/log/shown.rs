//! A line as it is drawn: harmless text with its colours, divided into rows of a width.

use std::ops::Range;

use ratatui::style::Style;
use sistemo::value::ByteSize;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::colours;
use super::strip::{self, Overwriting, Part};

/// How much of a line is drawn, in bytes: more than anybody reads in one line.
pub(super) const LONGEST: usize = 8 << 10;
/// How much of it is looked at, with its colours.
const LONGEST_RAW: usize = 4 * LONGEST;
/// The width of tab stops.
const TAB: usize = 8;

/// The text of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// No control characters.
    pub text: String,
    /// Where in the text which of the guest's styles begins.
    pub styles: Vec<(usize, Style)>,
    /// Where in the text it is said how much of the line is not drawn, if something is not.
    pub rest: usize,
    is_ascii: bool,
}

impl Shown {
    /// A line of a log, without its line end, and the style that lines before it have left.
    pub fn new(line: &[u8], style: Style) -> Shown {
        let line_length = line.len();
        let line = &line[..line.len().min(LONGEST_RAW)];
        let (mut bytes, mut state) = (Vec::new(), Overwriting::default());
        let (mut style, mut styles) = (style, vec![(0, style)]);
        strip::parts(line, |part| {
            state.part(part, &mut bytes, 0);
            match part {
                Part::Colours(parameters) => style = colours::choose(style, parameters),
                Part::Text(text) => {
                    // What was overwritten has taken its colours along.
                    let at = bytes.len().saturating_sub(text.len());
                    while styles.last().is_some_and(|(last, _)| *last >= at) {
                        styles.pop();
                    }
                    if styles.last().is_none_or(|(_, last)| *last != style) {
                        styles.push((at, style));
                    }
                }
                Part::Return | Part::Back => {}
            }
        });
        let mut shown = Shown::default();
        let ends = styles.iter().skip(1).map(|(at, _)| *at);
        let (mut left_out, mut stop) = (line_length - line.len(), 0);
        for ((at, style), end) in styles.iter().zip(ends.chain([bytes.len()])) {
            shown.styles.push((shown.text.len(), *style));
            let drawn = shown.add(&bytes[*at..end], &mut stop);
            if at + drawn < end {
                left_out += bytes.len() - at - drawn;
                break;
            }
        }
        shown.rest = shown.text.len();
        if left_out > 0 {
            let left_out = ByteSize::bytes(left_out as u64);
            shown.text += &format!(" [{left_out} more]");
        }
        shown.is_ascii = shown.text.is_ascii();
        shown
    }

    /// Adds text as far as it is drawn; says how many bytes of it that is. `stop` is where in the text the last tab
    /// stop is, so that a tab is as wide as it has to be without a look at all that is before it.
    fn add(&mut self, bytes: &[u8], stop: &mut usize) -> usize {
        let mut done = 0;
        for chunk in bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                let room = LONGEST - self.text.len();
                match letter {
                    '\t' if room > 0 => {
                        let wide = TAB - self.text[*stop..].width() % TAB;
                        self.text.extend(std::iter::repeat_n(' ', wide.min(room)));
                        *stop = self.text.len();
                    }
                    _ if !is_harmless(letter) && letter != '\t' => {}
                    _ if letter.len_utf8() <= room => self.text.push(letter),
                    _ => return done,
                }
                done += letter.len_utf8();
            }
            if !chunk.invalid().is_empty() {
                let unknown = char::REPLACEMENT_CHARACTER;
                if self.text.len() + unknown.len_utf8() > LONGEST {
                    return done;
                }
                self.text.push(unknown);
                done += chunk.invalid().len();
            }
        }
        done
    }

    /// The style of the guest at a place in the text.
    pub fn style(&self, at: usize) -> Style {
        let index = self.styles.partition_point(|(begin, _)| *begin <= at);
        let style = index
            .checked_sub(1)
            .and_then(|index| self.styles.get(index));
        style.map_or(Style::new(), |(_, style)| *style)
    }

    /// The parts of the text that fill a row each, of which there is one at least. `width` is in cells.
    pub fn rows(&self, width: usize) -> Vec<Range<usize>> {
        let width = width.max(2);
        if self.is_ascii {
            let starts = (0..self.text.len().max(1)).step_by(width);
            let end = |start: usize| (start + width).min(self.text.len());
            return starts.map(|start| start..end(start)).collect();
        }
        let (mut rows, mut start, mut used) = (Vec::new(), 0, 0);
        for (at, grapheme) in self.text.grapheme_indices(true) {
            let cells = grapheme.width();
            if used + cells > width {
                rows.push(start..at);
                (start, used) = (at, 0);
            }
            used += cells;
        }
        rows.push(start..self.text.len());
        rows
    }

    /// The part of the text that is to be seen from `column` on, and how many cells are empty before it, for half a wide
    /// character is not to be seen.
    pub fn part_at(&self, column: usize, width: usize) -> (Range<usize>, usize) {
        if self.is_ascii {
            let start = column.min(self.text.len());
            return (start..(start + width).min(self.text.len()), 0);
        }
        let mut at_column = 0;
        let (mut start, mut empty, mut end) = (None, 0, self.text.len());
        for (at, grapheme) in self.text.grapheme_indices(true) {
            if start.is_none() && at_column >= column {
                (start, empty) = (Some(at), at_column - column);
            }
            at_column += grapheme.width();
            if at_column > column + width {
                end = at;
                break;
            }
        }
        let start = start.unwrap_or(end);
        (start..end.max(start), empty)
    }

    /// The column in which a place in the text is.
    pub fn column(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, UnicodeWidthStr::width)
    }
}

/// A line's text for a file or the clipboard: all of it, with its tabs.
pub(super) fn plain(line: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(line.len());
    strip::text(line, &mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let harmless = text.chars();
    harmless
        .filter(|letter| *letter == '\t' || is_harmless(*letter))
        .collect()
}

/// Whether a character does no more than stand where it is: no control character, and none that turns the direction of
/// the text around it (Unicode Standard Annex #9, "Directional Formatting Characters") or ends its line.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}')
        && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    fn shown(line: &str) -> Shown {
        Shown::new(line.as_bytes(), Style::new())
    }

    #[test]
    fn colours_stand_where_their_text_does() {
        let shown = shown("[\u{1b}[0;32m  OK  \u{1b}[0m] done");
        assert_eq!(shown.text, "[  OK  ] done");
        let colours: Vec<_> = (0..9).map(|at| shown.style(at).fg).collect();
        let (none, green) = (None, Some(Color::Green));
        assert_eq!(
            colours,
            [none, green, green, green, green, green, green, none, none]
        );
        let red = Style::new().fg(Color::Red);
        let shown = Shown::new(b"a\x1b[mb", red);
        assert_eq!((shown.style(0), shown.style(1)), (red, Style::new()));
        let shown = Shown::new(b"\x1b[31m10%\r\x1b[32m100%", Style::new());
        assert_eq!(shown.text, "100%");
        assert_eq!(shown.style(0).fg, green);
    }

    #[test]
    fn text_is_harmless_and_tabs_are_spaces() {
        assert_eq!(shown("a\tb\u{7}\0\u{7f}\tc").text, "a       b       c");
        assert_eq!(shown("日\tb").text, "日      b");
        assert_eq!(shown("a\u{202e}b\u{2067}c\u{85}d\u{2028}").text, "abcd");
        let shown = Shown::new(b"a\xff\xfeb\xc3", Style::new());
        assert_eq!(shown.text, "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn rows_are_as_wide_as_they_may_be() {
        let texts = |line: &str, width: usize| {
            let shown = shown(line);
            let rows = shown.rows(width).into_iter();
            rows.map(|row| shown.text[row].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("", 4), [""]);
        assert_eq!(texts("abcd", 4), ["abcd"]);
        assert_eq!(texts("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(texts("日本語!", 5), ["日本", "語!"]);
        assert_eq!(texts("cafe\u{301}s", 4), ["cafe\u{301}", "s"]);
    }

    #[test]
    fn a_part_of_a_line_is_found_by_its_columns() {
        let part = |line: &str, column: usize, width: usize| {
            let shown = shown(line);
            let (range, empty) = shown.part_at(column, width);
            (shown.text[range].to_owned(), empty)
        };
        assert_eq!(part("abcdef", 2, 3), ("cde".into(), 0));
        assert_eq!(part("abc", 9, 3), (String::new(), 0));
        assert_eq!(part("日本語", 1, 4), ("本".into(), 1));
        assert_eq!(part("日本語", 2, 4), ("本語".into(), 0));
        assert_eq!(part("日本語", 9, 4), (String::new(), 0));
        assert_eq!(shown("日本語").column(3), 2);
    }

    #[test]
    fn a_line_is_drawn_as_far_as_anybody_reads() {
        let shown = shown(&"x".repeat(90_000));
        assert_eq!(shown.rest, LONGEST);
        assert_eq!(&shown.text[LONGEST..], " [79.9 KiB more]");
        let shown = super::Shown::new("ä".repeat(5000).as_bytes(), Style::new());
        assert_eq!(&shown.text[shown.rest..], " [1.8 KiB more]");
        assert_eq!(plain(b"a\x1b[31m\tb\x07\xff"), "a\tb\u{fffd}");
    }

    #[test]
    fn a_line_of_tabs_is_drawn_no_farther() {
        let tabs = shown(&"\t".repeat(LONGEST_RAW));
        assert_eq!(tabs.rest, LONGEST);
        assert_eq!(&tabs.text[LONGEST..], " [31 KiB more]");
        let words = shown(&"日\tx\t\u{1b}[31m".repeat(100));
        let column = |at: usize| words.text[..at].width();
        let columns: Vec<_> = words
            .text
            .match_indices('x')
            .map(|(at, _)| column(at))
            .collect();
        assert_eq!(columns, (0..100).map(|n| 16 * n + 8).collect::<Vec<_>>());
        let full = shown(&format!(
            "{}\u{1b}[31m日\u{1b}[32mend",
            "x".repeat(LONGEST - 1)
        ));
        assert_eq!(&full.text[full.rest..], " [6 B more]");
    }
}
