//! Which blocks are taken. New blocks are taken from a cursor that moves towards the end of the image; blocks that
//! were given back are taken first when a whole run fits.

use std::collections::BTreeMap;

use super::layout::{GROUP, HEADER, has_superblock};

/// How many free ranges are looked at before the cursor is used.
const LOOK: usize = 64;

/// Free ranges behind the cursor, and the cursor.
#[derive(Clone, Debug)]
pub struct Space {
    next: u64,
    free: BTreeMap<u64, u64>,
}

impl Space {
    /// Everything after the first group's header is free.
    pub fn new() -> Space {
        Space {
            next: HEADER,
            free: BTreeMap::new(),
        }
    }

    /// The first block never taken.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// Ranges (start, length) below [`Space::end`] that are free.
    pub fn free_ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.free.iter().map(|(start, length)| (*start, *length))
    }

    /// Takes a run of 1..=`want` adjacent blocks within one group: (start, length).
    pub fn take(&mut self, want: u64) -> (u64, u64) {
        if let Some(start) = self.take_freed(want) {
            return (start, want);
        }
        self.skip_header();
        let length = want.min(GROUP - self.next % GROUP);
        let start = self.next;
        self.next += length;
        (start, length)
    }

    /// Takes exactly `want` adjacent blocks within one group; `want` is at most what a group with a header has.
    pub fn take_whole(&mut self, want: u64) -> u64 {
        if let Some(start) = self.take_freed(want) {
            return start;
        }
        self.skip_header();
        let left = GROUP - self.next % GROUP;
        if left < want {
            let start = self.next;
            self.next += left;
            self.give_back(start, left);
            self.skip_header();
        }
        let start = self.next;
        self.next += want;
        start
    }

    fn take_freed(&mut self, want: u64) -> Option<u64> {
        let (start, length) = (self.free.iter().take(LOOK))
            .map(|(start, length)| (*start, *length))
            .find(|(_, length)| *length >= want)?;
        self.free.remove(&start);
        if length > want {
            self.free.insert(start + want, length - want);
        }
        Some(start)
    }

    /// Steps over the header of a group that has one.
    fn skip_header(&mut self) {
        if self.next.is_multiple_of(GROUP) && has_superblock(self.next / GROUP) {
            self.next += HEADER;
        }
    }

    /// Gives blocks of one group back.
    pub fn give_back(&mut self, mut start: u64, mut length: u64) {
        if let Some((before, size)) = self.free.range(..start).next_back().map(|(s, l)| (*s, *l))
            && before + size == start
            && before / GROUP == start / GROUP
        {
            self.free.remove(&before);
            (start, length) = (before, size + length);
        }
        let end = start + length;
        if !end.is_multiple_of(GROUP)
            && let Some(size) = self.free.remove(&end)
        {
            length += size;
        }
        self.free.insert(start, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_within_a_group_and_step_over_headers() {
        let mut space = Space::new();
        assert_eq!(space.take(GROUP), (HEADER, GROUP - HEADER));
        assert_eq!(space.take(10), (GROUP + HEADER, 10));
        assert_eq!(
            space.take(GROUP),
            (GROUP + HEADER + 10, GROUP - HEADER - 10)
        );
        assert_eq!(space.take(5), (2 * GROUP, 5), "group 2 has no superblock");
    }

    #[test]
    fn freed_blocks_join_and_are_taken_again() {
        let mut space = Space::new();
        let (start, _) = space.take(10);
        space.give_back(start, 3);
        space.give_back(start + 6, 4);
        space.give_back(start + 3, 3);
        assert_eq!(space.free_ranges().collect::<Vec<_>>(), [(start, 10)]);
        assert_eq!(space.take(4), (start, 4));
        assert_eq!(space.take(7), (start + 10, 7), "too long for what is left");
        assert_eq!(space.take(6), (start + 4, 6));
    }

    #[test]
    fn a_whole_run_moves_to_the_next_group_when_it_must() {
        let mut space = Space::new();
        space.take(GROUP - HEADER - 5);
        assert_eq!(space.take_whole(512), GROUP + HEADER);
        assert_eq!(space.free_ranges().collect::<Vec<_>>(), [(GROUP - 5, 5)]);
    }
}
