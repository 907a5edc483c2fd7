//! Writes an ext4 file system into a plain file, in one pass, without mounting anything and without being root.
//!
//! ```text
//! Builder::new ─▶ directory/file/symlink/… in any order, names replaced and removed at will ─▶ finish
//!                 file data goes straight to its blocks; blocks of zeros become holes
//! ```
//!
//! The tree (names, owners, times, attributes) is kept in memory; the data of files is written as it comes. Only where
//! group headers lie is fixed beforehand, so bitmaps, inode tables, directories and the journal follow the data
//! (`flex_bg` lets them lie anywhere), and the image ends a little after them. It can then be grown online: descriptor
//! blocks are reserved for a file system of [`layout::GROWTH_LIMIT`] bytes.
//!
//! Why not a crate: those that exist take names as UTF-8 only, write no journal or cannot be grown. Format:
//! <https://www.kernel.org/doc/html/latest/filesystems/ext4/>; checked against `e2fsck`, `debugfs` and the kernel.
//!
//! It does not read file systems, and does not know archives or layers.

mod attributes;
mod checksum;
mod directory;
mod encode;
mod extent;
mod file;
mod finish;
mod group;
mod inode;
pub mod layout;
mod number;
mod output;
mod reserved;
mod shape;
mod space;
mod superblock;
mod tree;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;

pub use file::FileWriter;
pub use tree::{Attribute, Meta, NodeId, Special, Time};

use crate::value::ByteSize;
use output::Output;
use space::Space;
use tree::Tree;

/// Why a file system could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk image could not be written (the host's disk is full, for instance).
    #[error("cannot write the disk image")]
    Write(#[source] io::Error),
    /// Writing on would leave the host less free disk than it must keep.
    #[error(
        "the host's disk is nearly full: {} is left and {} must stay free",
        ByteSize::bytes(*free),
        ByteSize::bytes(*floor)
    )]
    NearlyFull { free: u64, floor: u64 },
    /// A name is longer than 255 bytes, or empty, or has a NUL in it.
    #[error("a file name of {} bytes is not possible in ext4: {}", name.len(), name.escape_ascii())]
    BadName { name: Vec<u8> },
    /// The target of a symbolic link does not fit into a block.
    #[error(
        "the target of a symbolic link is {length} bytes long; ext4 takes at most {}",
        layout::SYMLINK_MAX
    )]
    LongSymlink { length: usize },
    /// A file is larger than 16 TiB.
    #[error("a file of {size} bytes is larger than ext4 allows")]
    LargeFile { size: u64 },
    /// The extended attributes of one file do not fit into a block.
    #[error("the extended attributes of one file take more than a block")]
    LargeAttributes,
    /// A POSIX access list is not what acl(5) says.
    #[error("a file has a malformed access list")]
    BadAccessList,
    /// A file has more than 65,000 names.
    #[error("a file has more than {} names", layout::LINK_MAX)]
    TooManyLinks,
    /// The tree needs a larger file system than this writer makes.
    #[error("the tree needs more than {} bytes", layout::GROWTH_LIMIT)]
    TooLarge,
    /// The image has a file, not a directory, where ext4 keeps what it recovers.
    #[error("/lost+found is not a directory, and ext4 needs it to be one")]
    LostAndFound,
    /// More files than are kept in memory.
    #[error("the tree has more than {} files", layout::NODES_MAX)]
    TooManyFiles,
    /// A directory was expected.
    #[error("not a directory")]
    NotDirectory,
}

/// What is the same throughout the file system.
#[derive(Clone, Debug)]
pub struct Options {
    /// Volume label, at most 16 bytes are kept.
    pub label: String,
    /// When the file system says it was made, seconds since 1970; also the time of directories that nobody described.
    pub made_at: i64,
    /// Bytes that must stay free on the host's disk while writing.
    pub keep_free: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Size of the file system and of its file, in bytes.
    pub size: u64,
    /// Inodes in use, those of the file system's own included.
    pub inodes: u64,
}

/// A file system being written.
pub struct Builder {
    out: Output,
    space: Space,
    tree: Tree,
    options: Options,
}

impl Builder {
    /// Begins a file system in `file`, which must be empty and open for writing.
    pub fn new(file: File, options: Options) -> Builder {
        Builder {
            out: Output::new(file, options.keep_free),
            space: Space::new(),
            tree: Tree::new(Time::seconds(options.made_at)),
            options,
        }
    }

