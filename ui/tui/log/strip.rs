//! What of a line is to be seen: its text and its colours, and nothing else that a terminal would act on.
//!
//! Sequences are those of ECMA-48 §5.4 and §5.6 and of xterm's "Control Sequences", also with their one-character
//! introducers (U+0080 to U+009F). What a line overwrites after a carriage return or a backspace counts once it is
//! overwritten: of a progress bar the last state is left. A sequence that does not end hides no more than its line.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
/// The byte that one-character introducers begin with in UTF-8.
const C1: u8 = 0xc2;

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text, which may have control characters that do nothing.
    Text(&'a [u8]),
    /// The parameters of a choice of colours (SGR).
    Colours(&'a [u8]),
    /// A carriage return.
    Return,
    /// A backspace.
    Back,
}

/// Takes a line apart.
pub(super) fn parts<'a>(line: &'a [u8], mut take: impl FnMut(Part<'a>)) {
    let mut rest = line;
    while !rest.is_empty() {
        let (text, behind) = rest.split_at(next(rest));
        if !text.is_empty() {
            take(Part::Text(text));
        }
        rest = match behind {
            [] => behind,
            [b'\r', rest @ ..] => {
                take(Part::Return);
                rest
            }
            [BACKSPACE, rest @ ..] => {
                take(Part::Back);
                rest
            }
            // The one-character form of `ESC` and a letter, 0x40 less.
            [C1, letter, rest @ ..] => sequence(letter - 0x40, rest, &mut take),
            [_, letter, rest @ ..] => sequence(*letter, rest, &mut take),
            [_] => &[],
        };
    }
}

/// Where the next byte is that is more than text.
fn next(bytes: &[u8]) -> usize {
    let end = memchr3(ESCAPE, b'\r', BACKSPACE, bytes).unwrap_or(bytes.len());
    let mut from = 0;
    while let Some(index) = memchr(C1, &bytes[from..end]) {
        let index = from + index;
        if is_c1(bytes.get(index + 1)) {
            return index;
        }
        from = index + 1;
    }
    end
}

/// What is behind the sequence that `ESC` and `letter` begin.
fn sequence<'a>(letter: u8, rest: &'a [u8], take: &mut impl FnMut(Part<'a>)) -> &'a [u8] {
    let (mut letter, mut rest) = (letter, rest);
    // Another sequence begins, and the one before is none.
    while letter == ESCAPE {
        let [next, behind @ ..] = rest else {
            return rest;
        };
        (letter, rest) = (*next, behind);
    }
    match letter {
        b'[' => {
            let is_parameter = |byte: &u8| matches!(byte, b' '..=b'?');
            let length = rest.iter().take_while(|byte| is_parameter(byte)).count();
            let (parameters, rest) = rest.split_at(length);
            match rest {
                [b'm', rest @ ..] => {
                    take(Part::Colours(parameters));
                    rest
                }
                [b'@'..=b'~', rest @ ..] => rest,
                // It ends without an end.
                _ => rest,
            }
        }
        // A string for the terminal itself, such as a title; it ends with a bell or `ESC \`.
        b'P' | b'X' | b']' | b'^' | b'_' => string(rest),
        // Intermediate bytes are followed by a final one.
        b' '..=b'/' => {
            let is_between = |byte: &u8| matches!(byte, b' '..=b'/');
            let length = rest.iter().take_while(|byte| is_between(byte)).count();
            rest.get(length + 1..).unwrap_or_default()
        }
        _ => rest,
    }
}

fn string(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(index) = memchr3(BELL, ESCAPE, C1, rest) {
        rest = match &rest[index..] {
            [BELL, rest @ ..] | [ESCAPE, b'\\', rest @ ..] | [C1, 0x9c, rest @ ..] => return rest,
            // Another sequence ends it, too.
            escape @ [ESCAPE, ..] => return escape,
            [_, rest @ ..] => rest,
            [] => &[],
        };
    }
    &[]
}

/// Puts the text of a line together, as it is to be seen at the end.
#[derive(Debug, Default)]
pub(super) struct Overwriting {
    /// What is overwritten once there is more text: all, or so many characters.
    returned: bool,
    back: usize,
}

impl Overwriting {
    /// Does what a part does to the text before it. `out` is what there is of the line, from `start` on.
    pub fn part(&mut self, part: Part<'_>, out: &mut Vec<u8>, start: usize) {
        match part {
            Part::Return => (self.returned, self.back) = (true, 0),
            Part::Back => self.back += 1,
            Part::Colours(_) => {}
            Part::Text(text) => {
                if std::mem::take(&mut self.returned) {
                    out.truncate(start);
                }
                for _ in 0..std::mem::take(&mut self.back) {
                    let before = out[start..].iter();
                    let begins = |byte: &u8| *byte & 0xc0 != 0x80;
                    let Some(index) = before.rev().position(begins) else {
                        break;
                    };
                    out.truncate(out.len() - index - 1);
                }
                out.extend_from_slice(text);
            }
        }
    }
}

/// Adds what is to be seen of a line.
pub(super) fn text(line: &[u8], out: &mut Vec<u8>) {
    let (start, mut state) = (out.len(), Overwriting::default());
    parts(line, |part| state.part(part, out, start));
}

/// Adds what is to be seen of many lines, each with its end.
pub(super) fn lines(lines: &[u8], out: &mut Vec<u8>) {
    out.reserve(lines.len());
    if memchr(BACKSPACE, lines).is_some() || overwrites(lines) || has_c1(lines) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let (line, end) = match line.strip_suffix(b"\n") {
                Some(line) => (line, &b"\n"[..]),
                None => (line, &b""[..]),
            };
            text(line, out);
            out.extend_from_slice(end);
        }
        return;
    }
    // The same, but from one sequence to the next, which are all that there is to leave out.
    let mut rest = lines;
    while let Some(index) = memchr(ESCAPE, rest) {
        out.extend_from_slice(&rest[..index]);
        rest = &rest[index..];
        rest = match rest {
            [_, b'[', behind @ ..] => {
                let is_parameter = |byte: &u8| matches!(byte, b' '..=b'?');
                let end = behind.iter().position(|byte| !is_parameter(byte));
                match behind
                    .get(end.unwrap_or(behind.len())..)
                    .unwrap_or_default()
                {
                    [b'@'..=b'~', behind @ ..] => behind,
                    behind => behind,
                }
            }
            _ => {
                let end = memchr(b'\n', rest).unwrap_or(rest.len());
                let (line, behind) = rest.split_at(end);
                text(line, out);
                behind
            }
        };
    }
    out.extend_from_slice(rest);
}

