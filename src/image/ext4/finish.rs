//! The last part of writing a file system: everything that is not file data.
//!
//! ```text
//! number the nodes ─▶ directories, links, attributes, extent trees ─▶ journal ─▶ resize inode
//!   ─▶ how many groups and inodes ─▶ bitmaps and inode tables ─▶ descriptors and superblocks
//! ```

use super::attributes::{self, Place};
use super::checksum::Seed;
use super::directory::{self, Blocks};
use super::encode::{low32, put32};
use super::extent::{self, Extent};
use super::inode::{self, Record};
use super::layout::*;
use super::output::Output;
use super::space::Space;
use super::superblock::{Group, Superblock};
use super::tree::{Kind, Meta, NodeId, Special, Time, Tree};
use super::{Builder, Error, Options, Summary};

const LOST_AND_FOUND: &[u8] = b"lost+found";
/// Blocks of a fresh `lost+found`, as `mke2fs` makes it: room for entries when the disk is damaged.
const LOST_AND_FOUND_BLOCKS: usize = 4;

pub fn finish(builder: Builder, uuid: [u8; 16]) -> Result<Summary, Error> {
    let Builder {
        out,
        space,
        mut tree,
        options,
    } = builder;
    add_lost_and_found(&mut tree, &options)?;
    let numbers = Numbers::assign(&tree);
    let mut work = Work {
        seed: Seed::new(&uuid),
        uuid,
        inodes: vec![None; numbers.next as usize],
        directories: vec![false; numbers.next as usize],
        journal: ([0; 60], JOURNAL * BLOCK as u64),
        out,
        space,
        tree,
        numbers,
        options,
    };
    for at in 0..work.numbers.order.len() {
        work.write_node(work.numbers.order[at])?;
    }
    work.write_journal()?;
    let resize_root = work.space.take(1).0;
    let shape = Shape::fit(&work.space, work.inodes.len() as u64)?;
    work.write_resize_inode(resize_root, &shape)?;
    work.write_groups(&shape)?;
    let summary = Summary {
        size: shape.blocks * BLOCK as u64,
        inodes: work.inodes.len() as u64 - 1,
    };
    let freed: Vec<_> = work.space.free_ranges().collect();
    work.out.flush()?;
    for (start, length) in freed {
        work.out.punch(start, length)?;
    }
    work.out.close(summary.size)?;
    Ok(summary)
}

fn add_lost_and_found(tree: &mut Tree, options: &Options) -> Result<(), Error> {
    match tree.lookup(NodeId::ROOT, LOST_AND_FOUND) {
        Some(node) if tree.parent(node).is_some() => Ok(()),
        Some(_) => Err(Error::LostAndFound),
        None => {
            let meta = Meta {
                mode: 0o700,
                mtime: Time::seconds(options.made_at),
                ..Meta::default()
            };
            let node = tree.add(Kind::directory(NodeId::ROOT), meta);
            tree.link(NodeId::ROOT, LOST_AND_FOUND, node)
        }
    }
}

/// Inode numbers: the root, `lost+found`, then the rest level by level, names in byte order.
struct Numbers {
    of: Vec<u32>,
    order: Vec<NodeId>,
    next: u32,
}

impl Numbers {
    fn assign(tree: &Tree) -> Numbers {
        let mut numbers = Numbers {
            of: vec![0; tree.len()],
            order: Vec::new(),
            next: FIRST_INODE,
        };
        numbers.of[NodeId::ROOT.0 as usize] = ROOT_INODE;
        numbers.order.push(NodeId::ROOT);
        if let Some(node) = tree.lookup(NodeId::ROOT, LOST_AND_FOUND) {
            numbers.give(node);
        }
        let mut at = 0;
        while at < numbers.order.len() {
            for node in tree
                .entries(numbers.order[at])
                .into_iter()
                .flatten()
                .map(|(_, node)| *node)
            {
                numbers.give(node);
            }
            at += 1;
        }
        numbers
    }

    fn give(&mut self, node: NodeId) {
        let number = &mut self.of[node.0 as usize];
        if *number == 0 {
            *number = self.next;
            self.next += 1;
            self.order.push(node);
        }
    }

    fn get(&self, node: NodeId) -> u32 {
        self.of[node.0 as usize]
    }
}

/// How large the file system becomes.
struct Shape {
    blocks: u64,
    groups: u64,
    inodes_per_group: u64,
    descriptor_blocks: u64,
}

