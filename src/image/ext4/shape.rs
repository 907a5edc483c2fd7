//! How many groups and inodes a file system gets, once it is known what it holds.

use super::Error;
use super::layout::{
    BLOCK, DESCRIPTOR, GRAIN, GROUP, GROWTH_LIMIT, HEADROOM, INODE, INODES_PER_GROUP_MIN,
};
use super::space::Space;

/// How large the file system becomes.
pub(super) struct Shape {
    pub(super) blocks: u64,
    pub(super) groups: u64,
    pub(super) inodes_per_group: u64,
    pub(super) descriptor_blocks: u64,
}

impl Shape {
    /// The smallest that holds what is taken so far, the groups' own blocks, `inodes` (and some more) and some room.
    pub(super) fn fit(space: &Space, inodes: u64) -> Result<Shape, Error> {
        let wanted_inodes = inodes + inodes / 8 + 1024;
        let mut groups = space.end().div_ceil(GROUP);
        loop {
            let inodes_per_group = (wanted_inodes.div_ceil(groups))
                .max(INODES_PER_GROUP_MIN)
                .next_multiple_of((BLOCK / INODE) as u64);
            if inodes_per_group > GROUP {
                groups += 1;
                continue;
            }
            let mut trial = space.clone();
            for _ in 0..groups {
                trial.take(1);
                trial.take(1);
                trial.take_whole(inodes_per_group / (BLOCK / INODE) as u64);
            }
            let blocks = (trial.end() + HEADROOM).next_multiple_of(GRAIN);
            let needed = blocks.div_ceil(GROUP);
            if blocks * BLOCK as u64 > GROWTH_LIMIT {
                return Err(Error::TooLarge);
            }
            if needed <= groups {
                return Ok(Shape {
                    blocks: blocks.max((groups - 1) * GROUP + GRAIN),
                    groups,
                    inodes_per_group,
                    descriptor_blocks: groups.div_ceil((BLOCK / DESCRIPTOR) as u64),
                });
            }
            groups = needed;
        }
    }
}
