//! The lines of one chunk of a log, found without looking at more than its neighbours.
//!
//! A line begins behind the end of another. One that is longer than two chunks is broken where a chunk ends: a chunk's
//! beginning also begins a line when the chunk before has none that begins behind its own beginning. So wherever one
//! looks, the lines are the same, and none is longer than two chunks. What was cut out is a line of its own.

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

/// The lines that begin in one chunk.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<Line>,
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
        let bytes = read(reader, before, behind)?;
        let split = |at: u64| {
            bytes
                .len()
                .min(usize::try_from(at - before).unwrap_or(usize::MAX))
        };
        let (lead, rest) = bytes.split_at(split(begin));
        let (text, tail) = rest.split_at(split(end) - lead.len());
        let begins = begin == run.0 || lead.last() == Some(&b'\n') || {
            let is_whole = memchr(b'\n', lead).is_none() && begin - run.0 >= CHUNK;
            is_whole && memchr(b'\n', &read(reader, begin - CHUNK, before)?).is_none()
        };
        let first = match begins {
            true => 0,
            false => memchr(b'\n', text).map_or(text.len(), |index| index + 1),
        };
        if first == text.len() {
            return Ok(());
        }
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&text[first..]);
        let mut starts = vec![0];
        starts.extend(memchr_iter(b'\n', &text[first..]).map(|index| index + 1));
        if starts.last() == Some(&(text.len() - first)) {
            starts.pop();
        } else if end == chunk.1 {
            let is_broken = begin == chunk.0 && memchr(b'\n', text).is_none();
            if !is_broken {
                self.end_last(reader, tail, end, run.1)?;
            }
        }
        let at = |start: usize| begin + (first + start) as u64;
        let ends = starts[1..].iter().copied();
        let ends = ends.chain([self.bytes.len() - base]);
        self.lines
            .extend(starts.iter().zip(ends).map(|(start, end)| Line {
                at: at(*start),
                end: at(end),
                start: base + start,
                left_out: 0,
            }));
        Ok(())
    }

    /// Adds what the last line has in the chunk that begins at `begin`, of which `tail` is known.
    fn end_last(
        &mut self,
        reader: &mut LogReader,
        tail: &[u8],
        begin: u64,
        end: u64,
    ) -> Result<(), Error> {
        if let Some(index) = memchr(b'\n', tail) {
            self.bytes.extend_from_slice(&tail[..=index]);
            return Ok(());
        }
        let rest = read(reader, begin, (begin + CHUNK).min(end))?;
        let length = memchr(b'\n', &rest).map_or(rest.len(), |index| index + 1);
        self.bytes.extend_from_slice(&rest[..length]);
        Ok(())
    }

    fn add_gap(&mut self, from: u64, to: u64) {
        // The end of the line before may have been cut out.
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.lines.push(Line {
            at: from,
            end: to,
            start: self.bytes.len(),
            left_out: to - from,
        });
        self.bytes.push(b'\n');
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// All of it: line after line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of a line, as it is in the log, without its line end.
    pub fn text(&self, index: usize) -> &[u8] {
        let Some(line) = self.lines.get(index) else {
            return &[];
        };
        let end = self.lines.get(index + 1).map(|next| next.start);
        let bytes = &self.bytes[line.start..end.unwrap_or(self.bytes.len())];
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }

    /// The line that has the byte at this place of [`Chunk::bytes`].
    pub fn line_of(&self, place: usize) -> usize {
        self.lines
            .partition_point(|line| line.start <= place)
            .saturating_sub(1)
    }

    /// How many lines there are, but for what stands for what was cut out.
    pub fn count(&self) -> usize {
        self.lines.iter().filter(|line| line.left_out == 0).count()
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
