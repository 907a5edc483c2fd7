//! The numbers of the format and the choices made within it (kernel documentation, "ext4 Data Structures").

/// Bytes in a block.
pub const BLOCK: usize = 4096;
/// Blocks in a group: as many as one bitmap block counts.
pub const GROUP: u64 = (BLOCK * 8) as u64;
/// Bytes in an inode record.
pub const INODE: usize = 256;
/// Bytes of an inode beyond the first 128 that are fields (up to and with `i_projid`).
pub const INODE_EXTRA: u16 = 32;
/// Bytes in a group descriptor (`64bit`).
pub const DESCRIPTOR: usize = 64;
/// Blocks after a superblock that hold descriptors or are reserved for them.
pub const DESCRIPTOR_BLOCKS: u64 = 128;
/// Blocks at the start of a group that has a superblock.
pub const HEADER: u64 = 1 + DESCRIPTOR_BLOCKS;
/// The size up to which the file system can be grown online by reserved descriptors: 1 TiB. (Beyond it the kernel
/// turns to `meta_bg` by itself.)
pub const GROWTH_LIMIT: u64 =
    DESCRIPTOR_BLOCKS * (BLOCK / DESCRIPTOR) as u64 * GROUP * BLOCK as u64;
/// Blocks of the journal: 32 MiB, what `mke2fs` gives a file system of 2 GiB.
pub const JOURNAL: u64 = 8192;
/// The fewest inodes of a group; what `mke2fs` takes (one per 16 KiB), and what every group added later has.
pub const INODES_PER_GROUP_MIN: u64 = 8192;
/// Free space that an image has at least, in blocks: 16 MiB, so that it boots even when it is not grown.
pub const HEADROOM: u64 = 4096;
/// The image's size is a multiple of this many blocks (8 MiB), so that the last group has room for its header.
pub const GRAIN: u64 = 2048;
/// Longest extent, in blocks (`ee_len` above it means "not initialised").
pub const EXTENT_MAX: u64 = 32768;
/// Longest target of a symbolic link: a block with its final NUL.
pub const SYMLINK_MAX: usize = BLOCK - 1;
/// The most names of a file (`EXT4_LINK_MAX`).
pub const LINK_MAX: u32 = 65_000;
/// The most nodes of a tree: it is kept in memory while it is written, so that a small archive of countless empty files
/// must end somewhere. Root file systems have some 100,000.
pub const NODES_MAX: usize = 8 << 20;
/// Longest name.
pub const NAME_MAX: usize = 255;
/// Largest file: 2^32 - 1 blocks.
pub const FILE_MAX: u64 = (u32::MAX as u64) * BLOCK as u64;

/// Inode numbers with a meaning of their own.
pub const ROOT_INODE: u32 = 2;
pub const RESIZE_INODE: u32 = 7;
pub const JOURNAL_INODE: u32 = 8;
/// The first ordinary inode; `lost+found` by custom.
pub const FIRST_INODE: u32 = 11;

/// `sparse_super`: whether a group begins with a copy of the superblock (0, 1 and the powers of 3, 5 and 7).
pub fn has_superblock(group: u64) -> bool {
    let power_of = |base: u64| {
        let mut power = base;
        while power < group {
            power *= base;
        }
        power == group
    };
    group <= 1 || power_of(3) || power_of(5) || power_of(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superblock_copies_lie_where_sparse_super_says() {
        let groups: Vec<u64> = (0..130).filter(|g| has_superblock(*g)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn the_growth_limit_is_a_tebibyte() {
        assert_eq!(GROWTH_LIMIT, 1 << 40);
    }
}
