//! The superblock and group descriptors (kernel documentation, "The Super Block", "Block Group Descriptors").

use super::Options;
use super::checksum::{Seed, crc};
use super::encode::{high32, low32, put16, put32};
use super::layout::{
    DESCRIPTOR, DESCRIPTOR_BLOCKS, FIRST_INODE, GROUP, INODE, INODE_EXTRA, JOURNAL_INODE,
};

/// has_journal, ext_attr, resize_inode, dir_index
const COMPATIBLE: u32 = 0x4 | 0x8 | 0x10 | 0x20;
/// filetype, extents, 64bit, flex_bg
const INCOMPATIBLE: u32 = 0x2 | 0x40 | 0x80 | 0x200;
/// sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum
const READ_ONLY_COMPATIBLE: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400;

/// The counts that a superblock holds.
pub struct Superblock<'a> {
    pub options: &'a Options,
    pub uuid: [u8; 16],
    pub blocks: u64,
    pub free_blocks: u64,
    pub inodes_per_group: u64,
    pub free_inodes: u64,
    /// Blocks that descriptors take now.
    pub descriptor_blocks: u64,
    /// The journal's block map and size, of which the superblock keeps a copy.
    pub journal_map: [u8; 60],
    pub journal_size: u64,
}

impl Superblock<'_> {
    /// The 1024 bytes of the copy that lies in `group`.
    pub fn encode(&self, group: u64) -> [u8; 1024] {
        let mut s = [0; 1024];
        let groups = self.blocks.div_ceil(GROUP);
        let made_at = self.options.made_at.clamp(0, i64::from(u32::MAX)) as u32;
        put32(&mut s, 0x00, (groups * self.inodes_per_group) as u32);
        put32(&mut s, 0x04, low32(self.blocks));
        put32(&mut s, 0x150, high32(self.blocks));
        put32(&mut s, 0x0C, low32(self.free_blocks));
        put32(&mut s, 0x158, high32(self.free_blocks));
        put32(&mut s, 0x10, self.free_inodes as u32);
        put32(&mut s, 0x18, 2); // block size: 1024 << 2
        put32(&mut s, 0x1C, 2);
        put32(&mut s, 0x20, GROUP as u32);
        put32(&mut s, 0x24, GROUP as u32);
        put32(&mut s, 0x28, self.inodes_per_group as u32);
        put32(&mut s, 0x30, made_at); // written
        put16(&mut s, 0x36, u16::MAX); // no check after so many mounts
        put16(&mut s, 0x38, 0xEF53);
        put16(&mut s, 0x3A, 1); // clean
        put16(&mut s, 0x3C, 1); // on errors: go on
        put32(&mut s, 0x40, made_at); // checked
        put32(&mut s, 0x4C, 1); // revision with variable inode sizes
        put32(&mut s, 0x54, FIRST_INODE);
        put16(&mut s, 0x58, INODE as u16);
        put16(&mut s, 0x5A, group as u16);
        put32(&mut s, 0x5C, COMPATIBLE);
        put32(&mut s, 0x60, INCOMPATIBLE);
        put32(&mut s, 0x64, READ_ONLY_COMPATIBLE);
        s[0x68..0x78].copy_from_slice(&self.uuid);
        let label = self.options.label.as_bytes();
        let length = label.len().min(16);
        s[0x78..0x78 + length].copy_from_slice(&label[..length]);
        put16(
            &mut s,
            0xCE,
            (DESCRIPTOR_BLOCKS - self.descriptor_blocks) as u16,
        );
        put32(&mut s, 0xE0, JOURNAL_INODE);
        s[0xEC..0xFC].copy_from_slice(&self.uuid); // seed of the directory hash
        s[0xFC] = 1; // half MD4
        s[0xFD] = 1; // the journal's block map is kept below
        put16(&mut s, 0xFE, DESCRIPTOR as u16);
        put32(&mut s, 0x100, 0x0C); // mount with user attributes and access lists
        put32(&mut s, 0x108, made_at);
        s[0x10C..0x10C + 60].copy_from_slice(&self.journal_map);
        put32(&mut s, 0x10C + 60, high32(self.journal_size));
        put32(&mut s, 0x10C + 64, low32(self.journal_size));
        put16(&mut s, 0x15C, INODE_EXTRA);
        put16(&mut s, 0x15E, INODE_EXTRA);
        put32(&mut s, 0x160, 1); // the directory hash takes bytes as signed
        s[0x174] = 4; // 16 groups make a flexible one
        s[0x175] = 1; // checksums are CRC-32C
        let checksum = crc(!0, &s[..0x3FC]);
        put32(&mut s, 0x3FC, checksum);
        s
    }
}

/// One group's descriptor.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub block_bitmap: u64,
    pub inode_bitmap: u64,
    pub inode_table: u64,
    pub free_blocks: u64,
    pub free_inodes: u64,
    pub directories: u64,
    /// Inodes at the end of the table that were never used.
    pub unused_inodes: u64,
    pub block_bitmap_checksum: u32,
    pub inode_bitmap_checksum: u32,
}

impl Group {
    /// The descriptor of group `number`.
    pub fn encode(&self, number: u64, seed: Seed) -> [u8; DESCRIPTOR] {
        /// The inode table is zeroed: the file is sparse.
        const INODES_ZEROED: u16 = 4;
        let mut d = [0; DESCRIPTOR];
        for (at, value) in [
            (0, self.block_bitmap),
            (4, self.inode_bitmap),
            (8, self.inode_table),
        ] {
            put32(&mut d, at, low32(value));
            put32(&mut d, at + 0x20, high32(value));
        }
        for (at, high, value) in [
            (0x0C, 0x2C, self.free_blocks),
            (0x0E, 0x2E, self.free_inodes),
            (0x10, 0x30, self.directories),
            (0x1C, 0x32, self.unused_inodes),
            (0x18, 0x38, u64::from(self.block_bitmap_checksum)),
            (0x1A, 0x3A, u64::from(self.inode_bitmap_checksum)),
        ] {
            put16(&mut d, at, value as u16);
            put16(&mut d, high, (value >> 16) as u16);
        }
        put16(&mut d, 0x12, INODES_ZEROED);
        let checksum = seed.with(&(number as u32).to_le_bytes()).over(&d);
        put16(&mut d, 0x1E, checksum as u16);
        d
    }
}