/// Whether lines are to be seen just as they are.
pub(super) fn is_plain(lines: &[u8]) -> bool {
    !has_sequences(lines) && !overwrites(lines)
}

/// Whether there is something in the midst of lines that is to be left out.
pub(super) fn has_sequences(lines: &[u8]) -> bool {
    memchr2(ESCAPE, BACKSPACE, lines).is_some() || has_c1(lines)
}

/// Whether there is a carriage return within a line, which what is behind it overwrites.
pub(super) fn overwrites(lines: &[u8]) -> bool {
    memchr_iter(b'\r', lines).any(|index| !matches!(lines.get(index + 1), None | Some(b'\n')))
}

fn has_c1(lines: &[u8]) -> bool {
    memchr_iter(C1, lines).any(|index| is_c1(lines.get(index + 1)))
}

/// Whether a byte behind [`C1`] makes a character of it that begins a sequence.
fn is_c1(byte: Option<&u8>) -> bool {
    matches!(byte, Some(0x90 | 0x98 | 0x9b | 0x9d..=0x9f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> String {
        let mut out = Vec::new();
        text(line.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_would_act_on_is_left_out() {
        for (line, left) in [
            ("plain ünïcödé ✓\tx", "plain ünïcödé ✓\tx"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("a\u{1b}[2J\u{1b}[Hb", "ab"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]52;c;aGk=\u{1b}\\b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\b\u{1b}]8;;\u{1b}\\c", "abc"),
            ("a\u{1b}P$q\"p\u{1b}\\b", "ab"),
            ("a\u{1b}[6nb\u{1b}[cc\u{1b}Zd", "abcd"),
            ("a\u{1b}cb\u{1b}7c\u{1b}(0d\u{1b}#8e", "abcde"),
            ("a\u{1b}[?1049hb\u{1b}[?1;31mc", "abc"),
            ("a\u{9b}2Jb\u{9d}0;x\u{9c}c\u{90}q\u{9c}d", "abcd"),
            ("a·b", "a·b"),
            ("a\u{1b}]0;never ends", "a"),
            ("a\u{1b}[31", "a"),
            ("a\u{1b}", "a"),
            ("a\u{1b}\u{1b}[2Jb", "ab"),
            ("a\u{1b}]0;x\u{1b}[31mb", "ab"),
        ] {
            assert_eq!(seen(line), left, "{line:?}");
        }
    }

    #[test]
    fn as_many_beginnings_of_sequences_as_a_line_holds_are_none() {
        let escapes = "\u{1b}".repeat(256 << 10);
        assert_eq!(seen(&format!("a{escapes}")), "a");
        assert_eq!(seen(&format!("a{escapes}[31mb")), "ab");
    }

    #[test]
    fn what_is_overwritten_goes_once_it_is() {
        for (line, left) in [
            ("10%\r50%\r100%", "100%"),
            ("done\r", "done"),
            ("done\r\u{1b}[0m", "done"),
            ("long line\rshort", "short"),
            ("work |\u{8}/\u{8}-", "work -"),
            ("work -\u{8}", "work -"),
            ("ü\u{8}o", "o"),
            ("\u{8}\u{8}x", "x"),
            ("ab\u{8}\u{8}\u{8}\u{8}x", "x"),
        ] {
            assert_eq!(seen(line), left, "{line:?}");
        }
        assert!(is_plain(b"one\r\ntwo\n") && is_plain(b"one\r"));
        assert!(!is_plain(b"one\rtwo") && !is_plain(b"a\x1b[mb") && !is_plain(b"a\x08"));
    }

    #[test]
    fn colours_are_told() {
        let mut found = Vec::new();
        parts(b"a\x1b[1;31mb\x1b[mc\xc2\x9b7md", |part| {
            if let Part::Colours(parameters) = part {
                found.push(String::from_utf8_lossy(parameters).into_owned());
            }
        });
        assert_eq!(found, ["1;31", "", "7"]);
    }

    proptest::proptest! {
        #[test]
        fn many_lines_are_seen_as_each_of_them(
            words in proptest::collection::vec("[ab]|\u{1b}|\u{1b}\\[[0-9;]{0,3}m?|\u{1b}\\]|\u{7}|\r|\r?\n|\u{8}|ü|\u{9b}|[ -/@-~]", 0..40),
        ) {
            let all = words.concat();
            let mut expected = Vec::new();
            for line in all.split_inclusive('\n') {
                text(line.trim_end_matches('\n').as_bytes(), &mut expected);
                expected.extend(line.ends_with('\n').then_some(b'\n'));
            }
            let mut found = Vec::new();
            lines(all.as_bytes(), &mut found);
            let seen = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\r', "");
            proptest::prop_assert_eq!(seen(&found), seen(&expected));
        }
    }
}
