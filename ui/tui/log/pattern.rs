//! What is looked for in a log, and which lines of a chunk have it.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use super::chunk::Chunk;
use super::strip;

/// The most memory that a pattern may take, in bytes, before it is refused.
const MOST_MEMORY: usize = 4 << 20;

/// Something to look for in lines.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// As it was asked for.
    pub text: String,
    /// Whether it is no regular expression and so is looked for as it stands.
    pub is_literal: bool,
    wanted: Regex,
    /// Lines that have this do not count.
    unwanted: Option<Regex>,
    /// Whether the lines count that do not have it.
    is_inverted: bool,
}

impl Pattern {
    /// A regular expression, or text where it is none. Case matters if there is a capital letter in it. `None` if it is
    /// too long to be looked for.
    pub fn new(text: &str) -> Option<Pattern> {
        let ignores_case = !has_capital(text);
        let (wanted, is_literal) = match build(text, ignores_case) {
            Ok(regex) => (regex, false),
            Err(_) => (build(&regex::escape(text), ignores_case).ok()?, true),
        };
        Some(Pattern {
            text: text.into(),
            is_literal,
            wanted,
            unwanted: None,
            is_inverted: false,
        })
    }

    /// The same for a filter: a `!` before it keeps the lines that do not have it.
    pub fn filter(text: &str) -> Option<Pattern> {
        let (inner, is_inverted) = match text.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        Some(Pattern {
            text: text.into(),
            is_inverted,
            ..Pattern::new(inner)?
        })
    }

    /// Lines that have the one and not the other, without regard for case.
    pub fn without(wanted: &str, unwanted: &str) -> Option<Pattern> {
        Some(Pattern {
            text: wanted.into(),
            is_literal: false,
            wanted: build(wanted, true).ok()?,
            unwanted: Some(build(unwanted, true).ok()?),
            is_inverted: false,
        })
    }

    /// Whether a line's text counts.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.wanted.is_match(text) != self.is_inverted
            && !self.unwanted.as_ref().is_some_and(|no| no.is_match(text))
    }

    /// Whether a line of a chunk counts.
    pub fn is_shown(&self, chunk: &Chunk, index: usize) -> bool {
        let line = chunk.text(index);
        if strip::is_plain(line) {
            return self.is_in(line);
        }
        let mut text = Vec::with_capacity(line.len());
        strip::text(line, &mut text);
        self.is_in(&text)
    }

    /// Where in a text it is; nothing for the lines that do not have it.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        if self.is_inverted {
            return Vec::new();
        }
        let found = self.wanted.find_iter(text.as_bytes());
        found
            .map(|found| found.range())
            .filter(|range| !range.is_empty() && text.get(range.clone()).is_some())
            .collect()
    }

    /// The lines of a chunk that count, by number.
    pub fn lines(&self, chunk: &Chunk) -> Vec<u32> {
        let mut found = Vec::new();
        let has_sequences = strip::has_sequences(chunk.bytes());
        if !has_sequences && !self.wanted.is_match(chunk.bytes()) {
            // What is overwritten in a line takes from it, and adds nothing.
        } else if !has_sequences && !strip::overwrites(chunk.bytes()) {
            self.search(chunk.bytes(), |line| found.push(line));
        } else {
            let mut seen = Vec::new();
            strip::lines(chunk.bytes(), &mut seen);
            self.search(&seen, |line| found.push(line));
        }
        if self.is_inverted {
            let mut without = found.into_iter().peekable();
            let lines = 0..u32::try_from(chunk.all()).unwrap_or(u32::MAX);
            found = lines
                .filter(|line| without.next_if_eq(line).is_none())
                .collect();
        }
        if let Some(gap) = chunk.gap() {
            found.retain(|line| *line as usize != gap);
        }
        found
    }

    /// Tells the number of each line of `text` that has it, without looking at each line for itself.
    fn search(&self, text: &[u8], mut take: impl FnMut(u32)) {
        let (mut from, mut number) = (0, 0);
        while let Some(found) = self.wanted.find_at(text, from) {
            let begin = memrchr(b'\n', &text[from..found.start()]);
            let begin = begin.map_or(from, |index| from + index + 1);
            if begin >= text.len() {
                break;
            }
            let end = memchr(b'\n', &text[found.start()..]);
            let end = end.map_or(text.len(), |index| found.start() + index);
            number += memchr_iter(b'\n', &text[from..begin]).count();
            // It may go over the end of the line, which no line has in itself.
            let line = &text[begin..end];
            let is_there = found.end() <= end || self.wanted.is_match(line);
            if is_there && !self.unwanted.as_ref().is_some_and(|no| no.is_match(line)) {
                take(u32::try_from(number).unwrap_or(u32::MAX));
            }
            (from, number) = (end + 1, number + 1);
            if from >= text.len() {
                break;
            }
        }
    }
}

/// Whether a pattern has a letter that only a capital one is: those behind a backslash stand for something else.
fn has_capital(text: &str) -> bool {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            _ if letter.is_uppercase() => return true,
            _ => {}
        }
    }
    false
}

fn build(text: &str, ignores_case: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .case_insensitive(ignores_case)
        .multi_line(true)
        .crlf(true)
        .size_limit(MOST_MEMORY)
        .dfa_size_limit(MOST_MEMORY)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_in(text.as_bytes())
    }

    #[test]
    fn case_matters_once_there_is_a_capital() {
        assert!(is_in("usb", "USB hub") && is_in("USB", "USB hub"));
        assert!(!is_in("Usb", "USB hub"));
        assert!(is_in(r"\Sb", r"x\Sb") && is_in(r"\S\w", "usb"));
    }

    #[test]
    fn what_is_no_pattern_is_looked_for_as_it_stands() {
        let pattern = Pattern::new("[  ok").unwrap();
        assert!(pattern.is_literal && pattern.is_in(b"[  OK  ] done"));
        assert!(!Pattern::new("a|b").unwrap().is_literal);
        let places = pattern.places("x [  OK  ]");
        assert_eq!(places.first(), Some(&(2..7)));
        assert!(Pattern::new(r"\w{9}{9}{9}{9}{9}{9}").unwrap().is_literal);
    }

    #[test]
    fn a_filter_may_be_inverted() {
        let filter = Pattern::filter("!usb").unwrap();
        assert!(filter.is_in(b"pci") && !filter.is_in(b"usb"));
        assert!(filter.places("usb").is_empty());
        let empty = Pattern::new("x*").unwrap();
        assert!(empty.places("abc").is_empty());
    }
}
