//! Groups: bitmaps, inode tables, descriptors, and the superblocks with them.

use super::Error;
use super::finish::Work;
use super::layout::*;
use super::shape::Shape;
use super::superblock::{Group, Superblock};

impl Work {
    pub(super) fn write_groups(&mut self, shape: &Shape) -> Result<(), Error> {
        let table_blocks = shape.inodes_per_group / (BLOCK / INODE) as u64;
        let mut groups: Vec<Group> = (0..shape.groups)
            .map(|_| Group {
                block_bitmap: self.space.take(1).0,
                inode_bitmap: self.space.take(1).0,
                inode_table: self.space.take_whole(table_blocks),
                ..Group::default()
            })
            .collect();
        // Nothing is taken from here on.
        let taken = self.taken(shape);
        for (number, group) in groups.iter_mut().enumerate() {
            self.write_block_bitmap(number as u64, group, &taken, shape)?;
            self.write_inodes(number as u64, group, shape)?;
        }
        let superblock = Superblock {
            options: &self.options,
            uuid: self.uuid,
            blocks: shape.blocks,
            free_blocks: groups.iter().map(|g| g.free_blocks).sum(),
            inodes_per_group: shape.inodes_per_group,
            free_inodes: groups.iter().map(|g| g.free_inodes).sum(),
            descriptor_blocks: shape.descriptor_blocks,
            journal_map: self.journal.0,
            journal_size: self.journal.1,
        };
        let mut table: Vec<u8> = (groups.iter().enumerate())
            .flat_map(|(number, group)| group.encode(number as u64, self.seed))
            .collect();
        table.resize(shape.descriptor_blocks as usize * BLOCK, 0);
        for number in (0..shape.groups).filter(|g| has_superblock(*g)) {
            let mut block = vec![0; BLOCK];
            // The first superblock leaves room for a boot sector; copies begin their block.
            let at = if number == 0 { 1024 } else { 0 };
            block[at..at + 1024].copy_from_slice(&superblock.encode(number));
            self.out.write(number * GROUP, &block)?;
            self.out.write(number * GROUP + 1, &table)?;
        }
        Ok(())
    }

    /// One bit per block of all groups; those beyond the end count as taken.
    fn taken(&self, shape: &Shape) -> Vec<u8> {
        let mut bits = vec![0u8; (shape.groups * GROUP / 8) as usize];
        let end = self.space.end();
        set(&mut bits, 0, end);
        for (start, length) in self.space.free_ranges() {
            (start..start + length).for_each(|b| bits[(b / 8) as usize] &= !(1 << (b % 8)));
        }
        for group in (0..shape.groups).filter(|g| has_superblock(*g)) {
            set(&mut bits, group * GROUP, group * GROUP + HEADER);
        }
        set(&mut bits, shape.blocks, shape.groups * GROUP);
        bits
    }

    fn write_block_bitmap(
        &mut self,
        number: u64,
        group: &mut Group,
        taken: &[u8],
        shape: &Shape,
    ) -> Result<(), Error> {
        let bitmap = &taken[number as usize * BLOCK..(number as usize + 1) * BLOCK];
        group.free_blocks = bitmap.iter().map(|b| u64::from(b.count_zeros())).sum();
        group.block_bitmap_checksum = self.seed.over(bitmap);
        debug_assert!(number < shape.groups);
        self.out.write(group.block_bitmap, bitmap)
    }

    fn write_inodes(&mut self, number: u64, group: &mut Group, shape: &Shape) -> Result<(), Error> {
        let first = number * shape.inodes_per_group + 1;
        let last = (first + shape.inodes_per_group).min(self.inodes.len() as u64);
        let used = last.saturating_sub(first);
        let mut bitmap = vec![0u8; BLOCK];
        set(&mut bitmap, 0, used);
        group.inode_bitmap_checksum = self
            .seed
            .over(&bitmap[..(shape.inodes_per_group / 8) as usize]);
        set(&mut bitmap, shape.inodes_per_group, GROUP);
        group.free_inodes = shape.inodes_per_group - used;
        group.unused_inodes = group.free_inodes;
        self.out.write(group.inode_bitmap, &bitmap)?;
        let mut table = Vec::with_capacity((used as usize * INODE).next_multiple_of(BLOCK));
        for number in first..first + used {
            group.directories += u64::from(self.directories[number as usize]);
            match self.inodes[number as usize].take() {
                Some(record) => table.extend_from_slice(record.as_slice()),
                None => table.extend_from_slice(&[0; INODE]),
            }
        }
        table.resize(table.len().next_multiple_of(BLOCK), 0);
        self.out.write(group.inode_table, &table)
    }
}

/// Sets the bits `from..to`.
fn set(bits: &mut [u8], from: u64, to: u64) {
    (from..to).for_each(|b| bits[(b / 8) as usize] |= 1 << (b % 8));
}
