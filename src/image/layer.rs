//! Lays archives over each other into a file system: a container image's layers with their whiteouts, or one plain
//! archive (OCI image-spec, "Image Layer Filesystem Changeset").
//!
//! Paths stay inside the tree. One with `..` is refused, an absolute one is taken from the root, and symbolic links on
//! the way to a file are followed as the finished machine would follow them.

use std::collections::HashSet;
use std::io::Read;

use tokio_util::sync::CancellationToken;

use super::archive::{self, Archive, Entry, Kind};
use super::ext4::{self, Builder, Meta, NodeId, Special, Summary, Time};
use super::walk::{Step, Walk};

/// Before the name of a file of a lower layer that this layer takes away.
const WHITEOUT: &[u8] = b".wh.";
/// Before names that mean something else than a whiteout.
const WHITEOUT_META: &[u8] = b".wh..wh.";
/// In a directory: everything that lower layers have in it is gone.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// The longest path (limits.h). A name of a MiB would make half a million directories.
const PATH_MAX: usize = 4096;
/// How much of a file is read at once.
const CHUNK: usize = 128 << 10;

/// Why an archive could not be laid into the file system.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive itself is bad.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The file system could not take an entry.
    #[error("cannot place {path}")]
    Place { path: String, source: ext4::Error },
    /// The file system could not be completed.
    #[error(transparent)]
    Finish(ext4::Error),
    /// A path leads out of the tree.
    #[error("the archive names {path}, which leads out of the file system")]
    Escapes { path: String },
    /// A path leads through something that is not a directory.
    #[error("the archive names {path}, which leads through something that is not a directory")]
    NotDirectory { path: String },
    /// A path that no program could open.
    #[error("the archive has a path of {length} bytes; Linux takes at most {PATH_MAX}")]
    LongPath { length: usize },
    /// A hard link to something that is not there.
    #[error("the archive links {path} to {target}, which it does not have")]
    NoTarget { path: String, target: String },
    /// Whoever asked took it back.
    #[error("cancelled")]
    Cancelled,
}

/// Whether names that begin with `.wh.` take files of lower layers away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteouts {
    Honoured,
    /// They are files like any other.
    Ordinary,
}

/// A file system made of layers.
pub struct Layers {
    builder: Builder,
    /// What the current layer put down: (directory, name).
    placed: HashSet<(NodeId, Vec<u8>)>,
    /// Directories in which it put something down, at whatever depth.
    touched: HashSet<NodeId>,
    made_at: i64,
    whiteouts: Whiteouts,
    cancel: CancellationToken,
    entries: u64,
}

impl Layers {
    /// Nothing yet; directories that no archive describes get the time `made_at`.
    pub fn new(
        builder: Builder,
        made_at: i64,
        whiteouts: Whiteouts,
        cancel: CancellationToken,
    ) -> Layers {
        Layers {
            builder,
            placed: HashSet::new(),
            touched: HashSet::new(),
            made_at,
            whiteouts,
            cancel,
            entries: 0,
        }
    }

    /// How many entries the archives had.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Completes the file system.
    pub fn finish(self, uuid: [u8; 16]) -> Result<Summary, Error> {
        self.builder.finish(uuid).map_err(Error::Finish)
    }

