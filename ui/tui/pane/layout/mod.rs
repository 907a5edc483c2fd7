//! Where panes are: tabs, each a tree of splits with ratios. Knows no terminals.

mod place;
mod split;
mod tab;
#[cfg(test)]
mod tests;
mod tree;

use ratatui::layout::Rect;

pub(crate) use place::Placed;
pub(crate) use tab::{Arrangement, Tab};
pub(crate) use tree::{Axis, LEAST, Node, Side, WHOLE};

/// Names a pane for as long as the console runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PaneId(pub u32);

/// There is no room for another pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for another pane here: each needs {} columns and {} lines", LEAST.0, LEAST.1)]
pub(crate) struct NoRoom;

/// Every tab, and which one is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    tabs: Vec<Tab>,
    current: usize,
}

impl Layout {
    /// Of tabs that were kept; the `current` one is seen.
    pub(crate) fn of(tabs: Vec<Tab>, current: usize) -> Layout {
        let current = current.min(tabs.len().saturating_sub(1));
        Layout { tabs, current }
    }

    pub(crate) fn tabs(&self) -> &[Tab] {
        &self.tabs
    }

    /// The number of the tab that is seen, from 0.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// The tab that is seen; `None` when there is none at all.
    pub(crate) fn tab(&self) -> Option<&Tab> {
        self.tabs.get(self.current)
    }

    pub(crate) fn tab_mut(&mut self) -> Option<&mut Tab> {
        self.tabs.get_mut(self.current)
    }

    /// The pane that has the keys.
    pub(crate) fn focus(&self) -> Option<PaneId> {
        self.tab().map(Tab::focus)
    }

    /// Every pane of every tab.
    pub(crate) fn panes(&self) -> Vec<PaneId> {
        self.tabs.iter().flat_map(Tab::panes).collect()
    }

    /// The number of the tab that a pane is in.
    pub(crate) fn tab_of(&self, pane: PaneId) -> Option<usize> {
        let holds = |tab: &Tab| tab.panes().contains(&pane);
        self.tabs.iter().position(holds)
    }

    /// Where the panes of the current tab lie.
    pub(crate) fn placed(&self, area: Rect) -> Placed {
        self.tab().map(|tab| tab.placed(area)).unwrap_or_default()
    }

    /// Opens a tab behind the current one, and shows it.
    pub(crate) fn open_tab(&mut self, pane: PaneId) {
        let at = self.tabs.len().min(self.current + 1);
        self.tabs.insert(at, Tab::new(Node::Pane(pane), pane));
        self.current = at;
    }

    /// Whether the focused pane can be split. As long as the screen is not known it can.
    pub(crate) fn room(&self, axis: Axis, area: Rect) -> Result<(), NoRoom> {
        let Some(tab) = self.tab().filter(|_| !area.is_empty()) else {
            return Ok(());
        };
        // A zoomed pane is split in its own place.
        let mut unzoomed = tab.clone();
        unzoomed.zoomed = false;
        let Some(place) = unzoomed.placed(area).of(tab.focus()) else {
            return Err(NoRoom);
        };
        let fits = match axis {
            Axis::Beside => place.width > 2 * LEAST.0 && place.height >= LEAST.1,
            Axis::Below => place.height >= 2 * LEAST.1 && place.width >= LEAST.0,
        };
        fits.then_some(()).ok_or(NoRoom)
    }

    /// Puts a new pane beside or below the focused one; without one, into a tab of its own.
    pub(crate) fn split(&mut self, pane: PaneId, axis: Axis, area: Rect) -> Result<(), NoRoom> {
        self.room(axis, area)?;
        match self.tab_mut() {
            Some(tab) => tab.split(pane, axis),
            None => self.open_tab(pane),
        }
        Ok(())
    }

    /// Who may get a pane's keys when it is closed, the first before others.
    pub(crate) fn heirs(&self, pane: PaneId) -> Vec<PaneId> {
        let tab = self.tab_of(pane).map(|at| &self.tabs[at]);
        tab.map(|tab| tab.heirs(pane)).unwrap_or_default()
    }

    /// Takes a pane away; what was beside it grows. A tab goes with its last pane.
    pub(crate) fn close(&mut self, pane: PaneId) {
        let Some(at) = self.tab_of(pane) else {
            return;
        };
        let tab = self.tabs.remove(at);
        match tab.without(pane) {
            Some(tab) => self.tabs.insert(at, tab),
            None => {
                let last = self.tabs.len().saturating_sub(1);
                let before = self.current > at;
                self.current = (self.current - usize::from(before)).min(last);
            }
        }
    }

    /// Gives a pane the keys, wherever it is.
    pub(crate) fn focus_on(&mut self, pane: PaneId) {
        if let Some(at) = self.tab_of(pane) {
            self.current = at;
            let tab = &mut self.tabs[at];
            if tab.focus() != pane {
                tab.zoomed = false;
            }
            tab.set_focus(pane);
        }
    }

    /// Moves the keys in a direction. Whether there was a pane.
    pub(crate) fn move_focus(&mut self, side: Side, area: Rect) -> bool {
        let towards = self.tab().and_then(|tab| tab.towards(side, area));
        towards.map(|pane| self.focus_on(pane)).is_some()
    }

    /// Moves the keys to the next or previous pane of the tab.
    pub(crate) fn cycle_focus(&mut self, onward: bool) {
        if let Some(pane) = self.tab().map(|tab| tab.along(onward)) {
            self.focus_on(pane);
        }
    }

    pub(crate) fn toggle_zoom(&mut self) {
        if let Some(tab) = self.tab_mut() {
            tab.zoomed = !tab.zoomed && tab.panes().len() > 1;
        }
    }

    pub(crate) fn resize(&mut self, side: Side, cells: u16, area: Rect) -> bool {
        self.tab_mut()
            .is_some_and(|tab| tab.resize(side, cells, area))
    }

    pub(crate) fn drag(&mut self, path: &[bool], to: (u16, u16), area: Rect) -> bool {
        self.tab_mut().is_some_and(|tab| tab.drag(path, to, area))
    }

    pub(crate) fn swap(&mut self, onward: bool) {
        if let Some(tab) = self.tab_mut() {
            tab.swap(onward);
        }
    }

    pub(crate) fn equalise(&mut self) {
        if let Some(tab) = self.tab_mut() {
            tab.equalise();
        }
    }

    pub(crate) fn arrange_next(&mut self) -> Option<Arrangement> {
        self.tab_mut().map(Tab::arrange_next)
    }

    /// Moves the focused pane to a tab of its own. Whether it was not alone.
    pub(crate) fn break_out(&mut self) -> bool {
        let Some(tab) = self.tab().filter(|tab| tab.panes().len() > 1) else {
            return false;
        };
        let pane = tab.focus();
        self.close(pane);
        self.open_tab(pane);
        true
    }

    /// Shows a tab by its number, from 0. Whether there is one.
    pub(crate) fn select_tab(&mut self, tab: usize) -> bool {
        let there = tab < self.tabs.len();
        if there {
            self.current = tab;
        }
        there
    }

    /// Shows the next or previous tab, around the end.
    pub(crate) fn cycle_tab(&mut self, onward: bool) {
        let count = self.tabs.len();
        if count > 0 {
            let step = if onward { 1 } else { count - 1 };
            self.current = (self.current + step) % count;
        }
    }
}
