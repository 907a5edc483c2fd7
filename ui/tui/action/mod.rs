//! Everything that can be done, in one table: keys, help, bottom bar, palette and mouse all come from it.

mod available;
mod table;

use crate::tui::log::LogAction;
use crate::tui::model::place::{Place, Tab, View};
use crate::tui::pane::PaneAction;

pub(crate) use available::{available, of_machine};
pub(crate) use table::{spec_of, specs};

/// Something that a user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    // Finding one's way.
    Up,
    Down,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    Top,
    Bottom,
    Left,
    Right,
    Open,
    Back,
    NextView,
    PreviousView,
    Machines,
    Volumes,
    Images,
    Networks,
    History,
    Panes,
    Filter,
    Sort,
    SortReverse,
    Mark,
    MarkRange,
    MarkAll,
    Menu,
    Palette,
    Help,
    Messages,
    Theme,
    Mouse,
    Copy,
    CopyCommand,
    Undo,
    Cancel,
    Suspend,
    Redraw,
    Quit,
    // Machines.
    Deploy,
    Enter,
    Shell,
    ShellBeside,
    BootLog,
    Start,
    Stop,
    ForceStop,
    Restart,
    Pause,
    Resume,
    Snapshot,
    Restore,
    DeleteSnapshot,
    Fork,
    Delete,
    Rename,
    Expose,
    Unexpose,
    Attach,
    Detach,
    // Other things.
    Create,
    Resize,
    Pull,
    Build,
    Prune,
    Setup,
    // Parts with actions of their own.
    Log(LogAction),
    Pane(PaneAction),
}

/// Where an action can be done: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct On(u16);

impl On {
    pub(crate) const MACHINES: On = On(1);
    pub(crate) const VOLUMES: On = On(1 << 1);
    pub(crate) const IMAGES: On = On(1 << 2);
    pub(crate) const NETWORKS: On = On(1 << 3);
    pub(crate) const HISTORY: On = On(1 << 4);
    /// A machine's own screen.
    pub(crate) const DETAIL: On = On(1 << 5);
    /// The boot log, as a tab of a machine's screen.
    pub(crate) const LOG: On = On(1 << 6);
    /// Behind the prefix, in the panes.
    pub(crate) const PANES: On = On(1 << 7);
    /// The screen of a computer that is not set up.
    pub(crate) const FIRST_RUN: On = On(1 << 8);
    /// Among the shells while there is none.
    pub(crate) const NO_SHELLS: On = On(1 << 9);
    /// Every list.
    pub(crate) const LISTS: On = On(0b1_1111);
    /// One machine, or several marked ones.
    pub(crate) const OF_MACHINES: On = On(1 | 1 << 5 | 1 << 6);
    /// Wherever keys are not for a guest.
    pub(crate) const ANYWHERE: On = On(0b11_0111_1111);

    pub(crate) const fn or(self, other: On) -> On {
        On(self.0 | other.0)
    }

    /// Every place by itself.
    pub(crate) const PLACES: [On; 10] = [
        On::MACHINES,
        On::VOLUMES,
        On::IMAGES,
        On::NETWORKS,
        On::HISTORY,
        On::DETAIL,
        On::LOG,
        On::PANES,
        On::FIRST_RUN,
        On::NO_SHELLS,
    ];

    /// Whether the two have a place in common.
    pub(crate) fn meets(self, other: On) -> bool {
        self.0 & other.0 != 0
    }

    /// The places whose keys count where the user is, the narrowest first.
    pub(crate) fn here(place: &Place) -> &'static [On] {
        if place.first_run {
            return &[On::FIRST_RUN];
        }
        match (place.view, &place.detail) {
            (View::Panes, _) => &[On::PANES],
            (View::Machines, Some(detail)) if detail.tab == Tab::Log => &[On::LOG, On::DETAIL],
            (View::Machines, Some(_)) => &[On::DETAIL],
            (View::Machines, None) => &[On::MACHINES],
            (View::Volumes, _) => &[On::VOLUMES],
            (View::Images, _) => &[On::IMAGES],
            (View::Networks, _) => &[On::NETWORKS],
            (View::History, _) => &[On::HISTORY],
        }
    }

    /// Where the first of its places is, in words.
    pub(crate) fn in_words(self) -> &'static str {
        let words = [
            "in the list of machines",
            "in the list of volumes",
            "in the list of images",
            "in the list of networks",
            "in the history",
            "on a machine's screen",
            "in the boot log",
            "in the shells",
            "before this computer is set up",
            "where no shell is open",
        ];
        let at = usize::try_from(self.0.trailing_zeros()).unwrap_or_default();
        words.get(at).copied().unwrap_or("anywhere")
    }
}

/// What is known of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) action: Action,
    /// Its name in the settings: `machine.stop`.
    pub(crate) id: &'static str,
    /// What it does, for help and palette.
    pub(crate) title: &'static str,
    /// One or two words for the bottom bar.
    pub(crate) short: &'static str,
    /// Its keys unless the settings say otherwise, as crokey writes them; blanks part the keys of a sequence.
    pub(crate) keys: &'static [&'static str],
    pub(crate) on: On,
    /// How much it matters in the bottom bar; 0 for not at all.
    pub(crate) weight: u8,
}

#[cfg(test)]
mod tests;