    /// Lays one archive over what is there. The reader is left after the end of the archive.
    pub fn add(&mut self, input: impl Read) -> Result<(), Error> {
        self.placed.clear();
        self.touched.clear();
        let mut archive = Archive::new(input);
        while let Some(entry) = archive.next()? {
            self.entries += 1;
            self.check_cancelled()?;
            self.place(entry, &mut archive)?;
        }
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    fn place(&mut self, entry: Entry, archive: &mut Archive<impl Read>) -> Result<(), Error> {
        let shown = show(&entry.path);
        let parts = split(&entry.path)?;
        let meta = Meta {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            attributes: entry.attributes,
        };
        let Some((name, above)) = parts.split_last() else {
            // The root itself, which cannot be anything else.
            if entry.kind != Kind::Directory {
                return Err(Error::NotDirectory { path: shown });
            }
            let root = self.builder.root();
            return self
                .builder
                .set_meta(root, meta)
                .map_err(|source| Error::Place {
                    path: shown,
                    source,
                });
        };
        let name = name.as_slice();
        if self.whiteouts == Whiteouts::Honoured && name.starts_with(WHITEOUT) {
            return self.white_out(above, name);
        }
        let parent = self.walk(above, &shown)?;
        let put = |source| Error::Place {
            path: shown.clone(),
            source,
        };
        let builder = &mut self.builder;
        match entry.kind {
            Kind::Directory => match builder.lookup(parent, name) {
                Some(node) if builder.is_directory(node) => {
                    builder.set_meta(node, meta).map_err(put)?;
                }
                _ => {
                    builder.directory(parent, name, meta).map_err(put)?;
                }
            },
            Kind::Symlink { target } => {
                builder.symlink(parent, name, &target, meta).map_err(put)?;
            }
            Kind::HardLink { target } => self.hard_link(parent, name, &target, &shown)?,
            Kind::Character { major, minor } => {
                let kind = Special::Character { major, minor };
                builder.special(parent, name, kind, meta).map_err(put)?;
            }
            Kind::Block { major, minor } => {
                let kind = Special::Block { major, minor };
                builder.special(parent, name, kind, meta).map_err(put)?;
            }
            Kind::Fifo => {
                builder
                    .special(parent, name, Special::Fifo, meta)
                    .map_err(put)?;
            }
            Kind::File => {
                let node = builder.file(parent, name, meta).map_err(put)?;
                let mut writer = self.builder.write(node);
                let mut buffer = vec![0; CHUNK.min(entry.size as usize)];
                for segment in &entry.segments {
                    let mut done = 0;
                    while done < segment.length {
                        if self.cancel.is_cancelled() {
                            return Err(Error::Cancelled);
                        }
                        let want = (segment.length - done).min(CHUNK as u64) as usize;
                        archive.read_exact(&mut buffer[..want])?;
                        writer
                            .write(segment.offset + done, &buffer[..want])
                            .map_err(put)?;
                        done += want as u64;
                    }
                }
                writer.finish(entry.size).map_err(put)?;
            }
        }
        self.remember(parent, name);
        Ok(())
    }

    /// Remembers that this layer has put something down, which its whiteouts must spare.
    fn remember(&mut self, parent: NodeId, name: &[u8]) {
        if self.whiteouts == Whiteouts::Ordinary {
            return;
        }
        self.placed.insert((parent, name.to_vec()));
        let mut above = parent;
        while self.touched.insert(above) && above != self.builder.root() {
            above = self.builder.parent(above);
        }
    }

    fn hard_link(
        &mut self,
        parent: NodeId,
        name: &[u8],
        target: &[u8],
        shown: &str,
    ) -> Result<(), Error> {
        let missing = || Error::NoTarget {
            path: shown.into(),
            target: show(target),
        };
        let parts = split(target)?;
        let (last, above) = parts.split_last().ok_or_else(missing)?;
        let directory = self.find(above).ok_or_else(missing)?;
        let node = self.builder.lookup(directory, last).ok_or_else(missing)?;
        if self.builder.is_directory(node) {
            return Err(missing());
        }
        (self.builder.hard_link(parent, name, node)).map_err(|source| Error::Place {
            path: shown.into(),
            source,
        })
    }

    /// Takes away what lower layers have under a name, or all they have in a directory.
    fn white_out(&mut self, above: &[Vec<u8>], name: &[u8]) -> Result<(), Error> {
        let Some(directory) = self.find(above) else {
            return Ok(());
        };
        if name == OPAQUE {
            for name in self.builder.names(directory) {
                self.remove_lower(directory, &name);
            }
        } else if !name.starts_with(WHITEOUT_META) {
            self.remove_lower(directory, &name[WHITEOUT.len()..]);
        }
        Ok(())
    }

    /// Removes an entry unless this layer put it there, or something below it; of a directory that stays, what is in it.
    fn remove_lower(&mut self, directory: NodeId, name: &[u8]) {
        let mut todo = vec![(directory, name.to_vec())];
        while let Some((directory, name)) = todo.pop() {
            let Some(node) = self.builder.lookup(directory, &name) else {
                continue;
            };
            if !self.touched.contains(&node) && !self.placed.contains(&(directory, name.clone())) {
                self.builder.remove(directory, &name);
            } else {
                todo.extend(
                    self.builder
                        .names(node)
                        .into_iter()
                        .map(|name| (node, name)),
                );
            }
        }
    }

    /// The directory at a path; what is missing is made.
    fn walk(&mut self, parts: &[Vec<u8>], shown: &str) -> Result<NodeId, Error> {
        let mut walk = Walk::new(parts);
        loop {
            match walk.step(&self.builder) {
                Step::There(node) => return Ok(node),
                Step::Blocked => return Err(Error::NotDirectory { path: shown.into() }),
                Step::Missing(at, name) => {
                    let meta = Meta {
                        mode: 0o755,
                        mtime: Time::seconds(self.made_at),
                        ..Meta::default()
                    };
                    let made = self.builder.directory(at, &name, meta);
                    walk.at = made.map_err(|source| Error::Place {
                        path: shown.into(),
                        source,
                    })?;
                    self.remember(at, &name);
                }
            }
        }
    }

    /// The directory at a path, if there is one.
    fn find(&self, parts: &[Vec<u8>]) -> Option<NodeId> {
        match Walk::new(parts).step(&self.builder) {
            Step::There(node) => Some(node),
            Step::Blocked | Step::Missing(..) => None,
        }
    }
}

/// The parts of a path inside the tree.
fn split(path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    if path.len() > PATH_MAX {
        return Err(Error::LongPath { length: path.len() });
    }
    let parts = path
        .split(|b| *b == b'/')
        .filter(|p| !p.is_empty() && *p != b".");
    let parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    if parts.iter().any(|p| p == b"..") {
        return Err(Error::Escapes { path: show(path) });
    }
    Ok(parts)
}

/// A path for a message.
fn show(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}