impl Shape {
    /// The smallest that holds what is taken so far, the groups' own blocks, `inodes` (and some more) and some room.
    fn fit(space: &Space, inodes: u64) -> Result<Shape, Error> {
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

struct Work {
    out: Output,
    space: Space,
    tree: Tree,
    options: Options,
    uuid: [u8; 16],
    numbers: Numbers,
    seed: Seed,
    /// Records by inode number; those that are `None` are reserved and stay zero.
    inodes: Vec<Option<Box<[u8; INODE]>>>,
    directories: Vec<bool>,
    /// The journal's block map and size.
    journal: ([u8; 60], u64),
}

impl Work {
    fn put_inode(&mut self, number: u32, record: &Record) {
        self.directories[number as usize] = record.mode & 0o170_000 == inode::DIRECTORY;
        self.inodes[number as usize] = Some(Box::new(record.encode(number, self.seed)));
    }

    /// Gives a record the blocks that `extents` name.
    fn map(&mut self, number: u32, extents: &[Extent], record: &mut Record) -> Result<(), Error> {
        let root = extent::write_tree(
            extents,
            self.seed.inode(number),
            &mut self.space,
            &mut self.out,
        )?;
        record.map = root.bytes;
        record.flags |= inode::EXTENTS;
        record.blocks += root.tree_blocks + extents.iter().map(|e| e.length).sum::<u64>();
        Ok(())
    }

    fn write_node(&mut self, id: NodeId) -> Result<(), Error> {
        let number = self.numbers.get(id);
        let (mut record, extents) = self.describe(id)?;
        if let Some(extents) = extents {
            self.map(number, &extents, &mut record)?;
        }
        match attributes::place(&self.tree.node(id).meta.attributes)? {
            Place::Nowhere => {}
            Place::Inode(bytes) => record.attributes = bytes,
            Place::Block(mut block) => {
                let at = self.space.take(1).0;
                attributes::seal(&mut block, at, self.seed);
                self.out.write(at, &block)?;
                record.attribute_block = at;
                record.blocks += 1;
            }
        }
        self.put_inode(number, &record);
        Ok(())
    }

    /// The record of a node, and the extents of its data where it has any.
    fn describe(&mut self, id: NodeId) -> Result<(Record, Option<Vec<Extent>>), Error> {
        let node = self.tree.node(id);
        let meta = &node.meta;
        Ok(match &node.kind {
            Kind::Directory { .. } => {
                let (data, subdirectories) = self.directory_data(id);
                let mut record = Record::new(inode::DIRECTORY, meta);
                record.size = data.len() as u64;
                // `dir_nlink`: a directory with more names than can be counted has 1.
                let links = subdirectories + 2;
                record.links = if links > LINK_MAX { 1 } else { links as u16 };
                (
                    record,
                    Some(extent::write_data(&data, &mut self.space, &mut self.out)?),
                )
            }
            Kind::File { size, extents } => {
                let mut record = Record::new(inode::FILE, meta);
                record.size = *size;
                record.links = node.links as u16;
                (record, Some(extents.clone()))
            }
            Kind::Symlink(target) => {
                let mut record = Record::new(inode::SYMLINK, meta);
                record.size = target.len() as u64;
                record.links = node.links as u16;
                if target.len() < record.map.len() {
                    record.map[..target.len()].copy_from_slice(target);
                    (record, None)
                } else {
                    let mut data = target.to_vec();
                    data.resize(BLOCK, 0);
                    (
                        record,
                        Some(extent::write_data(&data, &mut self.space, &mut self.out)?),
                    )
                }
            }
            Kind::Special(kind) => {
                let (mode, map) = inode::special(*kind);
                let mut record = Record::new(mode, meta);
                record.links = node.links as u16;
                record.map = map;
                (record, None)
            }
        })
    }

    /// The blocks of a directory, and how many directories it holds.
    fn directory_data(&self, id: NodeId) -> (Vec<u8>, u32) {
        let number = self.numbers.get(id);
        let parent = self.tree.parent(id).unwrap_or(NodeId::ROOT);
        let mut blocks = Blocks::new(self.seed.inode(number));
        blocks.add(number, b".", directory::DIRECTORY);
        blocks.add(self.numbers.get(parent), b"..", directory::DIRECTORY);
        let mut subdirectories = 0;
        let entries = self.tree.entries(id).into_iter().flatten();
        for (name, child) in entries {
            let file_type = match &self.tree.node(*child).kind {
                Kind::Directory { .. } => {
                    subdirectories += 1;
                    directory::DIRECTORY
                }
                Kind::File { .. } => directory::FILE,
                Kind::Symlink(_) => directory::SYMLINK,
                Kind::Special(Special::Character { .. }) => directory::CHARACTER,
                Kind::Special(Special::Block { .. }) => directory::BLOCK_DEVICE,
                Kind::Special(Special::Fifo) => directory::FIFO,
            };
            blocks.add(self.numbers.get(*child), name, file_type);
        }
        if self.tree.lookup(NodeId::ROOT, LOST_AND_FOUND) == Some(id) {
            for _ in 1..LOST_AND_FOUND_BLOCKS {
                blocks.add_empty_block();
            }
        }
        (blocks.finish(), subdirectories)
    }

    /// An empty journal ("Journal (jbd2)", "Super Block"); its numbers are big-endian. The kernel turns on checksums
    /// in it by itself.
    fn write_journal(&mut self) -> Result<(), Error> {
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
    fn write_resize_inode(&mut self, root: u64, shape: &Shape) -> Result<(), Error> {
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

    fn write_groups(&mut self, shape: &Shape) -> Result<(), Error> {
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
