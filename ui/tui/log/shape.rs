//! How a log is divided into chunks, which are counted, read and kept as wholes.
//!
//! Chunk `n` has the lines that begin in the bytes from `n * CHUNK` on; a line may end in the next one. What was cut out
//! of a log has no chunks, so chunks with text are numbered without it, as slots:
//!
//! ```text
//!   chunk  0    1    2    3    4    5    6
//!          ├────┼──┐ ·    ·    · ┌──┼────┤     cut out: from the middle of chunk 1 to that of chunk 4
//!   slot   0    1                2  3    4
//! ```

/// The size of a chunk in bytes: small enough to be read and searched between two frames, and so large that a log of a
/// terabyte has some millions.
pub(super) const CHUNK: u64 = 128 << 10;

/// How long a log is, and what of it is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// In bytes, what was cut out included.
    pub length: u64,
    /// What was cut out: from here to there.
    pub gap: Option<(u64, u64)>,
}

impl Shape {
    /// How many slots there are.
    pub fn slots(self) -> usize {
        match self.length {
            0 => 0,
            length => self.slot(length - 1) + 1,
        }
    }

    /// The chunks that are missing altogether: the first, and how many.
    fn missing(self) -> (u64, u64) {
        match self.gap {
            Some((from, to)) => {
                let first = from / CHUNK + 1;
                (first, (to / CHUNK).saturating_sub(first))
            }
            None => (u64::MAX, 0),
        }
    }

    /// The slot that has the byte at `at`; for one that was cut out, that where the cut begins.
    pub fn slot(self, at: u64) -> usize {
        let (first, count) = self.missing();
        let chunk = at / CHUNK;
        let slot = match chunk {
            chunk if chunk < first => chunk,
            chunk if chunk < first + count => first - 1,
            chunk => chunk - count,
        };
        usize::try_from(slot).unwrap_or(usize::MAX)
    }

    /// Where a slot's chunk begins.
    pub fn start(self, slot: usize) -> u64 {
        let (first, count) = self.missing();
        let chunk = match slot as u64 {
            slot if slot < first => slot,
            slot => slot + count,
        };
        chunk * CHUNK
    }

    /// How many bytes there are to read.
    pub fn present(self) -> u64 {
        let missing = self.gap.map_or(0, |(from, to)| to.saturating_sub(from));
        self.length.saturating_sub(missing)
    }

    /// How many bytes there are to read before the one at `at`.
    pub fn present_before(self, at: u64) -> u64 {
        match self.gap {
            Some((from, to)) if at > from => at.max(to) - (to - from),
            _ => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_out_has_no_slots() {
        let (length, gap) = (7 * CHUNK, Some((CHUNK + 10, 4 * CHUNK + 10)));
        let shape = Shape { length, gap };
        assert_eq!(shape.slots(), 5);
        let starts = [0, 1, 2, 3, 4].map(|slot| shape.start(slot) / CHUNK);
        assert_eq!(starts, [0, 1, 4, 5, 6]);
        let slots = [0, 1, 2, 3, 4, 5, 6].map(|chunk| shape.slot(chunk * CHUNK));
        assert_eq!(slots, [0, 1, 1, 1, 2, 3, 4]);
        assert_eq!(shape.present(), 4 * CHUNK);
        assert_eq!(shape.present_before(4 * CHUNK + 10), CHUNK + 10);
        assert_eq!(shape.present_before(2 * CHUNK), CHUNK + 10);
    }

    #[test]
    fn a_cut_within_a_chunk_leaves_all_slots() {
        let (length, gap) = (3 * CHUNK + 1, Some((CHUNK + 10, CHUNK + 20)));
        let shape = Shape { length, gap };
        assert_eq!(shape.slots(), 4);
        assert_eq!(
            [0, 1, 2, 3].map(|slot| shape.start(slot) / CHUNK),
            [0, 1, 2, 3]
        );
        assert_eq!(Shape::default().slots(), 0);
    }
}
