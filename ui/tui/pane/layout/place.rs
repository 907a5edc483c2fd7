//! Where panes and the lines between them lie on the screen.

use ratatui::layout::{Position, Rect};

use super::PaneId;
use super::tree::Axis;

/// Between the two parts of a split: what the mouse can take hold of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Border {
    /// From the root to the split: whether to the second part, at each.
    pub path: Vec<bool>,
    pub axis: Axis,
    /// The line itself. Below another it is the title line of a pane or several.
    pub line: Rect,
}

/// Where everything lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    /// In reading order. A pane for which there is no room has an empty rectangle.
    pub panes: Vec<(PaneId, Rect)>,
    pub borders: Vec<Border>,
}

impl Placed {
    /// Where a pane lies, with its title line.
    pub(crate) fn of(&self, pane: PaneId) -> Option<Rect> {
        let found = self.panes.iter().find(|(id, _)| *id == pane);
        found.map(|(_, area)| *area)
    }

    /// The pane at a place.
    pub(crate) fn pane_at(&self, at: Position) -> Option<(PaneId, Rect)> {
        let found = self.panes.iter().find(|(_, area)| area.contains(at));
        found.copied()
    }

    /// The border at a place.
    pub(crate) fn border_at(&self, at: Position) -> Option<&Border> {
        self.borders.iter().find(|border| border.line.contains(at))
    }
}
