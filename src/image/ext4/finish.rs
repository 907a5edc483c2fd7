//! The last part of writing a file system: everything that is not file data.
//!
//! ```text
//! number the nodes ─▶ directories, links, attributes, extent trees ─▶ journal ─▶ resize inode
//!   ─▶ how many groups and inodes ─▶ bitmaps and inode tables ─▶ descriptors and superblocks
//! ```

use super::attributes::{self, Place};
use super::checksum::Seed;
use super::directory::{self, Blocks};
use super::extent::{self, Extent};
use super::inode::{self, Record};
use super::layout::*;
use super::number::Numbers;
use super::output::Output;
use super::shape::Shape;
use super::space::Space;
use super::tree::{Kind, Meta, NodeId, Special, Time, Tree};
use super::{Builder, Error, Options, Summary};

pub(super) const LOST_AND_FOUND: &[u8] = b"lost+found";
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
        lost_and_found: tree.lookup(NodeId::ROOT, LOST_AND_FOUND),
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

/// What is being written, and what the parts written so far have come to.
pub(super) struct Work {
    pub(super) out: Output,
    pub(super) space: Space,
    pub(super) tree: Tree,
    pub(super) options: Options,
    pub(super) uuid: [u8; 16],
    pub(super) numbers: Numbers,
    pub(super) lost_and_found: Option<NodeId>,
    pub(super) seed: Seed,
    /// Records by inode number; those that are `None` are reserved and stay zero.
    pub(super) inodes: Vec<Option<Box<[u8; INODE]>>>,
    pub(super) directories: Vec<bool>,
    /// The journal's block map and size.
    pub(super) journal: ([u8; 60], u64),
}

impl Work {
    pub(super) fn put_inode(&mut self, number: u32, record: &Record) {
        self.directories[number as usize] = record.mode & 0o170_000 == inode::DIRECTORY;
        self.inodes[number as usize] = Some(Box::new(record.encode(number, self.seed)));
    }

    /// Gives a record the blocks that `extents` name.
    pub(super) fn map(
        &mut self,
        number: u32,
        extents: &[Extent],
        record: &mut Record,
    ) -> Result<(), Error> {
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
        // What is written is not needed any more, and the records of inodes need the memory.
        self.tree.forget(id);
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
        if self.lost_and_found == Some(id) {
            for _ in 1..LOST_AND_FOUND_BLOCKS {
                blocks.add_empty_block();
            }
        }
        (blocks.finish(), subdirectories)
    }
}
