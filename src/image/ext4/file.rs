//! Fills one regular file: data at growing offsets, gaps and zeros left as holes.

use super::extent::Extent;
use super::layout::{BLOCK, FILE_MAX};
use super::tree::{Kind, NodeId};
use super::{Builder, Error};

/// How much of a file is gathered before its zero blocks are sought and the rest is written.
const CHUNK: usize = 256 << 10;

/// Writes one file. Offsets may only grow.
pub struct FileWriter<'a> {
    builder: &'a mut Builder,
    node: NodeId,
    extents: Vec<Extent>,
    /// What is gathered, from byte `start` (a multiple of the block size) on.
    chunk: Vec<u8>,
    start: u64,
}

impl<'a> FileWriter<'a> {
    pub(super) fn new(builder: &'a mut Builder, node: NodeId) -> Self {
        FileWriter {
            builder,
            node,
            extents: Vec::new(),
            chunk: Vec::new(),
            start: 0,
        }
    }

    /// Writes `data` at `offset`, which is not before the end of what was written last.
    pub fn write(&mut self, offset: u64, mut data: &[u8]) -> Result<(), Error> {
        let end = offset.saturating_add(data.len() as u64);
        if end > FILE_MAX {
            return Err(Error::LargeFile { size: end });
        }
        self.seek(offset)?;
        while !data.is_empty() {
            let take = data.len().min(CHUNK - self.chunk.len());
            self.chunk.extend_from_slice(&data[..take]);
            data = &data[take..];
            if self.chunk.len() == CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Moves on to `offset`, leaving zeros.
    fn seek(&mut self, offset: u64) -> Result<(), Error> {
        debug_assert!(offset >= self.start + self.chunk.len() as u64);
        if offset - self.start >= CHUNK as u64 {
            self.flush()?;
            self.start = offset - offset % BLOCK as u64;
        }
        self.chunk.resize((offset - self.start) as usize, 0);
        Ok(())
    }

    /// Writes the gathered blocks that are not all zeros.
    fn flush(&mut self) -> Result<(), Error> {
        let padded = self.chunk.len().next_multiple_of(BLOCK);
        self.chunk.resize(padded, 0);
        let mut logical = self.start / BLOCK as u64;
        let mut rest = self.chunk.as_slice();
        while !rest.is_empty() {
            let holes = rest.chunks(BLOCK).take_while(|b| is_zero(b)).count();
            rest = &rest[holes * BLOCK..];
            logical += holes as u64;
            let full = rest.chunks(BLOCK).take_while(|b| !is_zero(b)).count();
            let (mut data, after) = rest.split_at(full * BLOCK);
            while !data.is_empty() {
                let (physical, length) = self.builder.space.take((data.len() / BLOCK) as u64);
                let (now, later) = data.split_at(length as usize * BLOCK);
                self.builder.out.write(physical, now)?;
                Extent {
                    logical,
                    physical,
                    length,
                }
                .append_to(&mut self.extents);
                logical += length;
                data = later;
            }
            rest = after;
        }
        self.start += padded as u64;
        self.chunk.clear();
        Ok(())
    }

    /// Ends the file, which is `size` bytes long: at least what was written, and zeros from there on.
    pub fn finish(mut self, size: u64) -> Result<(), Error> {
        if size > FILE_MAX {
            return Err(Error::LargeFile { size });
        }
        self.flush()?;
        let extents = std::mem::take(&mut self.extents);
        self.builder.tree.node_mut(self.node).kind = Kind::File { size, extents };
        Ok(())
    }
}

impl Drop for FileWriter<'_> {
    /// Blocks of a file that was not finished are given back.
    fn drop(&mut self) {
        for extent in &self.extents {
            self.builder.space.give_back(extent.physical, extent.length);
        }
    }
}

fn is_zero(block: &[u8]) -> bool {
    // Compared in words of 16 bytes, which the compiler turns into vector instructions.
    let (words, rest) = block.as_chunks::<16>();
    words.iter().all(|w| u128::from_ne_bytes(*w) == 0) && rest.iter().all(|b| *b == 0)
}
