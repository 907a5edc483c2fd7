//! How many lines of a kind each chunk of a log has, as far as they have been counted.

use super::shape::Shape;

/// What stands for a count that is not known, and for one that somebody is about to know.
const UNKNOWN: u32 = u32::MAX;
const TAKEN: u32 = u32::MAX - 1;

/// A count for each slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    counts: Vec<u32>,
}

impl Census {
    /// Nothing counted yet, of a log of that shape.
    pub fn new(shape: Shape) -> Census {
        Census {
            counts: vec![UNKNOWN; shape.slots()],
        }
    }

    /// The count of a slot, if it is known.
    pub fn get(&self, slot: usize) -> Option<u32> {
        self.counts
            .get(slot)
            .copied()
            .filter(|count| *count < TAKEN)
    }

    /// Says that somebody is about to count a slot.
    pub fn take(&mut self, slot: usize) {
        if let Some(count) = self.counts.get_mut(slot) {
            *count = TAKEN;
        }
    }

    /// Forgets who was about to count what.
    pub fn give_back(&mut self) {
        for count in &mut self.counts {
            if *count == TAKEN {
                *count = UNKNOWN;
            }
        }
    }

    pub fn set(&mut self, slot: usize, count: usize) {
        if let Some(known) = self.counts.get_mut(slot) {
            *known = u32::try_from(count).map_or(TAKEN - 1, |count| count.min(TAKEN - 1));
        }
    }

    /// All of the slots before this one together, if they are known.
    pub fn before(&self, slot: usize) -> Option<u64> {
        let counts = self.counts.get(..slot)?;
        counts.iter().try_fold(0, |sum, count| match *count {
            TAKEN.. => None,
            count => Some(sum + u64::from(count)),
        })
    }

    /// All that is known together, and whether that is all there is.
    pub fn total(&self) -> (u64, bool) {
        let known = self.counts.iter().filter(|count| **count < TAKEN);
        let (sum, count) = known.fold((0, 0), |(sum, count), known| {
            (sum + u64::from(*known), count + 1)
        });
        (sum, count == self.counts.len())
    }

    /// The next slot that nobody knows or is about to: `from` itself or one behind it, or one before it.
    pub fn unknown(&self, from: usize, forwards: bool) -> Option<usize> {
        self.next(from, forwards, |count| *count == UNKNOWN)
    }

    /// Whether all slots in a direction are known.
    pub fn is_known(&self, from: usize, forwards: bool) -> bool {
        self.next(from, forwards, |count| *count >= TAKEN).is_none()
    }

    fn next(&self, from: usize, forwards: bool, wanted: impl Fn(&u32) -> bool) -> Option<usize> {
        if forwards {
            let from = from.min(self.counts.len());
            let index = self.counts[from..].iter().position(wanted)?;
            Some(from + index)
        } else {
            let until = from.saturating_add(1).min(self.counts.len());
            self.counts[..until].iter().rposition(wanted)
        }
    }

    /// Follows a log that has another shape now. What may have changed is not known any more.
    pub fn reshape(&mut self, old: Shape, new: Shape) {
        if old.length > new.length {
            *self = Census::new(new);
            return;
        }
        if old.gap != new.gap {
            self.cut(old, new);
        }
        if old.length < new.length {
            // What has grown may be the end of a line that begins two chunks before the end.
            let grown = new.slot(old.length.saturating_sub(1)).saturating_sub(1);
            self.counts.truncate(grown.min(self.counts.len()));
        }
        self.counts.resize(new.slots(), UNKNOWN);
    }

    /// Leaves out the slots of what was cut out. Those that it borders on are counted anew.
    fn cut(&mut self, old: Shape, new: Shape) {
        let Some((from, to)) = new.gap else {
            self.counts.clear();
            return;
        };
        let (first, last) = (old.slot(from), old.slot(to));
        let gone = (first + 1).min(self.counts.len())..last.min(self.counts.len());
        if gone.start < gone.end {
            self.counts.drain(gone);
        }
        // A line before may have ended in what is gone.
        let border = new.slot(from);
        for slot in border.saturating_sub(1)..=border + 1 {
            if let Some(count) = self.counts.get_mut(slot) {
                *count = UNKNOWN;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::CHUNK;
    use super::*;

    fn shape(chunks: u64, gap: Option<(u64, u64)>) -> Shape {
        let gap = gap.map(|(from, to)| (from * CHUNK + 5, to * CHUNK + 5));
        Shape {
            length: chunks * CHUNK,
            gap,
        }
    }

    fn counted(chunks: u64) -> Census {
        let mut census = Census::new(shape(chunks, None));
        for slot in 0..census.counts.len() {
            census.set(slot, slot * 10);
        }
        census
    }

    #[test]
    fn sums_are_told_as_far_as_they_are_known() {
        let mut census = Census::new(shape(4, None));
        assert_eq!((census.before(0), census.before(1)), (Some(0), None));
        census.set(0, 3);
        census.set(2, 4);
        assert_eq!((census.before(1), census.before(2)), (Some(3), None));
        assert_eq!(census.total(), (7, false));
        assert_eq!(census.unknown(0, true), Some(1));
        assert_eq!(census.unknown(2, true), Some(3));
        assert_eq!(census.unknown(2, false), Some(1));
        assert_eq!(census.unknown(0, false), None);
        assert_eq!(census.unknown(99, true), None);
        census.take(3);
        assert_eq!((census.unknown(2, true), census.get(3)), (None, None));
        assert!(!census.is_known(2, true) && census.is_known(2, true) == census.is_known(3, true));
        census.give_back();
        assert_eq!(census.unknown(2, true), Some(3));
        census.set(1, 0);
        census.set(3, 1);
        assert_eq!((census.before(4), census.total()), (Some(8), (8, true)));
    }

    #[test]
    fn what_has_grown_is_counted_anew() {
        let mut census = counted(5);
        census.reshape(shape(5, None), shape(7, None));
        let known: Vec<_> = (0..7).map(|slot| census.get(slot)).collect();
        let none = None;
        assert_eq!(known, [Some(0), Some(10), Some(20), none, none, none, none]);
        census.reshape(shape(7, None), shape(2, None));
        assert_eq!(census.total(), (0, false), "it was begun anew");
    }

    #[test]
    fn counts_of_what_is_cut_out_go() {
        let mut census = counted(9);
        census.reshape(shape(9, None), shape(9, Some((1, 5))));
        let known: Vec<_> = (0..6).map(|slot| census.get(slot)).collect();
        assert_eq!(known, [None, None, None, Some(60), Some(70), Some(80)]);
        census.set(0, 1);
        census.set(1, 1);
        census.set(2, 1);
        census.reshape(shape(9, Some((1, 5))), shape(9, Some((1, 7))));
        let known: Vec<_> = (0..4).map(|slot| census.get(slot)).collect();
        assert_eq!(known, [None, None, None, Some(80)]);
    }
}
