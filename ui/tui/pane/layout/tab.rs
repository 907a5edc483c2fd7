//! One tab: its panes, which of them has the keys, and what can be done to their places.

use ratatui::layout::Rect;

use super::PaneId;
use super::place::Placed;
use super::split::portion_of;
use super::tree::{Axis, HALF, Node, Side};

/// Ready-made ways to lay out panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// All side by side.
    EvenHorizontal,
    /// All below one another.
    EvenVertical,
    /// Rows of about as many columns.
    Tiled,
}

impl Arrangement {
    fn next(self) -> Arrangement {
        match self {
            Arrangement::EvenHorizontal => Arrangement::EvenVertical,
            Arrangement::EvenVertical => Arrangement::Tiled,
            Arrangement::Tiled => Arrangement::EvenHorizontal,
        }
    }
}

/// Panes that are seen together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(super) root: Node,
    pub(super) focus: PaneId,
    /// Panes that had the keys before, the last one last.
    recent: Vec<PaneId>,
    /// Whether the focused pane has the whole tab.
    pub zoomed: bool,
    /// What the user calls it.
    pub title: Option<String>,
    /// Whether what is typed goes to all of its panes.
    pub broadcast: bool,
    arranged: Arrangement,
}

impl Tab {
    pub(super) fn new(root: Node, focus: PaneId) -> Tab {
        Tab {
            root,
            focus,
            recent: Vec::new(),
            zoomed: false,
            title: None,
            broadcast: false,
            arranged: Arrangement::Tiled,
        }
    }

    /// One that was kept. `focus` must be one of its panes.
    pub(crate) fn restored(root: Node, focus: PaneId, title: Option<String>, zoomed: bool) -> Tab {
        let several = matches!(root, Node::Split(_));
        Tab {
            title,
            zoomed: zoomed && several,
            ..Tab::new(root, focus)
        }
    }

    /// The pane that has the keys.
    pub(crate) fn focus(&self) -> PaneId {
        self.focus
    }

    /// Its splits.
    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// Its panes, in reading order.
    pub(crate) fn panes(&self) -> Vec<PaneId> {
        self.root.panes()
    }

    /// Where its panes lie: the focused one alone when it is zoomed.
    pub(crate) fn placed(&self, area: Rect) -> Placed {
        match self.zoomed {
            true => Placed {
                panes: vec![(self.focus, area)],
                borders: Vec::new(),
            },
            false => self.all_placed(area),
        }
    }

    fn all_placed(&self, area: Rect) -> Placed {
        let mut placed = Placed::default();
        self.root.place(area, &mut Vec::new(), &mut placed);
        placed
    }

    pub(super) fn set_focus(&mut self, pane: PaneId) {
        if pane != self.focus {
            self.recent.retain(|recent| *recent != pane);
            self.recent.push(self.focus);
            self.focus = pane;
        }
    }

    /// Puts a new pane beside or below the focused one.
    pub(super) fn split(&mut self, pane: PaneId, axis: Axis) {
        let focus = self.focus;
        if let Some(node) = self.root.find(focus) {
            *node = Node::split(axis, HALF, Node::Pane(focus), Node::Pane(pane));
            self.zoomed = false;
            self.set_focus(pane);
        }
    }

    /// Who may get a pane's keys when it is closed, the first before others: those that its place goes to; of several,
    /// the one that had the keys last.
    pub(super) fn heirs(&self, pane: PaneId) -> Vec<PaneId> {
        let siblings = self.root.siblings(pane);
        let age = |pane: &PaneId| self.recent.iter().rev().position(|id| id == pane);
        let mut heirs = self.panes();
        heirs.retain(|heir| *heir != pane);
        heirs.sort_by_key(|heir| (!siblings.contains(heir), age(heir).unwrap_or(usize::MAX)));
        heirs
    }

    /// The tab without a pane; `None` when it was the only one.
    pub(super) fn without(mut self, pane: PaneId) -> Option<Tab> {
        let heir = self.heirs(pane).first().copied();
        self.root = self.root.without(pane)?;
        self.recent.retain(|recent| *recent != pane);
        if self.focus == pane {
            self.zoomed = false;
            self.focus = heir?;
            self.recent.retain(|recent| *recent != self.focus);
        }
        Some(self)
    }

