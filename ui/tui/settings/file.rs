//! One file's table `[console]`, value by value.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sistemo::config::CONSOLE;
use toml_edit::{Document, Item, TableLike, Value};

use super::{Drawing, Settings, Wrong, nearest, word};
use crate::tui::action;
use crate::tui::keymap::{self, Key};
use crate::tui::list;
use crate::tui::model::place::View;

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
/// The lists that have columns.
const LISTS: [View; 5] = [
    View::Machines,
    View::Volumes,
    View::Images,
    View::Networks,
    View::History,
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

/// A value that will not do: what is wrong with it, and the way out.
struct Bad(String, String);

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

/// A value as it is told of: strings in quotes.
fn shown(item: &Item) -> String {
    let text = match item {
        Item::Value(value) => value.clone().decorated("", "").to_string(),
        _ => "a table".into(),
    };
    // One line, whatever was written.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn not_a_table(key: &str, example: &str) -> Bad {
    Bad(
        format!("console.{key} is a value, not a table"),
        format!("write [console.{key}], and below it {example}"),
    )
}

fn unknown(what: &str, above: &str, word: &str, known: &[&str]) -> Bad {
    let hint = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Bad(format!("{above} has no {what} {word:?}"), hint)
}

fn number(key: &str, item: &Item, range: RangeInclusive<u64>) -> Result<u64, Bad> {
    let number = item
        .as_integer()
        .and_then(|number| u64::try_from(number).ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            Bad(
                format!("console.{key} is {}", shown(item)),
                format!(
                    "it is a whole number from {} to {}",
                    range.start(),
                    range.end()
                ),
            )
        })
}

fn prefix(item: &Item) -> Result<Key, Bad> {
    let key: Option<Key> = item.as_str().and_then(|text| text.parse().ok());
    key.filter(|key| !key.is_typed()).ok_or_else(|| {
        Bad(
            format!("console.prefix is {}", shown(item)),
            "it is one key that nobody types into a shell, such as \"ctrl-]\", \"ctrl-b\" or \"f12\"".into(),
        )
    })
}

fn columns(key: &str, item: &Item) -> Result<(View, Vec<String>), Bad> {
    let Some(view) = LISTS.into_iter().find(|view| word(*view) == key) else {
        return Err(unknown("list", "console.columns", key, &LISTS.map(word)));
    };
    let known: Vec<&str> = list::columns(view).iter().map(|column| column.id).collect();
    let all = || format!("the columns of {key} are {}", known.join(", "));
    let mut columns: Vec<String> = Vec::new();
    for text in texts(item)
        .filter(|texts| !texts.is_empty())
        .ok_or_else(|| {
            Bad(
                format!("console.columns.{key} is {}", shown(item)),
                format!("it is a list of names; {}", all()),
            )
        })?
    {
        if !known.contains(&text) {
            let hint = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => all(),
            };
            return Err(Bad(format!("{key} have no column {text:?}"), hint));
        }
        // Once is enough.
        if !columns.iter().any(|column| column == text) {
            columns.push(text.into());
        }
    }
    Ok((view, columns))
}

fn keys(name: &str, item: &Item) -> Result<(&'static str, Vec<Vec<Key>>), Bad> {
    let ids = || action::specs().iter().map(|spec| spec.id);
    let Some(id) = ids().find(|id| *id == name) else {
        let hint = match nearest(name, ids()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "the palette shows the name of every action: press : in the console".into(),
        };
        return Err(Bad(
            format!("there is no action {name:?} to give keys to"),
            hint,
        ));
    };
    let one = item.as_str().map(|text| vec![text]);
    let given = one.or_else(|| texts(item)).ok_or_else(|| {
        Bad(
            format!("the keys of {id} are {}", shown(item)),
            "they are \"x\", or several: [\"x\", \"ctrl-s\"]; \"\" for none".into(),
        )
    })?;
    let mut keys = Vec::new();
    for text in given {
        let sequence = keymap::sequence(text);
        let sequence = sequence.map_err(|bad| {
            Bad(
                format!("{bad}, so it cannot do {id}"),
                keymap::EXAMPLES.into(),
            )
        })?;
        let is_behind_prefix = id.starts_with("pane.");
        if is_behind_prefix && sequence.len() > 1 {
            let what = format!("{id} is to be done by {} keys in a row", sequence.len());
            return Err(Bad(
                what,
                "in the shells one key behind the prefix does something".into(),
            ));
        }
        if !sequence.is_empty() {
            keys.push(sequence);
        }
    }
    Ok((id, keys))
}

/// The texts of a list of texts.
fn texts(item: &Item) -> Option<Vec<&str>> {
    item.as_array()?.iter().map(Value::as_str).collect()
}
