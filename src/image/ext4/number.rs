//! Which node gets which inode number.

use super::finish::LOST_AND_FOUND;
use super::layout::{FIRST_INODE, ROOT_INODE};
use super::tree::{NodeId, Tree};

/// Inode numbers: the root, `lost+found`, then the rest level by level, names in byte order.
pub(super) struct Numbers {
    of: Vec<u32>,
    /// All nodes that are reached, in the order of their numbers.
    pub(super) order: Vec<NodeId>,
    /// The first number that is not given.
    pub(super) next: u32,
}

impl Numbers {
    pub(super) fn assign(tree: &Tree) -> Numbers {
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

    pub(super) fn get(&self, node: NodeId) -> u32 {
        self.of[node.0 as usize]
    }
}
