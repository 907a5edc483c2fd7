//! What can be done to panes, and the keys for it behind the prefix.

mod keys;
mod table;

use super::layout::{Axis, Side};

pub(crate) use keys::Keys;
pub(crate) use table::{ACTIONS, COPY_KEYS};

/// Something to do in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaneAction {
    SplitRight,
    SplitBelow,
    Focus(Side),
    FocusNext,
    FocusPrevious,
    Zoom,
    Close,
    NewTab,
    NextTab,
    PreviousTab,
    /// By its number, from 1 to 9.
    Tab(u8),
    RenameTab,
    Detach,
    CopyMode,
    ScrollUp,
    Search,
    Paste,
    Resize,
    Broadcast,
    Arrange,
    Equalise,
    SwapNext,
    SwapPrevious,
    BreakOut,
    OtherRight,
    OtherBelow,
    OtherTab,
    Leave,
    Reconnect,
    Start,
    SendPrefix,
    Palette,
    Help,
}

impl PaneAction {
    /// Where a new pane goes, for the actions that open one.
    pub(crate) fn place(self) -> Option<Place> {
        Some(match self {
            PaneAction::SplitRight | PaneAction::OtherRight => Place::Split(Axis::Beside),
            PaneAction::SplitBelow | PaneAction::OtherBelow => Place::Split(Axis::Below),
            PaneAction::NewTab | PaneAction::OtherTab => Place::Tab,
            _ => return None,
        })
    }
}

/// Where a new pane goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beside or below the focused pane.
    Split(Axis),
    Tab,
}
