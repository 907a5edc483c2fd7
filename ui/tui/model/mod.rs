//! All that the console knows: what the engine holds, where the user is, what is open and what is being done. Views are
//! functions of it, and only [`update`](crate::tui::update) changes it.

pub(crate) mod host;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod place;
pub(crate) mod samples;
mod start;
pub(crate) mod tasks;
pub(crate) mod themes;
pub(crate) mod toasts;
pub(crate) mod world;

use std::time::{Duration, Instant};

use crossterm::event::KeyEvent;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Position;
use sistemo::config::Config;

use crate::tui::action::{Action, On};
use crate::tui::keymap::Keymap;
use crate::tui::list::identity;
use crate::tui::pane::{PATIENCE, Workspace};
use crate::tui::popup::Popup;
use crate::tui::remembered::Remembered;
use crate::tui::settings::Settings;
use crate::tui::theme::Theme;
pub(crate) use start::Start;

use host::Host;
use list::Lists;
use logs::{Logs, OpenLog};
use place::{Place, View};
use samples::Samples;
use tasks::Tasks;
use themes::Themes;
use toasts::{Toast, Toasts};
use world::World;

/// How long a frame of the spinner stays.
const SPINNER: Duration = Duration::from_millis(120);

/// The model.
#[derive(Debug)]
pub(crate) struct Model {
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    /// The engine's settings: what new machines are given unless their user says otherwise.
    pub(crate) config: Config,
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
    /// When and where the last click was.
    pub(crate) last_click: Option<(Instant, Position)>,
    /// Whether the user has left the screen of a computer that is not set up.
    pub(crate) first_run_left: bool,
    /// The shells.
    pub(crate) workspace: Workspace,
    /// The boot log that is open, and why one could not be opened.
    pub(crate) log: Option<OpenLog>,
    pub(crate) log_trouble: Option<String>,
    /// The machine whose log was asked for and has not come yet, and whether it is that of the start before.
    pub(crate) log_asked: Option<(String, bool)>,
    pub(crate) logs: Logs,
    pub(crate) themes: Themes,
    /// Where the pages are, when a browser draws the console.
    pub(crate) web: Option<String>,
    /// What is remembered from one time to the next; what the model itself holds is put into it when it is written.
    pub(crate) remembered: Remembered,
}

impl Model {
    /// The places whose keys count here, the narrowest first.
    pub(crate) fn contexts(&self) -> &'static [On] {
        match self.place.view == View::Panes && self.workspace.is_empty() {
            true => &[On::NO_SHELLS],
            false => On::here(&self.place),
        }
    }

    /// The identifiers of what an action is about: the machine whose screen is open, else what is marked, in the order in
    /// which it stands, else what is selected.
    pub(crate) fn targets(&self) -> Vec<String> {
        if let Some(detail) = &self.place.detail {
            return vec![detail.id.clone()];
        }
        let Some(list) = self.lists.get(self.place.view) else {
            return Vec::new();
        };
        if list.marked.is_empty() {
            return list.selected.iter().cloned().collect();
        }
        let ids = list
            .rows
            .iter()
            .filter_map(|row| identity(self, self.place.view, *row));
        ids.filter(|id| list.marked.contains(id)).collect()
    }

    /// The names of the same.
    pub(crate) fn target_names(&self) -> Vec<String> {
        let world = &self.world;
        let name = |id: String| match self.place.view {
            View::Volumes => world.volume(&id).map(|volume| volume.name.clone()),
            View::Images => world.image(&id).map(|image| image.name.clone()),
            View::Networks => Some(id),
            View::History => {
                let row = world.history.iter().find(|row| row.id.to_string() == id);
                row.map(|row| row.name.clone())
            }
            View::Machines | View::Panes => world.machine(&id).map(|machine| machine.name.clone()),
        };
        self.targets().into_iter().filter_map(name).collect()
    }

    /// Says something, in a corner and for good.
    pub(crate) fn say(&mut self, toast: Toast) {
        self.toasts.say(toast, self.clock.now, self.clock.instant);
    }

    /// When something changes on the screen though nothing happens: a message goes, a spinner turns, the keys that may
    /// follow are shown.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let spinner = self.moves().then(|| self.clock.instant + SPINNER);
        let prefix = self
            .workspace
            .pending_prefix()
            .map(|since| since + PATIENCE);
        let prefix = prefix.filter(|when| *when > self.clock.instant);
        [self.toasts.deadline(), spinner, prefix]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether something turns on the screen while it is waited for.
    pub(crate) fn moves(&self) -> bool {
        !self.tasks.running.is_empty() || self.workspace.spins()
    }

    /// The frame of the spinner now.
    pub(crate) fn spinner(&self) -> &'static str {
        let frames = self.theme.glyphs().spinner;
        let frame = self.clock.now.as_millisecond() / SPINNER.as_millis() as i64;
        frames[frame.rem_euclid(frames.len() as i64) as usize]
    }

    /// The key of an action, as a user reads it; the palette's where it has none.
    pub(crate) fn shown(&self, action: Action) -> String {
        let glyphs = self.theme.glyphs();
        let key = |action| self.keymap.text(action, self.contexts(), glyphs);
        key(action)
            .or_else(|| key(Action::Palette))
            .unwrap_or_default()
    }
}

/// The time, read once for everything that is drawn together.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    /// For what moves, and for deadlines.
    pub(crate) instant: Instant,
}

impl Clock {
    pub(crate) fn now() -> Clock {
        Clock {
            now: Timestamp::now(),
            zone: TimeZone::system(),
            instant: Instant::now(),
        }
    }

    /// Reads the time anew.
    pub(crate) fn tick(&mut self) {
        self.now = Timestamp::now();
        self.instant = Instant::now();
    }
}
