//! Extents: which blocks of a file lie where, and the tree that holds them (kernel documentation, "Extent Tree").

use super::Error;
use super::checksum::Seed;
use super::encode::{high32, low32, put16, put32};
use super::layout::{BLOCK, EXTENT_MAX, GROUP};
use super::output::Output;
use super::space::Space;

const MAGIC: u16 = 0xF30A;
/// Entries in the 60 bytes of an inode, after the header.
const IN_INODE: usize = 4;
/// Entries in a block, after the header and before the checksum.
const IN_BLOCK: usize = (BLOCK - 12) / 12;

/// `length` blocks of a file from block `logical` on lie from block `physical` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub logical: u64,
    pub physical: u64,
    /// 1..=32768, all in one group.
    pub length: u64,
}

impl Extent {
    /// Appends the extent, joined to the last one where they touch.
    pub fn append_to(self, extents: &mut Vec<Extent>) {
        if let Some(last) = extents.last_mut()
            && last.logical + last.length == self.logical
            && last.physical + last.length == self.physical
            && last.length + self.length <= EXTENT_MAX
            && last.physical / GROUP == self.physical / GROUP
        {
            last.length += self.length;
        } else {
            extents.push(self);
        }
    }
}

/// Takes blocks for `data` (whole blocks), writes them, and returns where they are.
pub fn write_data(data: &[u8], space: &mut Space, out: &mut Output) -> Result<Vec<Extent>, Error> {
    let mut extents = Vec::new();
    let (mut rest, mut logical) = (data, 0);
    while !rest.is_empty() {
        let (physical, length) = space.take((rest.len() / BLOCK) as u64);
        let (now, later) = rest.split_at(length as usize * BLOCK);
        out.write(physical, now)?;
        Extent {
            logical,
            physical,
            length,
        }
        .append_to(&mut extents);
        (rest, logical) = (later, logical + length);
    }
    Ok(extents)
}

/// The root of an extent tree as it stands in the inode, and how many blocks the rest of the tree takes.
pub struct Root {
    pub bytes: [u8; 60],
    pub tree_blocks: u64,
}

/// Writes the extent tree below the inode, if there is one.
pub fn write_tree(
    extents: &[Extent],
    seed: Seed,
    space: &mut Space,
    out: &mut Output,
) -> Result<Root, Error> {
    let mut level: Vec<[u8; 12]> = extents.iter().map(leaf).collect();
    let mut depth = 0;
    let mut tree_blocks = 0;
    while level.len() > IN_INODE {
        let mut above = Vec::new();
        for entries in level.chunks(IN_BLOCK) {
            let mut block = vec![0; BLOCK];
            fill(&mut block, entries, IN_BLOCK, depth);
            let checksum = seed.over(&block[..BLOCK - 4]);
            put32(&mut block, BLOCK - 4, checksum);
            let (at, _) = space.take(1);
            out.write(at, &block)?;
            tree_blocks += 1;
            above.push(index(&entries[0], at));
        }
        (level, depth) = (above, depth + 1);
    }
    let mut bytes = [0; 60];
    fill(&mut bytes, &level, IN_INODE, depth);
    Ok(Root { bytes, tree_blocks })
}

fn fill(block: &mut [u8], entries: &[[u8; 12]], room: usize, depth: u16) {
    put16(block, 0, MAGIC);
    put16(block, 2, entries.len() as u16);
    put16(block, 4, room as u16);
    put16(block, 6, depth);
    for (slot, entry) in block[12..].chunks_mut(12).zip(entries) {
        slot.copy_from_slice(entry);
    }
}

fn leaf(extent: &Extent) -> [u8; 12] {
    let mut entry = [0; 12];
    put32(&mut entry, 0, low32(extent.logical));
    put16(&mut entry, 4, extent.length as u16);
    put16(&mut entry, 6, high32(extent.physical) as u16);
    put32(&mut entry, 8, low32(extent.physical));
    entry
}

/// An entry that points to the block `at`; both kinds of entry begin with the first logical block.
fn index(first: &[u8; 12], at: u64) -> [u8; 12] {
    let mut entry = [0; 12];
    entry[..4].copy_from_slice(&first[..4]);
    put32(&mut entry, 4, low32(at));
    put16(&mut entry, 8, high32(at) as u16);
    entry
}