    /// The pane that lies in a direction: of several, the one that had the keys last.
    pub(super) fn towards(&self, side: Side, area: Rect) -> Option<PaneId> {
        let placed = self.all_placed(area);
        let from = placed.of(self.focus)?;
        let touches = |to: &Rect| match side {
            Side::Left => to.right() + 1 == from.x && overlap(rows(to), rows(&from)),
            Side::Right => from.right() + 1 == to.x && overlap(rows(to), rows(&from)),
            Side::Up => to.bottom() == from.y && overlap(columns(to), columns(&from)),
            Side::Down => from.bottom() == to.y && overlap(columns(to), columns(&from)),
        };
        let age = |pane: &PaneId| self.recent.iter().rev().position(|id| id == pane);
        placed
            .panes
            .iter()
            .filter(|(_, to)| !to.is_empty() && touches(to))
            .map(|(pane, _)| *pane)
            .min_by_key(|pane| age(pane).unwrap_or(usize::MAX))
    }

    /// The pane after or before the focused one, around the end.
    pub(super) fn along(&self, onward: bool) -> PaneId {
        let panes = self.panes();
        let at = panes.iter().position(|id| *id == self.focus).unwrap_or(0);
        let step = if onward { 1 } else { panes.len() - 1 };
        panes[(at + step) % panes.len()]
    }

    /// Moves the border next to the focused pane. Whether it could move.
    pub(super) fn resize(&mut self, side: Side, cells: u16, area: Rect) -> bool {
        let Some(path) = self.root.path_to(self.focus, side.axis()) else {
            return false;
        };
        let Some((split, area)) = self.root.at(&path, area) else {
            return false;
        };
        let step = i32::from(cells) * if side.onward() { 1 } else { -1 };
        split.set_first(i32::from(split.first_extent(area)) + step, area)
    }

    /// Moves the border at `path` to a column or line of the screen. Whether it moved.
    pub(super) fn drag(&mut self, path: &[bool], to: (u16, u16), area: Rect) -> bool {
        let Some((split, area)) = self.root.at(path, area) else {
            return false;
        };
        let first = match split.axis {
            Axis::Beside => i32::from(to.0) - i32::from(area.x),
            Axis::Below => i32::from(to.1) - i32::from(area.y),
        };
        split.set_first(first, area)
    }

    /// Swaps the focused pane with the one after or before it; it keeps the keys.
    pub(super) fn swap(&mut self, onward: bool) {
        let (one, other) = (self.focus, self.along(onward));
        let swapped: Vec<_> = self
            .panes()
            .into_iter()
            .map(|pane| match pane {
                _ if pane == one => other,
                _ if pane == other => one,
                _ => pane,
            })
            .collect();
        self.root.fill(&mut swapped.into_iter());
    }

    pub(super) fn equalise(&mut self) {
        self.root.equalise();
        self.zoomed = false;
    }

    /// Lays the panes out in the next ready-made way.
    pub(super) fn arrange_next(&mut self) -> Arrangement {
        self.arranged = self.arranged.next();
        let panes: Vec<_> = self.panes().into_iter().map(Node::Pane).collect();
        let made = match self.arranged {
            Arrangement::EvenHorizontal => row(Axis::Beside, panes),
            Arrangement::EvenVertical => row(Axis::Below, panes),
            Arrangement::Tiled => {
                let columns = (1..).find(|n| n * n >= panes.len()).unwrap_or(1);
                let rows = panes
                    .chunks(columns)
                    .filter_map(|chunk| row(Axis::Beside, chunk.to_vec()))
                    .collect();
                row(Axis::Below, rows)
            }
        };
        if let Some(root) = made {
            self.root = root;
        }
        self.zoomed = false;
        self.arranged
    }
}

/// Parts along an axis, all of the same share.
fn row(axis: Axis, parts: Vec<Node>) -> Option<Node> {
    let mut behind = 0;
    parts.into_iter().rev().fold(None, |rest, part| {
        behind += 1;
        Some(match rest {
            None => part,
            Some(rest) => Node::split(axis, portion_of(1, behind), part, rest),
        })
    })
}

fn rows(area: &Rect) -> (u16, u16) {
    (area.top(), area.bottom())
}

fn columns(area: &Rect) -> (u16, u16) {
    (area.left(), area.right())
}

fn overlap(one: (u16, u16), other: (u16, u16)) -> bool {
    one.0 < other.1 && other.0 < one.1
}
