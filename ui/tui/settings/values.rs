//! Single values of `[console]`: what they are, or what is wrong with them.

use std::ops::RangeInclusive;

use sistemo::value::nearest;
use toml_edit::{Item, Value};

use super::word;
use crate::tui::action;
use crate::tui::keymap::{self, Key};
use crate::tui::list;
use crate::tui::model::place::View;

/// The lists that have columns.
const LISTS: [View; 5] = [
    View::Machines,
    View::Volumes,
    View::Images,
    View::Networks,
    View::History,
];

/// A value that will not do: what is wrong with it, and the way out.
pub(super) struct Bad(pub(super) String, pub(super) String);

/// A value as it is told of: strings in quotes.
pub(super) fn shown(item: &Item) -> String {
    let text = match item {
        Item::Value(value) => value.clone().decorated("", "").to_string(),
        _ => "a table".into(),
    };
    // One line, whatever was written.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn not_a_table(key: &str, example: &str) -> Bad {
    Bad(
        format!("console.{key} is a value, not a table"),
        format!("write [console.{key}], and below it {example}"),
    )
}

pub(super) fn unknown(what: &str, above: &str, word: &str, known: &[&str]) -> Bad {
    let hint = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Bad(format!("{above} has no {what} {word:?}"), hint)
}

pub(super) fn number(key: &str, item: &Item, range: RangeInclusive<u64>) -> Result<u64, Bad> {
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

pub(super) fn prefix(item: &Item) -> Result<Key, Bad> {
    let key: Option<Key> = item.as_str().and_then(|text| text.parse().ok());
    key.filter(|key| !key.is_typed()).ok_or_else(|| {
        Bad(
            format!("console.prefix is {}", shown(item)),
            "it is one key that nobody types into a shell, such as \"ctrl-]\", \"ctrl-b\" or \"f12\"".into(),
        )
    })
}

pub(super) fn columns(key: &str, item: &Item) -> Result<(View, Vec<String>), Bad> {
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

pub(super) fn keys(name: &str, item: &Item) -> Result<(&'static str, Vec<Vec<Key>>), Bad> {
    let ids = || action::specs().iter().map(|spec| spec.id);
    let Some(id) = ids().find(|id| *id == name) else {
        // Also without its first part: `stop` is `machine.stop`, and not `top`.
        let part = |id: &'static str| id.rsplit_once('.').map_or(id, |(_, part)| part);
        let near = nearest(name, ids().chain(ids().map(part)));
        let near = near.and_then(|near| ids().find(|id| *id == near || part(id) == near));
        let hint = match near {
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
