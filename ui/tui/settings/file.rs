//! One file's table `[console]`, value by value.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sistemo::config::CONSOLE;
use toml_edit::{Document, Item, TableLike};

use super::values::{Bad, columns, keys, not_a_table, number, prefix, shown, unknown};
use super::{Drawing, Settings, Wrong};
use crate::tui::keymap::Key;

/// What stands in `[console]`.
const SETTINGS: [&str; 7] = [
    "prefix",
    "refresh",
    "mouse",
    "scrollback",
    "glyphs",
    "columns",
    "keys",
];

/// A file, and the line in it, counted from 1.
pub(super) type At = (PathBuf, usize);

/// Keys that a file gives to an action.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) keys: Vec<Vec<Key>>,
    pub(super) at: At,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) settings: Settings,
    /// By the actions' names.
    pub(super) keys: BTreeMap<&'static str, Given>,
    pub(super) prefix_at: Option<At>,
    pub(super) wrong: Vec<Wrong>,
}

/// The file that is being read.
#[derive(Clone, Copy)]
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn line(self, span: Option<Range<usize>>) -> usize {
        let at = span.map_or(0, |span| span.start).min(self.text.len());
        1 + self.text[..at].matches('\n').count()
    }
}

/// Where an entry of a table stands.
fn span_of(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    let (key, _) = table.get_key_value(key)?;
    key.span()
}

impl Found {
    /// Takes what a file says.
    pub(super) fn read(&mut self, path: &Path, text: &str) {
        let Ok(document) = Document::parse(text) else {
            return;
        };
        let Some(item) = document.get(CONSOLE) else {
            return;
        };
        let source = Source { path, text };
        let Some(table) = item.as_table_like() else {
            let bad = Bad(
                "console is a value, not a table".into(),
                "write [console], and below it refresh = 2".into(),
            );
            return self.refuse(source, item.span(), bad);
        };
        for (key, item) in table.iter() {
            let span = span_of(table, key);
            let taken = match key {
                "prefix" => {
                    self.prefix_at = Some((path.into(), source.line(span.clone())));
                    self.value(key, item)
                }
                "columns" => self.columns(source, key, item),
                "keys" => self.keys(source, key, item),
                _ => self.value(key, item),
            };
            if let Err(bad) = taken {
                self.refuse(source, span, bad);
            }
        }
    }

    fn refuse(&mut self, source: Source<'_>, span: Option<Range<usize>>, Bad(what, hint): Bad) {
        self.wrong.push(Wrong {
            path: source.path.into(),
            line: source.line(span),
            what,
            hint,
        });
    }

    fn value(&mut self, key: &str, item: &Item) -> Result<(), Bad> {
        let settings = &mut self.settings;
        match key {
            "prefix" => settings.prefix = prefix(item)?,
            "refresh" => {
                let seconds = number(key, item, 1..=60)?;
                settings.refresh = Duration::from_secs(seconds);
            }
            "scrollback" => {
                let lines = number(key, item, 100..=100_000)?;
                settings.scrollback = usize::try_from(lines).unwrap_or(usize::MAX);
            }
            "mouse" => {
                let unfit = || {
                    Bad(
                        format!("console.mouse is {}", shown(item)),
                        "it is true or false".into(),
                    )
                };
                settings.mouse = item.as_bool().ok_or_else(unfit)?;
            }
            "glyphs" => {
                settings.glyphs = match item.as_str() {
                    Some("auto") => Drawing::Auto,
                    Some("unicode") => Drawing::Unicode,
                    Some("ascii") => Drawing::Ascii,
                    _ => {
                        let what = format!("console.glyphs is {}", shown(item));
                        return Err(Bad(what, "it is \"auto\", \"unicode\" or \"ascii\"".into()));
                    }
                }
            }
            "theme" => {
                let hint = "it stands above all tables, at the beginning of the file".into();
                return Err(Bad("theme is no setting of [console]".into(), hint));
            }
            _ => return Err(unknown("setting", "console", key, &SETTINGS)),
        }
        Ok(())
    }

    fn columns(&mut self, source: Source<'_>, key: &str, item: &Item) -> Result<(), Bad> {
        let table = item
            .as_table_like()
            .ok_or_else(|| not_a_table(key, "machines = [\"name\", \"status\"]"))?;
        for (key, item) in table.iter() {
            match columns(key, item) {
                Ok((view, columns)) => drop(self.settings.columns.insert(view, columns)),
                Err(bad) => self.refuse(source, span_of(table, key), bad),
            }
        }
        Ok(())
    }

    fn keys(&mut self, source: Source<'_>, key: &str, item: &Item) -> Result<(), Bad> {
        let table = item
            .as_table_like()
            .ok_or_else(|| not_a_table(key, "\"machine.stop\" = \"x\""))?;
        self.keys_below("", source, table);
        Ok(())
    }

    /// The names of actions have dots in them: unquoted they are tables in tables, which is as good.
    fn keys_below(&mut self, above: &str, source: Source<'_>, table: &dyn TableLike) {
        for (key, item) in table.iter() {
            let name = format!("{above}{key}");
            let span = span_of(table, key);
            if let Some(below) = item.as_table_like() {
                self.keys_below(&format!("{name}."), source, below);
                continue;
            }
            match keys(&name, item) {
                Ok((id, keys)) => {
                    let at = (source.path.into(), source.line(span));
                    self.keys.insert(id, Given { keys, at });
                }
                Err(bad) => self.refuse(source, span, bad),
            }
        }
    }
}
