//! The console's part of the settings: the table `[console]` of the files that the engine reads, checked here. What is
//! wrong is told with its file and line and keeps its default: a console that does not start mends nothing.

mod file;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sistemo::config::Config;

use crate::tui::keymap::{Conflict, Key, Keymap, Overrides};
use crate::tui::model::place::View;
use crate::tui::model::toasts::{Kind, Toast};

/// Which signs are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// Those that the terminal's kind and locale speak for.
    #[default]
    Auto,
    Unicode,
    Ascii,
}

/// The console's settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `auto`, a theme's name, or two of them: `DARK/LIGHT`.
    pub(crate) theme: String,
    /// The one key that a guest does not get.
    pub(crate) prefix: Key,
    /// Between two readings of what machines take: 1 to 60 seconds.
    pub(crate) refresh: Duration,
    pub(crate) mouse: bool,
    /// Lines that a shell's pane keeps: 100 to 100,000.
    pub(crate) scrollback: usize,
    pub(crate) glyphs: Drawing,
    columns: HashMap<View, Vec<String>>,
    pub(crate) keys: Overrides,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            theme: "auto".into(),
            prefix: Key::PREFIX,
            refresh: Duration::from_secs(2),
            mouse: true,
            scrollback: 10_000,
            glyphs: Drawing::Auto,
            columns: HashMap::new(),
            keys: Overrides::new(),
        }
    }
}

impl Settings {
    /// The columns of a list in their order; none when the settings do not say.
    pub(crate) fn columns_of(&self, view: View) -> Option<&[String]> {
        self.columns.get(&view).map(Vec::as_slice)
    }
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
    /// The way out.
    pub(crate) hint: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

impl Wrong {
    /// As the console says it.
    pub(crate) fn toast(&self) -> Toast {
        Toast::new(Kind::Warning, self.to_string()).hint(Some(self.hint.clone()))
    }
}

/// What the files say.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) settings: Settings,
    pub(crate) keymap: Keymap,
    pub(crate) wrong: Vec<Wrong>,
}

/// Reads the console's settings out of all files that settings come from.
pub(crate) fn read(config: &Config) -> Reading {
    let reading = read_files(&config.files());
    let settings = Settings {
        theme: config.theme.clone(),
        ..reading.settings
    };
    Reading {
        settings,
        ..reading
    }
}

fn read_files(paths: &[PathBuf]) -> Reading {
    let mut found = file::Found::default();
    for path in paths {
        // What cannot be read, or is no TOML, the engine has refused already.
        if let Ok(text) = std::fs::read_to_string(path) {
            found.read(path, &text);
        }
    }
    let file::Found {
        mut settings,
        mut keys,
        mut wrong,
        prefix_at,
    } = found;
    // Keys that are in each other's way: the settings yield to the table, one after the other.
    let keymap = loop {
        settings.keys = keys
            .iter()
            .map(|(id, given)| (*id, given.keys.clone()))
            .collect();
        let conflict = match Keymap::new(settings.prefix, &settings.keys) {
            Ok(keymap) => break Some(keymap),
            Err(conflict) => conflict,
        };
        let guilty = [conflict.other, conflict.one]
            .into_iter()
            .find(|id| keys.contains_key(id));
        match guilty.and_then(|id| keys.remove_entry(id)) {
            Some((id, given)) => wrong.push(in_the_way(id, given.at, &conflict)),
            None if settings.prefix != Key::PREFIX => {
                settings.prefix = Key::PREFIX;
                wrong.extend(
                    prefix_at
                        .clone()
                        .map(|at| in_the_way("view.panes", at, &conflict)),
                );
            }
            None => break None,
        }
    };
    wrong.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
    Reading {
        settings,
        keymap: keymap.unwrap_or_default(),
        wrong,
    }
}

fn in_the_way(id: &str, (path, line): file::At, conflict: &Conflict) -> Wrong {
    let other = match conflict.one == id {
        true => conflict.other,
        false => conflict.one,
    };
    Wrong {
        path,
        line,
        what: format!(
            "{} is the key of {other} {} already",
            conflict.written, conflict.place
        ),
        hint: format!("give {id} another key, or {other}: \"{other}\" = \"…\"; \"\" for none"),
    }
}

/// A view as files write it.
pub(crate) fn word(view: View) -> &'static str {
    match view {
        View::Machines => "machines",
        View::Volumes => "volumes",
        View::Images => "images",
        View::Networks => "networks",
        View::History => "history",
        View::Panes => "shells",
    }
}

/// The view that a word is for.
pub(crate) fn view_of(text: &str) -> Option<View> {
    View::ALL.into_iter().find(|view| word(*view) == text)
}
