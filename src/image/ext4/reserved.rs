//! The inodes that belong to the file system itself: the journal, and what is reserved for growing.

use super::Error;
use super::encode::{low32, put32};
use super::extent::Extent;
use super::finish::Work;
use super::inode::{self, Record};
use super::layout::*;
use super::shape::Shape;
use super::tree::{Meta, Time};

impl Work {
    /// An empty journal ("Journal (jbd2)", "Super Block"); its numbers are big-endian. The kernel turns on checksums
    /// in it by itself.
    pub(super) fn write_journal(&mut self) -> Result<(), Error> {
        let mut head = vec![0; BLOCK];
        let fields: [(usize, u32); 7] = [
            (0x00, 0xC03B_3998), // magic
            (0x04, 4),           // superblock, version 2
            (0x0C, BLOCK as u32),
            (0x10, JOURNAL as u32),
            (0x14, 1), // first block of the log
            (0x18, 1), // first transaction
            (0x40, 1), // users
        ];
        for (at, value) in fields {
            head[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        head[0x30..0x40].copy_from_slice(&self.uuid);
        let mut extents = Vec::new();
        let mut logical = 0;
        while logical < JOURNAL {
            let (physical, length) = self.space.take(JOURNAL - logical);
            Extent {
                logical,
                physical,
                length,
            }
            .append_to(&mut extents);
            logical += length;
        }
        self.out.write(extents[0].physical, &head)?;
        let meta = Meta {
            mode: 0o600,
            mtime: Time::seconds(self.options.made_at),
            ..Meta::default()
        };
        let mut record = Record::new(inode::FILE, &meta);
        record.size = JOURNAL * BLOCK as u64;
        self.map(JOURNAL_INODE, &extents, &mut record)?;
        self.journal = (record.map, record.size);
        self.put_inode(JOURNAL_INODE, &record);
        Ok(())
    }

    /// The resize inode owns the blocks reserved for descriptors, in the old block-map form: its double-indirect
    /// block names the reserved blocks of the first group, and each of those names its copies in the other groups
    /// (`ext2fs_create_resize_inode`; `reserve_backup_gdb` in the kernel).
    pub(super) fn write_resize_inode(&mut self, root: u64, shape: &Shape) -> Result<(), Error> {
        const DOUBLE_INDIRECT: usize = 13;
        let words = (BLOCK / 4) as u64;
        let copies: Vec<u64> = (1..shape.groups).filter(|g| has_superblock(*g)).collect();
        let mut root_block = vec![0; BLOCK];
        for reserved in shape.descriptor_blocks..DESCRIPTOR_BLOCKS {
            let at = 1 + reserved;
            put32(&mut root_block, 4 * reserved as usize, low32(at));
            let mut block = vec![0; BLOCK];
            for (slot, group) in copies.iter().enumerate() {
                put32(&mut block, 4 * slot, low32(group * GROUP + at));
            }
            self.out.write(at, &block)?;
        }
        self.out.write(root, &root_block)?;
        let meta = Meta {
            mode: 0o600,
            mtime: Time::seconds(self.options.made_at),
            ..Meta::default()
        };
        let mut record = Record::new(inode::FILE, &meta);
        put32(&mut record.map, 4 * DOUBLE_INDIRECT, low32(root));
        record.size = (words * words + words + 12) * BLOCK as u64;
        record.blocks =
            1 + (DESCRIPTOR_BLOCKS - shape.descriptor_blocks) * (1 + copies.len() as u64);
        self.put_inode(RESIZE_INODE, &record);
        Ok(())
    }
}
