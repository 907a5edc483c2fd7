//! The model as it is at the beginning, and what of it is remembered at the end.

use sistemo::config::Config;

use super::list::Lists;
use super::logs::Logs;
use super::place::{Place, View};
use super::themes::Themes;
use super::toasts::{Kind, Toast};
use super::{Clock, Model};
use crate::tui::keymap::Keymap;
use crate::tui::pane::{Machine, Workspace};
use crate::tui::remembered::{Remembered, Sort};
use crate::tui::settings::{self, Settings};
use crate::tui::theme::{Choice, Depth};

/// What a model begins with.
pub(crate) struct Start {
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    pub(crate) settings: Settings,
    pub(crate) config: Config,
    pub(crate) keymap: Keymap,
    pub(crate) themes: Themes,
    pub(crate) workspace: Workspace,
    pub(crate) remembered: Remembered,
    pub(crate) logs: Logs,
}

impl Model {
    /// A model that knows nothing of the engine yet.
    pub(crate) fn new(start: Start) -> Model {
        let (theme, wrong) = start.themes.load_or_default(&start.settings.theme);
        let mut lists = Lists::default();
        for view in View::ALL {
            let sort = start.remembered.sort.get(settings::word(view));
            lists.of(view).sort = sort.map(|sort| (sort.column.clone(), sort.reverse));
        }
        let view = start.remembered.view.as_deref().and_then(settings::view_of);
        let mut model = Model {
            size: start.size,
            clock: Clock::now(),
            mouse: start.settings.mouse,
            settings: start.settings,
            config: start.config,
            keymap: start.keymap,
            theme,
            themes: start.themes,
            world: Default::default(),
            host: Default::default(),
            samples: Default::default(),
            place: Place {
                // The shells are not there yet.
                view: view.filter(|view| *view != View::Panes).unwrap_or_default(),
                ..Place::default()
            },
            lists,
            popups: Vec::new(),
            tasks: Default::default(),
            toasts: Default::default(),
            pending: Vec::new(),
            last_click: None,
            first_run_left: false,
            workspace: start.workspace,
            log: None,
            log_trouble: None,
            log_asked: None,
            logs: start.logs,
            web: None,
            remembered: start.remembered,
        };
        if let Some(wrong) = wrong {
            model.say(
                Toast::new(Kind::Warning, wrong.to_string()).hint(Some(wrong.hint().to_string())),
            );
        }
        model
    }

    /// Whether the theme goes by whether the terminal is dark.
    pub(crate) fn follows_terminal(&self) -> bool {
        self.themes.depth != Depth::None && Choice::parse(&self.settings.theme).follows_terminal()
    }

    /// Shows a theme by what the settings would say; says so when there is none like it. Whether there is.
    pub(crate) fn show_theme(&mut self, setting: &str) -> bool {
        match self.themes.load(setting) {
            Ok(theme) => {
                self.theme = theme;
                true
            }
            Err(wrong) => {
                let hint = wrong.hint().to_string();
                self.say(Toast::new(Kind::Warning, wrong.to_string()).hint(Some(hint)));
                false
            }
        }
    }

    /// Puts the shells back as they were, once it is known which machines there are.
    pub(crate) fn restore_panes(&mut self) {
        let machines: Vec<Machine> = self.world.machines.iter().map(Machine::from).collect();
        let saved = std::mem::take(&mut self.remembered.panes);
        self.workspace.restore(&saved, &machines);
    }

    /// What is to be remembered.
    pub(crate) fn to_remember(&self) -> Remembered {
        let mut remembered = self.remembered.clone();
        remembered.view = Some(settings::word(self.place.view).into());
        // Shells that were not put back yet are not forgotten.
        if self.world.is_known {
            remembered.panes = self.workspace.to_saved();
        }
        remembered.sort.clear();
        for view in View::ALL {
            if let Some((column, reverse)) = self.lists.get(view).and_then(|list| list.sort.clone())
            {
                let sort = Sort { column, reverse };
                remembered.sort.insert(settings::word(view).into(), sort);
            }
        }
        remembered
    }
}
