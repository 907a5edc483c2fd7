//! The lines of one chunk of a log, found without looking at more than its neighbours.
//!
//! A line begins behind the end of another. One that is longer than two chunks is broken where a chunk ends: a chunk's
//! beginning also begins a line when the chunk before has none that begins behind its own beginning. So wherever one
//! looks, the lines are the same, and none is longer than two chunks. What was cut out is a line of its own.

use std::sync::OnceLock;

use memchr::{memchr, memchr_iter};
use sistemo::machine::{Error, LogReader};

use super::shape::{CHUNK, Shape};

/// How much before and behind a chunk is read at first, in bytes.
const EDGE: u64 = 4 << 10;

/// A line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where in the log it begins.
    pub at: u64,
    /// Where in the log it ends, its line end included.
    pub end: u64,
    /// Where in the chunk's bytes it begins.
    start: usize,
    /// For a line that stands for what was cut out: how many bytes that is.
    pub left_out: u64,
}

/// A run of lines that follow each other in the log.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where in the chunk's bytes it begins.
    start: usize,
    /// Where in the log it begins and ends.
    at: u64,
    end: u64,
    is_gap: bool,
}

/// The lines that begin in one chunk.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Lines with their ends, one behind the other.
    bytes: Vec<u8>,
    /// How many of the bytes are of the chunk before.
    skipped: usize,
    runs: Vec<Run>,
    lines: OnceLock<Vec<Line>>,
}

impl Chunk {
    /// Reads the chunk in a slot.
    pub fn read(reader: &mut LogReader, shape: Shape, slot: usize) -> Result<Chunk, Error> {
        let mut chunk = Chunk::default();
        let begin = shape.start(slot);
        let end = begin + CHUNK;
        let (from, to) = shape.gap.unwrap_or((u64::MAX, u64::MAX));
        chunk.add(reader, (begin, end), (0, from.min(shape.length)))?;
        if (begin..end).contains(&from) {
            chunk.add_gap(from, to);
        }
        chunk.add(reader, (begin, end), (to, shape.length))?;
        Ok(chunk)
    }

    /// Adds the lines that begin in `chunk`, of a run of bytes that has no gap.
    fn add(
        &mut self,
        reader: &mut LogReader,
        chunk: (u64, u64),
        run: (u64, u64),
    ) -> Result<(), Error> {
        let (begin, end) = (chunk.0.max(run.0), chunk.1.min(run.1));
        if begin >= end {
            return Ok(());
        }
        let before = begin - EDGE.min(begin - run.0);
        let behind = (end + EDGE).min(run.1);
        let mut bytes = read(reader, before, behind)?;
        let place = |at: u64| {
            bytes
                .len()
                .min(usize::try_from(at - before).unwrap_or(usize::MAX))
        };
        let (lead, last) = (place(begin), place(end));
        let begins = begin == run.0 || bytes[..lead].last() == Some(&b'\n') || {
            let is_long = memchr(b'\n', &bytes[..lead]).is_none() && begin - run.0 >= CHUNK;
            is_long && memchr(b'\n', &read(reader, begin - CHUNK, before)?).is_none()
        };
        let first = match begins {
            true => lead,
            false => memchr(b'\n', &bytes[lead..last]).map_or(last, |index| lead + index + 1),
        };
        if first == last {
            return Ok(());
        }
        let ends = bytes[last - 1] == b'\n' || end < chunk.1;
        let is_broken = begin == chunk.0 && memchr(b'\n', &bytes[lead..last]).is_none();
        if ends || is_broken {
            bytes.truncate(last);
        } else if let Some(index) = memchr(b'\n', &bytes[last..]) {
            bytes.truncate(last + index + 1);
        } else {
            bytes.truncate(last);
            let rest = read(reader, end, (end + CHUNK).min(run.1))?;
            let length = memchr(b'\n', &rest).map_or(rest.len(), |index| index + 1);
            bytes.extend_from_slice(&rest[..length]);
        }
        let at = begin + (first - lead) as u64;
        let run = Run {
            start: self.bytes().len(),
            at,
            end: at + (bytes.len() - first) as u64,
            is_gap: false,
        };
        self.runs.push(run);
        if self.bytes.is_empty() {
            (self.bytes, self.skipped) = (bytes, first);
        } else {
            self.bytes.extend_from_slice(&bytes[first..]);
        }
        Ok(())
    }

    fn add_gap(&mut self, from: u64, to: u64) {
        // The end of the line before may have been cut out.
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.runs.push(Run {
            start: self.bytes().len(),
            at: from,
            end: to,
            is_gap: true,
        });
        self.bytes.push(b'\n');
    }

    pub fn lines(&self) -> &[Line] {
        self.lines.get_or_init(|| {
            let ends = self.runs.iter().skip(1).map(|run| run.start);
            let ends = ends.chain([self.bytes().len()]);
            let runs = self.runs.iter().zip(ends);
            runs.flat_map(|(run, end)| run.lines(&self.bytes()[..end]))
                .collect()
        })
    }

    /// All of it: line after line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.skipped..]
    }

    /// The text of a line, as it is in the log, without its line end.
    pub fn text(&self, index: usize) -> &[u8] {
        let Some(line) = self.lines().get(index) else {
            return &[];
        };
        let end = self.lines().get(index + 1).map(|next| next.start);
        let bytes = self.bytes();
        let bytes = &bytes[line.start..end.unwrap_or(bytes.len())];
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }

    /// How many lines there are, with what stands for what was cut out.
    pub fn all(&self) -> usize {
        let bytes = self.bytes();
        let is_open = bytes.last().is_some_and(|last| *last != b'\n');
        memchr_iter(b'\n', bytes).count() + usize::from(is_open)
    }

    /// How many lines there are, without it.
    pub fn count(&self) -> usize {
        self.all() - usize::from(self.gap().is_some())
    }

    /// The number of the line that stands for what was cut out.
    pub fn gap(&self) -> Option<usize> {
        let run = self.runs.iter().find(|run| run.is_gap)?;
        Some(memchr_iter(b'\n', &self.bytes()[..run.start]).count())
    }
}

impl Run {
    /// Its lines, in bytes that end with it.
    fn lines(self, bytes: &[u8]) -> impl Iterator<Item = Line> {
        let text = &bytes[self.start..];
        let begins = memchr_iter(b'\n', text).map(|index| index + 1);
        let begins = [0].into_iter().chain(begins);
        begins
            .filter(|begin| *begin < text.len())
            .map(move |begin| {
                let length = memchr(b'\n', &text[begin..]).map(|index| index + 1);
                let end = begin + length.unwrap_or(text.len() - begin);
                let place = |offset: usize| (self.at + offset as u64).min(self.end);
                Line {
                    at: place(begin),
                    end: if self.is_gap { self.end } else { place(end) },
                    start: self.start + begin,
                    left_out: if self.is_gap { self.end - self.at } else { 0 },
                }
            })
    }
}

/// The bytes of a log from here to there, as far as there are any.
fn read(reader: &mut LogReader, from: u64, to: u64) -> Result<Vec<u8>, Error> {
    let most = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    let piece = reader.read(from, most)?;
    // It was cut or shortened since its shape was looked at, which will be noticed.
    let is_there = piece.at == from && piece.left_out == 0;
    Ok(if is_there { piece.bytes } else { Vec::new() })
}
