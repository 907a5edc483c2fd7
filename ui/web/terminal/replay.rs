//! The last part of a stream, kept for pages that come back. Pure.
//!
//! ```text
//!            start          acknowledged            end
//!  ── gone ───┤── history ───────┤── not drawn yet ───┤── to come
//!             └── at most HISTORY┘                    │
//!             └──────────── at most CAPACITY ─────────┘
//! ```

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};

/// The most that is kept, in bytes.
pub(super) const CAPACITY: usize = 1 << 20;
/// So much of what has been drawn is kept, in bytes, for a page that is loaded anew and has nothing.
const HISTORY: usize = 256 << 10;
/// Memory is taken and given back in pieces of so many bytes.
const PIECE: usize = 16 << 10;

/// A part of a stream, by absolute offsets in bytes.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// All but the last are full. What is before `start` in the first is gone.
    pieces: VecDeque<Box<Piece>>,
    start: u64,
    end: u64,
    acknowledged: u64,
}

/// Bytes of the stream; the place of the first is a multiple of [`PIECE`].
type Piece = [u8; PIECE];

impl Replay {
    /// The offset of the first byte that is there.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How long the stream is.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Up to where it has been drawn.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Adds to the end. When more than [`CAPACITY`] would be there, the oldest goes.
    pub(super) fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let place = offset_in_piece(self.end);
            if place == 0 {
                self.pieces.push_back(Box::new([0; PIECE]));
            }
            let Some(last) = self.pieces.back_mut() else {
                return;
            };
            let taken = bytes.len().min(PIECE - place);
            last[place..place + taken].copy_from_slice(&bytes[..taken]);
            self.end += taken as u64;
            bytes = &bytes[taken..];
        }
        self.drop_old();
    }

    /// Notes up to where it has been drawn. That may be less than before, when a page is loaded anew; it is never outside
    /// of what is there.
    pub(super) fn acknowledge(&mut self, offset: u64) {
        self.acknowledged = offset.clamp(self.start, self.end);
        self.drop_old();
    }

    /// Writes what begins at `offset`, up to `most` bytes of it, at the end of `frame`, and gives how many those were.
    pub(super) fn read(&self, offset: u64, most: usize, frame: &mut BytesMut) -> usize {
        let mut at = offset.max(self.start);
        let until = self.end.min(at.saturating_add(most as u64));
        let first = self.start / PIECE as u64;
        let begun = frame.len();
        while at < until {
            let index = (at / PIECE as u64 - first) as usize;
            let place = offset_in_piece(at);
            let length = (PIECE - place).min((until - at) as usize);
            frame.put_slice(&self.pieces[index][place..place + length]);
            at += length as u64;
        }
        frame.len() - begun
    }

    /// How much memory it has, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.pieces.len() * PIECE
    }

    fn drop_old(&mut self) {
        let history = self.acknowledged.saturating_sub(HISTORY as u64);
        let fits = self.end.saturating_sub(CAPACITY as u64);
        let start = self.start.max(history).max(fits);
        let gone = start / PIECE as u64 - self.start / PIECE as u64;
        self.pieces.drain(..(gone as usize).min(self.pieces.len()));
        self.start = start;
        self.acknowledged = self.acknowledged.max(start);
    }
}

fn offset_in_piece(offset: u64) -> usize {
    (offset % PIECE as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The byte at an offset of the stream that tests write.
    fn byte(offset: u64) -> u8 {
        (offset * 31 % 251) as u8
    }

    fn grow(replay: &mut Replay, length: usize) {
        let bytes: Vec<u8> = (replay.end()..).take(length).map(byte).collect();
        replay.append(&bytes);
    }

    fn reads(replay: &Replay, offset: u64, most: usize) -> Vec<u8> {
        let mut frame = BytesMut::new();
        assert_eq!(replay.read(offset, most, &mut frame), frame.len());
        frame.to_vec()
    }

    #[test]
    fn what_is_not_drawn_is_kept_until_there_is_no_room() {
        let mut replay = Replay::default();
        grow(&mut replay, CAPACITY);
        assert_eq!((replay.start(), replay.end()), (0, CAPACITY as u64));
        assert_eq!(replay.memory(), CAPACITY);
        grow(&mut replay, 1);
        assert_eq!(replay.start(), 1);
        assert_eq!(reads(&replay, 0, 3), [byte(1), byte(2), byte(3)]);
        assert!(replay.memory() <= CAPACITY + PIECE);
    }

    #[test]
    fn what_is_drawn_gives_its_memory_back_but_for_the_last() {
        let mut replay = Replay::default();
        assert_eq!(replay.memory(), 0);
        grow(&mut replay, 100);
        assert_eq!(replay.memory(), PIECE);
        grow(&mut replay, CAPACITY - 100);
        replay.acknowledge(CAPACITY as u64);
        assert_eq!(replay.start(), (CAPACITY - HISTORY) as u64);
        assert_eq!(replay.memory(), HISTORY);
        // A page that is loaded anew.
        replay.acknowledge(0);
        assert_eq!(replay.acknowledged(), replay.start());
        assert_eq!(reads(&replay, 0, usize::MAX).len(), HISTORY);
        // One that claims too much.
        replay.acknowledge(u64::MAX);
        assert_eq!(replay.acknowledged(), replay.end());
        assert!(reads(&replay, u64::MAX, 10).is_empty());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Acknowledge(u64),
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..200_000usize).prop_map(Step::Append),
            (0..3_000_000u64).prop_map(Step::Acknowledge),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_byte_that_is_there_is_the_right_one(steps in prop::collection::vec(steps(), 1..40), at in 0..3_000_000u64) {
            let mut replay = Replay::default();
            for step in steps {
                let before = replay.start();
                match step {
                    Step::Append(length) => grow(&mut replay, length),
                    Step::Acknowledge(offset) => replay.acknowledge(offset),
                }
                prop_assert!(before <= replay.start());
                prop_assert!(replay.start() <= replay.acknowledged());
                prop_assert!(replay.acknowledged() <= replay.end());
                prop_assert!(replay.end() - replay.start() <= CAPACITY as u64);
                prop_assert!(replay.memory() as u64 <= replay.end() - replay.start() + 2 * PIECE as u64);
            }
            let from = at.clamp(replay.start(), replay.end());
            let read = reads(&replay, at, 70_000);
            prop_assert_eq!(read.len() as u64, (replay.end() - from).min(70_000));
            for (index, read) in read.into_iter().enumerate() {
                prop_assert_eq!(read, byte(from + index as u64));
            }
        }
    }
}
