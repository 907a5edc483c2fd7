//! All that the console knows: what the engine holds, where the user is, what is open and what is being done. Views are
//! functions of it, and only [`update`](crate::tui::update) changes it.

pub(crate) mod host;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod samples;
pub(crate) mod tasks;
pub(crate) mod toasts;
pub(crate) mod world;

use std::time::Instant;

use crossterm::event::KeyEvent;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::tui::keymap::Keymap;
use crate::tui::popup::Popup;
use crate::tui::settings::Settings;
use crate::tui::theme::Theme;
use host::Host;
use list::Lists;
use place::Place;
use samples::Samples;
use tasks::Tasks;
use toasts::Toasts;
use world::World;

/// The model.
#[derive(Debug)]
pub(crate) struct Model {
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) keymap: Keymap,
    pub(crate) theme: Theme,
    pub(crate) world: World,
    pub(crate) host: Host,
    pub(crate) samples: Samples,
    pub(crate) place: Place,
    pub(crate) lists: Lists,
    /// What lies over the screen; the last is on top and has the keys.
    pub(crate) popups: Vec<Box<dyn Popup>>,
    pub(crate) tasks: Tasks,
    pub(crate) toasts: Toasts,
    /// The keys of a sequence that is not at its end yet.
    pub(crate) pending: Vec<KeyEvent>,
    /// Whether the terminal reports the mouse.
    pub(crate) mouse: bool,
}

/// The time, read once for everything that is drawn together.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    /// For what moves, and for deadlines.
    pub(crate) instant: Instant,
}
