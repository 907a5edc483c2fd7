//! A tab's panes as a tree of splits, and where each of them lies on the screen.
//!
//! Places are worked out from the ratios every time, never from the last places: a screen that shrinks and grows again
//! looks as before.

use ratatui::layout::Rect;

use super::PaneId;
use super::place::{Border, Placed};
use super::split::portion_of;

/// The least a pane is made by hand, in columns and lines, its title line among them.
pub(crate) const LEAST: (u16, u16) = (20, 5);
/// What ratios are parts of.
pub(crate) const WHOLE: u16 = 10_000;
/// A ratio that gives both halves of a split the same.
pub(super) const HALF: u16 = WHOLE / 2;

/// How two parts of a split lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Side by side, with a line of one column between them.
    Beside,
    /// One below the other. The lower part's title line is what parts them.
    Below,
}

impl Axis {
    pub(crate) fn other(self) -> Axis {
        match self {
            Axis::Beside => Axis::Below,
            Axis::Below => Axis::Beside,
        }
    }
}

/// A direction on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
    Up,
    Down,
}

impl Side {
    /// The axis along which it leads.
    pub(super) fn axis(self) -> Axis {
        match self {
            Side::Left | Side::Right => Axis::Beside,
            Side::Up | Side::Down => Axis::Below,
        }
    }

    /// Whether it leads to the second part of a split.
    pub(super) fn onward(self) -> bool {
        matches!(self, Side::Right | Side::Down)
    }
}

/// A pane, or two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Pane(PaneId),
    Split(Box<Split>),
}

/// Two parts and the first one's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub axis: Axis,
    /// The first part's share in [`WHOLE`]ths; neither 0 nor the whole.
    pub ratio: u16,
    pub first: Node,
    pub second: Node,
}

impl Node {
    pub(crate) fn split(axis: Axis, ratio: u16, first: Node, second: Node) -> Node {
        Node::Split(Box::new(Split {
            axis,
            ratio: ratio.clamp(1, WHOLE - 1),
            first,
            second,
        }))
    }

    /// All panes, in reading order.
    pub(crate) fn panes(&self) -> Vec<PaneId> {
        match self {
            Node::Pane(pane) => vec![*pane],
            Node::Split(split) => {
                let mut panes = split.first.panes();
                panes.extend(split.second.panes());
                panes
            }
        }
    }

    /// The part that is this pane.
    pub(super) fn find(&mut self, pane: PaneId) -> Option<&mut Node> {
        match self {
            Node::Pane(found) if *found == pane => Some(self),
            Node::Pane(_) => None,
            Node::Split(split) => match split.first.find(pane) {
                Some(found) => Some(found),
                None => split.second.find(pane),
            },
        }
    }

    /// The panes in the other part of the split that this pane is a part of.
    pub(super) fn siblings(&self, pane: PaneId) -> Vec<PaneId> {
        let Node::Split(split) = self else {
            return Vec::new();
        };
        match (&split.first, &split.second) {
            (Node::Pane(one), other) | (other, Node::Pane(one)) if *one == pane => other.panes(),
            (first, _) if first.panes().contains(&pane) => first.siblings(pane),
            (_, second) => second.siblings(pane),
        }
    }

    /// Without a pane: what was beside it takes its place. `None` when nothing is left.
    pub(super) fn without(self, pane: PaneId) -> Option<Node> {
        match self {
            Node::Pane(found) => (found != pane).then_some(Node::Pane(found)),
            Node::Split(split) => {
                let Split {
                    axis,
                    ratio,
                    first,
                    second,
                } = *split;
                match (first.without(pane), second.without(pane)) {
                    (Some(first), Some(second)) => Some(Node::split(axis, ratio, first, second)),
                    (first, second) => first.or(second),
                }
            }
        }
    }

    /// Puts other panes into the same places, in reading order.
    pub(super) fn fill(&mut self, panes: &mut impl Iterator<Item = PaneId>) {
        match self {
            Node::Pane(pane) => {
                if let Some(next) = panes.next() {
                    *pane = next;
                }
            }
            Node::Split(split) => {
                split.first.fill(panes);
                split.second.fill(panes);
            }
        }
    }

    /// The least room that the part wants, in columns and lines.
    pub(super) fn least(&self) -> (u16, u16) {
        match self {
            Node::Pane(_) => LEAST,
            Node::Split(split) => {
                let (first, second) = (split.first.least(), split.second.least());
                match split.axis {
                    Axis::Beside => (
                        first.0.saturating_add(second.0).saturating_add(1),
                        first.1.max(second.1),
                    ),
                    Axis::Below => (first.0.max(second.0), first.1.saturating_add(second.1)),
                }
            }
        }
    }

    /// How many panes stand in a row along an axis.
    fn ranks(&self, axis: Axis) -> u16 {
        match self {
            Node::Pane(_) => 1,
            Node::Split(split) => {
                let (first, second) = (split.first.ranks(axis), split.second.ranks(axis));
                match split.axis == axis {
                    true => first.saturating_add(second),
                    false => first.max(second),
                }
            }
        }
    }

    /// Gives all panes along an axis the same share.
    pub(super) fn equalise(&mut self) {
        if let Node::Split(split) = self {
            let first = u32::from(split.first.ranks(split.axis));
            let second = u32::from(split.second.ranks(split.axis));
            split.ratio = portion_of(first, first + second);
            split.first.equalise();
            split.second.equalise();
        }
    }

    /// The split to which a path leads, with its area.
    pub(super) fn at(&mut self, path: &[bool], area: Rect) -> Option<(&mut Split, Rect)> {
        let Node::Split(split) = self else {
            return None;
        };
        match path.split_first() {
            None => Some((split, area)),
            Some((second, rest)) => {
                let (one, _, other) = split.areas(area);
                match second {
                    false => split.first.at(rest, one),
                    true => split.second.at(rest, other),
                }
            }
        }
    }

    /// The path to the innermost split along an axis that has this pane in it.
    pub(super) fn path_to(&self, pane: PaneId, axis: Axis) -> Option<Vec<bool>> {
        let mut path = Vec::new();
        let mut found = None;
        let mut node = self;
        while let Node::Split(split) = node {
            if split.axis == axis {
                found = Some(path.clone());
            }
            let second = split.second.panes().contains(&pane);
            path.push(second);
            node = if second { &split.second } else { &split.first };
        }
        found
    }

    pub(super) fn place(&self, area: Rect, path: &mut Vec<bool>, placed: &mut Placed) {
        match self {
            Node::Pane(pane) => placed.panes.push((*pane, area)),
            Node::Split(split) => {
                let (first, line, second) = split.areas(area);
                placed.borders.push(Border {
                    path: path.clone(),
                    axis: split.axis,
                    line,
                });
                path.push(false);
                split.first.place(first, path, placed);
                path.pop();
                path.push(true);
                split.second.place(second, path, placed);
                path.pop();
            }
        }
    }
}
