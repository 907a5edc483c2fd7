//! Where the user is.

/// One of the screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum View {
    #[default]
    Machines,
    Volumes,
    Images,
    Networks,
    History,
    /// The shells.
    Panes,
}

impl View {
    pub(crate) const ALL: [View; 6] = [
        View::Machines,
        View::Volumes,
        View::Images,
        View::Networks,
        View::History,
        View::Panes,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            View::Machines => "Machines",
            View::Volumes => "Volumes",
            View::Images => "Images",
            View::Networks => "Networks",
            View::History => "History",
            View::Panes => "Shells",
        }
    }

    /// The view so many places further, around the end.
    pub(crate) fn further(self, by: isize) -> View {
        let at = View::ALL.iter().position(|view| *view == self).unwrap_or(0) as isize;
        let count = View::ALL.len() as isize;
        View::ALL[(at + by).rem_euclid(count) as usize]
    }
}

/// A tab of a machine's own screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Overview,
    Log,
    Shell,
    Volumes,
    Ports,
    History,
}

impl Tab {
    pub(crate) const ALL: [Tab; 6] = [
        Tab::Overview,
        Tab::Log,
        Tab::Shell,
        Tab::Volumes,
        Tab::Ports,
        Tab::History,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Tab::Overview => "Overview",
            Tab::Log => "Boot log",
            Tab::Shell => "Terminal",
            Tab::Volumes => "Volumes",
            Tab::Ports => "Ports",
            Tab::History => "History",
        }
    }

    /// The tab so many places further, around the end.
    pub(crate) fn further(self, by: isize) -> Tab {
        let at = Tab::ALL.iter().position(|tab| *tab == self).unwrap_or(0) as isize;
        Tab::ALL[(at + by).rem_euclid(Tab::ALL.len() as isize) as usize]
    }
}

/// A machine's own screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// The machine's identifier: its name may change.
    pub(crate) id: String,
    pub(crate) tab: Tab,
    /// The line of the tab that is selected, or the first that is shown.
    pub(crate) line: usize,
}

/// The place: a view, and over the machines perhaps one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) view: View,
    pub(crate) detail: Option<Detail>,
    /// Where one came to the panes from.
    pub(crate) before_panes: Option<(View, Option<Detail>)>,
    /// Whether this computer lacks what machines need, so that nothing else can be done yet.
    pub(crate) first_run: bool,
}
