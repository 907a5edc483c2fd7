//! The blocks of a directory: entries one after another, each block ended by its checksum (kernel documentation,
//! "Linear (Classic) Directories").

use super::checksum::Seed;
use super::encode::{put16, put32};
use super::layout::BLOCK;

/// The checksum entry that ends each block.
const TAIL: usize = 12;

/// File types of directory entries.
pub const FILE: u8 = 1;
pub const DIRECTORY: u8 = 2;
pub const CHARACTER: u8 = 3;
pub const BLOCK_DEVICE: u8 = 4;
pub const FIFO: u8 = 5;
pub const SYMLINK: u8 = 7;

/// Gathers entries into blocks.
pub struct Blocks {
    bytes: Vec<u8>,
    /// Where the last entry of the current block begins, and where the next one would.
    last: usize,
    next: usize,
    seed: Seed,
}

impl Blocks {
    /// No entries yet; `seed` is the directory's inode's.
    pub fn new(seed: Seed) -> Blocks {
        Blocks {
            bytes: vec![0; BLOCK],
            last: 0,
            next: 0,
            seed,
        }
    }

    /// Adds an entry; `name` has 1..=255 bytes.
    pub fn add(&mut self, inode: u32, name: &[u8], file_type: u8) {
        let length = (8 + name.len()).next_multiple_of(4);
        if self.next % BLOCK + length > BLOCK - TAIL
            || (self.next > 0 && self.next.is_multiple_of(BLOCK))
        {
            self.end_block();
            self.next = self.bytes.len();
            self.bytes.resize(self.next + BLOCK, 0);
        }
        let entry = &mut self.bytes[self.next..self.next + length];
        put32(entry, 0, inode);
        put16(entry, 4, length as u16);
        entry[6] = name.len() as u8;
        entry[7] = file_type;
        entry[8..8 + name.len()].copy_from_slice(name);
        (self.last, self.next) = (self.next, self.next + length);
    }

    /// The last entry of a block reaches to the checksum.
    fn end_block(&mut self) {
        let block = self.last - self.last % BLOCK;
        let reach = block + BLOCK - TAIL - self.last;
        put16(&mut self.bytes[self.last..], 4, reach as u16);
        let tail = block + BLOCK - TAIL;
        let checksum = self.seed.over(&self.bytes[block..tail]);
        let tail = &mut self.bytes[tail..];
        put16(tail, 4, TAIL as u16);
        tail[7] = 0xDE;
        put32(tail, 8, checksum);
    }

    /// An empty block more, as `lost+found` has them.
    pub fn add_empty_block(&mut self) {
        self.end_block();
        self.last = self.bytes.len();
        self.next = self.last + BLOCK - TAIL;
        self.bytes.resize(self.last + BLOCK, 0);
    }

    /// All blocks.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_block();
        self.bytes
    }
}
