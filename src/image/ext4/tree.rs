//! The tree in memory: names, what they stand for, and who owns it.

use std::collections::BTreeMap;

use super::Error;
use super::extent::Extent;
use super::layout::NAME_MAX;

/// A node of the tree, the root by default; stays valid until [`super::Builder::finish`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    pub(super) const ROOT: NodeId = NodeId(0);
}

/// A moment: seconds since 1970 (may be negative) and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    pub seconds: i64,
    /// 0..1_000_000_000
    pub nanoseconds: u32,
}

impl Time {
    /// A whole second.
    pub fn seconds(seconds: i64) -> Time {
        Time {
            seconds,
            nanoseconds: 0,
        }
    }
}

/// An extended attribute by its full name (`security.capability`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// What is known of a node beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The twelve permission bits (set-user-id, set-group-id and sticky included).
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub attributes: Vec<Attribute>,
}

/// What is neither file, directory nor symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

pub(super) enum Kind {
    Directory {
        parent: NodeId,
        entries: BTreeMap<Box<[u8]>, NodeId>,
    },
    File {
        size: u64,
        extents: Vec<Extent>,
    },
    Symlink(Box<[u8]>),
    Special(Special),
}

impl Kind {
    pub(super) fn directory(parent: NodeId) -> Kind {
        Kind::Directory {
            parent,
            entries: BTreeMap::new(),
        }
    }

    pub(super) fn empty_file() -> Kind {
        Kind::File {
            size: 0,
            extents: Vec::new(),
        }
    }
}

pub(super) struct Node {
    pub kind: Kind,
    pub meta: Meta,
    /// Names that a file has; for a directory the subdirectories are counted when it is written.
    pub links: u32,
}

/// All nodes; those that lost their last name stay as empty shells.
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub(super) fn new(time: Time) -> Tree {
        let meta = Meta {
            mode: 0o755,
            mtime: time,
            ..Meta::default()
        };
        Tree {
            nodes: vec![Node {
                kind: Kind::directory(NodeId::ROOT),
                meta,
                links: 1,
            }],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    pub(super) fn add(&mut self, kind: Kind, meta: Meta) -> NodeId {
        self.nodes.push(Node {
            kind,
            meta,
            links: 0,
        });
        NodeId((self.nodes.len() - 1) as u32)
    }

    pub(super) fn entries(&self, directory: NodeId) -> Option<&BTreeMap<Box<[u8]>, NodeId>> {
        match &self.node(directory).kind {
            Kind::Directory { entries, .. } => Some(entries),
            _ => None,
        }
    }

    pub(super) fn lookup(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        self.entries(directory)?.get(name).copied()
    }

    pub(super) fn names(&self, directory: NodeId) -> Vec<Vec<u8>> {
        (self.entries(directory).into_iter().flatten())
            .map(|(name, _)| name.to_vec())
            .collect()
    }

    pub(super) fn parent(&self, directory: NodeId) -> Option<NodeId> {
        match &self.node(directory).kind {
            Kind::Directory { parent, .. } => Some(*parent),
            _ => None,
        }
    }

    pub(super) fn symlink_target(&self, node: NodeId) -> Option<&[u8]> {
        match &self.node(node).kind {
            Kind::Symlink(target) => Some(target),
            _ => None,
        }
    }

    pub(super) fn link(&mut self, parent: NodeId, name: &[u8], node: NodeId) -> Result<(), Error> {
        if name.is_empty() || name.len() > NAME_MAX || name.contains(&0) {
            return Err(Error::BadName { name: name.into() });
        }
        match &mut self.node_mut(parent).kind {
            Kind::Directory { entries, .. } => {
                entries.insert(name.into(), node);
            }
            _ => return Err(Error::NotDirectory),
        }
        self.node_mut(node).links += 1;
        Ok(())
    }

    /// Lets go of what only the writing of this node needs. What kind it is and where its parent is stay known.
    pub(super) fn forget(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.meta.attributes = Vec::new();
        match &mut node.kind {
            Kind::Directory { entries, .. } => *entries = BTreeMap::new(),
            Kind::File { extents, .. } => *extents = Vec::new(),
            Kind::Symlink(target) => *target = Box::default(),
            Kind::Special(_) => {}
        }
    }

    /// Takes a name away with everything below, and returns the runs of blocks that nobody has any more.
    pub(super) fn unlink(&mut self, parent: NodeId, name: &[u8]) -> Vec<(u64, u64)> {
        let Kind::Directory { entries, .. } = &mut self.node_mut(parent).kind else {
            return Vec::new();
        };
        let mut lost: Vec<NodeId> = entries.remove(name).into_iter().collect();
        let mut freed = Vec::new();
        while let Some(id) = lost.pop() {
            let node = self.node_mut(id);
            node.links = node.links.saturating_sub(1);
            if node.links > 0 {
                continue;
            }
            node.meta.attributes = Vec::new();
            match std::mem::replace(&mut node.kind, Kind::empty_file()) {
                Kind::Directory { entries, .. } => lost.extend(entries.into_values()),
                Kind::File { extents, .. } => {
                    freed.extend(extents.iter().map(|e| (e.physical, e.length)));
                }
                Kind::Symlink(_) | Kind::Special(_) => {}
            }
        }
        freed
    }
}