    /// The root directory.
    pub fn root(&self) -> NodeId {
        NodeId::ROOT
    }

    /// The entry `name` of `directory`.
    pub fn lookup(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        self.tree.lookup(directory, name)
    }

    /// The directory that holds `directory`; the root holds itself.
    pub fn parent(&self, directory: NodeId) -> NodeId {
        self.tree.parent(directory).unwrap_or(NodeId::ROOT)
    }

    /// Whether the node is a directory.
    pub fn is_directory(&self, node: NodeId) -> bool {
        self.tree.parent(node).is_some()
    }

    /// The target, when the node is a symbolic link.
    pub fn symlink_target(&self, node: NodeId) -> Option<&[u8]> {
        self.tree.symlink_target(node)
    }

    /// Names in `directory`, in byte order.
    pub fn names(&self, directory: NodeId) -> Vec<Vec<u8>> {
        self.tree.names(directory)
    }

    /// Replaces owner, mode, time and attributes of a node.
    pub fn set_meta(&mut self, node: NodeId, mut meta: Meta) -> Result<(), Error> {
        attributes::accept(&mut meta)?;
        self.tree.node_mut(node).meta = meta;
        Ok(())
    }

    /// Makes an empty directory.
    pub fn directory(&mut self, parent: NodeId, name: &[u8], meta: Meta) -> Result<NodeId, Error> {
        self.place(parent, name, tree::Kind::directory(parent), meta)
    }

    /// Makes an empty regular file; [`Builder::write`] fills it.
    pub fn file(&mut self, parent: NodeId, name: &[u8], meta: Meta) -> Result<NodeId, Error> {
        self.place(parent, name, tree::Kind::empty_file(), meta)
    }

    /// Makes a symbolic link.
    pub fn symlink(
        &mut self,
        parent: NodeId,
        name: &[u8],
        target: &[u8],
        meta: Meta,
    ) -> Result<NodeId, Error> {
        if target.contains(&0) {
            return Err(Error::BadName {
                name: target.into(),
            });
        }
        if target.is_empty() || target.len() > layout::SYMLINK_MAX {
            return Err(Error::LongSymlink {
                length: target.len(),
            });
        }
        self.place(parent, name, tree::Kind::Symlink(target.into()), meta)
    }

    /// Makes a device node or a fifo.
    pub fn special(
        &mut self,
        parent: NodeId,
        name: &[u8],
        kind: Special,
        meta: Meta,
    ) -> Result<NodeId, Error> {
        self.place(parent, name, tree::Kind::Special(kind), meta)
    }

    /// Gives `node`, which is not a directory, one more name.
    pub fn hard_link(&mut self, parent: NodeId, name: &[u8], node: NodeId) -> Result<(), Error> {
        if self.lookup(parent, name) == Some(node) {
            return Ok(());
        }
        if self.tree.node(node).links >= layout::LINK_MAX {
            return Err(Error::TooManyLinks);
        }
        self.remove(parent, name);
        self.tree.link(parent, name, node)
    }

    /// Takes a name away, with everything below it; a file whose last name it was gives its blocks back.
    pub fn remove(&mut self, parent: NodeId, name: &[u8]) {
        for (start, length) in self.tree.unlink(parent, name) {
            self.space.give_back(start, length);
        }
    }

    /// Begins to fill a file. The writer is to be finished, or the file stays as it was.
    pub fn write(&mut self, file: NodeId) -> FileWriter<'_> {
        FileWriter::new(self, file)
    }

    fn place(
        &mut self,
        parent: NodeId,
        name: &[u8],
        kind: tree::Kind,
        mut meta: Meta,
    ) -> Result<NodeId, Error> {
        attributes::accept(&mut meta)?;
        if !self.is_directory(parent) {
            return Err(Error::NotDirectory);
        }
        if self.tree.len() >= layout::NODES_MAX {
            return Err(Error::TooManyFiles);
        }
        self.remove(parent, name);
        let node = self.tree.add(kind, meta);
        self.tree.link(parent, name, node)?;
        Ok(node)
    }

    /// Writes all that is not file data, and returns once the file is complete. The file is not yet synced.
    ///
    /// `uuid` is the identity of the file system, and what the directory hash and checksums are seeded with. The same
    /// tree written in the same order with the same identity gives the same bytes.
    pub fn finish(self, uuid: [u8; 16]) -> Result<Summary, Error> {
        finish::finish(self, uuid)
    }
}
