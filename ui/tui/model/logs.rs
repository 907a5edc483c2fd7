//! The boot log that is open, and how one is opened.

use std::fmt;
use std::sync::Arc;

use sistemo::machine::Console;

use crate::tui::log::{LogView, Notify, Saves};
use crate::tui::task::Failure;

/// A boot log on the screen.
#[derive(Debug)]
pub(crate) struct OpenLog {
    /// The machine's identifier.
    pub(crate) machine: String,
    pub(crate) view: LogView,
}

/// Opens the log of a machine: that of its last start, or of the one before.
type Open = Arc<dyn Fn(&str, bool) -> Result<Console, Failure> + Send + Sync>;

/// What boot logs come from.
#[derive(Clone)]
pub(crate) struct Logs {
    pub(crate) open: Open,
    pub(crate) notify: Notify,
    /// What comes of saving logs after they were closed.
    pub(crate) saves: Saves,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logs")
    }
}
