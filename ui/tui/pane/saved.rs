//! Which panes there were, as it is written down and read again.

use serde::{Deserialize, Serialize};

use super::layout::{Axis, Layout, Node, PaneId, Tab, WHOLE};
use super::session::Machine;
use super::workspace::{Pane, Workspace};

/// The most panes that are taken from a file, and how deep splits go there: nobody has more.
const MOST: usize = 64;
/// The longest name of a tab, in characters.
const LONGEST_TITLE: usize = 40;

/// Everything that is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    tabs: Vec<SavedTab>,
    current: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedTab {
    #[serde(default)]
    title: Option<String>,
    /// The number of the pane that has the keys, in reading order.
    #[serde(default)]
    focus: usize,
    #[serde(default)]
    zoomed: bool,
    panes: SavedNode,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedNode {
    /// The machine's id: its name may change.
    Machine(String),
    Beside(u16, Box<SavedNode>, Box<SavedNode>),
    Below(u16, Box<SavedNode>, Box<SavedNode>),
}

impl Workspace {
    /// Tabs, splits and machines, to be written down.
    pub(crate) fn to_saved(&self) -> serde_json::Value {
        let tabs = self.layout.tabs().iter().filter_map(|tab| {
            let panes = tab.panes();
            Some(SavedTab {
                title: tab.title.clone(),
                focus: panes.iter().position(|pane| *pane == tab.focus())?,
                zoomed: tab.zoomed,
                panes: self.save(tab.root())?,
            })
        });
        let saved = Saved {
            tabs: tabs.collect(),
            current: self.layout.current(),
        };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn save(&self, node: &Node) -> Option<SavedNode> {
        Some(match node {
            Node::Pane(pane) => SavedNode::Machine(self.panes.get(pane)?.machine.id.clone()),
            Node::Split(split) => {
                let first = Box::new(self.save(&split.first)?);
                let second = Box::new(self.save(&split.second)?);
                match split.axis {
                    Axis::Beside => SavedNode::Beside(split.ratio, first, second),
                    Axis::Below => SavedNode::Below(split.ratio, first, second),
                }
            }
        })
    }

    /// Puts panes back as they were, without those whose machines are not there any more. They connect when they are
    /// first seen. What cannot be read is left out: panes are opened again in a moment.
    pub(crate) fn restore(&mut self, saved: &serde_json::Value, machines: &[Machine]) {
        let Ok(saved) = Saved::deserialize(saved) else {
            return;
        };
        if !self.is_empty() {
            return;
        }
        let (mut tabs, mut current) = (Vec::new(), 0);
        for (number, saved_tab) in saved.tabs.into_iter().enumerate() {
            let mut panes = Vec::new();
            let root = self.read(saved_tab.panes, machines, 0, &mut panes);
            let focus = panes.get(saved_tab.focus).copied().flatten();
            let focus = focus.or_else(|| panes.iter().copied().flatten().next());
            let (Some(root), Some(focus)) = (root, focus) else {
                continue;
            };
            if number <= saved.current {
                current = tabs.len();
            }
            let title = saved_tab.title.filter(|title| !title.trim().is_empty());
            let plain = |title: String| -> String {
                let chars = title.chars().filter(|char| !char.is_control());
                chars.take(LONGEST_TITLE).collect()
            };
            tabs.push(Tab::restored(
                root,
                focus,
                title.map(plain),
                saved_tab.zoomed,
            ));
        }
        self.layout = Layout::of(tabs, current);
    }

    /// Makes the panes of a part; `panes` gets one entry for each that was saved.
    fn read(
        &mut self,
        node: SavedNode,
        machines: &[Machine],
        depth: usize,
        panes: &mut Vec<Option<PaneId>>,
    ) -> Option<Node> {
        let (axis, ratio, first, second) = match node {
            SavedNode::Machine(id) => {
                let known = machines.iter().find(|machine| machine.id == id);
                let known = known.filter(|_| self.panes.len() < MOST);
                let pane = known.map(|machine| self.new_pane(machine.clone()));
                panes.push(pane);
                return pane.map(Node::Pane);
            }
            _ if depth >= MOST => return None,
            SavedNode::Beside(ratio, first, second) => (Axis::Beside, ratio, first, second),
            SavedNode::Below(ratio, first, second) => (Axis::Below, ratio, first, second),
        };
        let first = self.read(*first, machines, depth + 1, panes);
        let second = self.read(*second, machines, depth + 1, panes);
        match (first, second) {
            (Some(first), Some(second)) => {
                Some(Node::split(axis, ratio.clamp(1, WHOLE - 1), first, second))
            }
            (first, second) => first.or(second),
        }
    }

    fn new_pane(&mut self, machine: Machine) -> PaneId {
        let id = self.fresh_id();
        self.panes.insert(id, Pane::new(machine));
        id
    }
}
