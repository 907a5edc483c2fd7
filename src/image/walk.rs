//! Walks along paths in a file system that is being made, through its symbolic links and never out of it.

use std::collections::VecDeque;

use super::ext4::{Builder, NodeId};

/// How many symbolic links are followed in one path (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// A walk along a path that may lead through symbolic links.
pub(super) struct Walk {
    pub(super) at: NodeId,
    left: VecDeque<Vec<u8>>,
    links: usize,
}

pub(super) enum Step {
    There(NodeId),
    /// Nothing has this name in this directory; the walk goes on from [`Walk::at`] once it was made.
    Missing(NodeId, Vec<u8>),
    /// Not a directory, or links in a circle.
    Blocked,
}

impl Walk {
    pub(super) fn new(parts: &[Vec<u8>]) -> Walk {
        Walk {
            at: NodeId::default(),
            left: parts.iter().cloned().collect(),
            links: 0,
        }
    }

    /// Walks until the end or an obstacle.
    pub(super) fn step(&mut self, builder: &Builder) -> Step {
        while let Some(name) = self.left.pop_front() {
            if name.is_empty() || name == b"." {
                continue;
            }
            if name == b".." {
                self.at = builder.parent(self.at);
                continue;
            }
            let Some(node) = builder.lookup(self.at, &name) else {
                return Step::Missing(self.at, name);
            };
            if builder.is_directory(node) {
                self.at = node;
            } else if let Some(target) = builder.symlink_target(node) {
                self.links += 1;
                if self.links > LINKS_MAX {
                    return Step::Blocked;
                }
                if target.starts_with(b"/") {
                    self.at = builder.root();
                }
                for part in target.split(|b| *b == b'/').rev() {
                    self.left.push_front(part.to_vec());
                }
            } else {
                return Step::Blocked;
            }
        }
        Step::There(self.at)
    }
}
