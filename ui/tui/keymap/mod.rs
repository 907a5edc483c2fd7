//! Which keys do what, and where: the table of actions with what the settings say otherwise.

mod key;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

use crate::tui::action::{self, Action, On, Spec};
use crate::tui::pane;
use crate::tui::theme::Glyphs;

pub(crate) use key::{EXAMPLES, Key, sequence, text_of, written};

/// The word that stands in the table for the key that leaves a guest.
const PREFIX: &str = "prefix";

/// Keys that the settings give to actions, by the actions' names; no keys for one that is to have none.
pub(crate) type Overrides = BTreeMap<&'static str, Vec<Vec<Key>>>;

/// Keys in a row that do something in one place.
#[derive(Clone, Debug)]
struct Binding {
    keys: Vec<Key>,
    spec: &'static Spec,
}

/// All keys.
#[derive(Clone, Debug)]
pub(crate) struct Keymap {
    /// By place, in the order of [`On::PLACES`].
    places: Vec<Vec<Binding>>,
}

/// What keys do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Action(Action),
    /// More keys are needed: the next one, and what it does, or none when still more must follow.
    Prefix(Vec<(Key, Option<Action>)>),
    None,
}

/// The same keys for two actions in one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{written} is the key of {one} and of {other} {place}")]
pub(crate) struct Conflict {
    /// As the settings write them.
    pub(crate) written: String,
    pub(crate) one: &'static str,
    pub(crate) other: &'static str,
    /// In words.
    pub(crate) place: &'static str,
}

impl Default for Keymap {
    /// The keys of the table.
    fn default() -> Keymap {
        // A test sees to it that the table is not in its own way.
        Keymap::new(Key::PREFIX, &Overrides::new()).unwrap_or(Keymap { places: Vec::new() })
    }
}

impl Keymap {
    /// The keys, with those that the settings say. `prefix` is the one key that a guest does not get.
    pub(crate) fn new(prefix: Key, overrides: &Overrides) -> Result<Keymap, Conflict> {
        let mut all: Vec<(&'static Spec, Vec<Vec<Key>>)> = Vec::new();
        for spec in action::specs() {
            let keys = match overrides.get(spec.id) {
                Some(keys) => keys.clone(),
                None => spec
                    .keys
                    .iter()
                    .filter_map(|text| in_table(text, prefix))
                    .collect(),
            };
            all.push((spec, keys));
        }
        let places = On::PLACES
            .iter()
            .map(|place| bindings(*place, &all, overrides));
        let places = places.collect::<Result<_, _>>()?;
        Ok(Keymap { places })
    }

    /// What `keys` do. The places are asked in order; the first that knows the keys counts.
    pub(crate) fn find(&self, keys: &[KeyEvent], places: &[On]) -> Found {
        let keys: Vec<Key> = keys.iter().copied().map(Key::from).collect();
        self.find_keys(&keys, places)
    }

    fn find_keys(&self, keys: &[Key], places: &[On]) -> Found {
        let mut next: Vec<(Key, Option<Action>)> = Vec::new();
        for binding in self.in_places(places) {
            let Some(rest) = binding.keys.strip_prefix(keys) else {
                continue;
            };
            match rest {
                [] if next.is_empty() => return Found::Action(binding.spec.action),
                // A narrower place has longer ones that begin with the same.
                [] => {}
                [key, more @ ..] => {
                    if !next.iter().any(|(known, _)| known == key) {
                        next.push((*key, more.is_empty().then_some(binding.spec.action)));
                    }
                }
            }
        }
        match next.is_empty() {
            true => Found::None,
            false => Found::Prefix(next),
        }
    }

    fn in_places<'a>(&'a self, places: &'a [On]) -> impl Iterator<Item = &'a Binding> {
        places.iter().flat_map(|place| {
            let at = On::PLACES.iter().position(|known| known == place);
            at.and_then(|at| self.places.get(at)).into_iter().flatten()
        })
    }

    /// The keys that do `action` in these places, in the order in which the table or the settings have them; those that
    /// do something else there are left out.
    pub(crate) fn keys_of<'a>(
        &'a self,
        action: Action,
        places: &'a [On],
    ) -> impl Iterator<Item = &'a [Key]> {
        let own = self
            .in_places(places)
            .filter(move |binding| binding.spec.action == action);
        let mut told: Vec<&[Key]> = Vec::new();
        own.map(|binding| binding.keys.as_slice())
            .filter(move |keys| self.find_keys(keys, places) == Found::Action(action))
            // The same in a wider place.
            .filter(move |keys| {
                let is_new = !told.contains(keys);
                told.push(keys);
                is_new
            })
    }

    /// The keys of the shells: those behind the prefix.
    pub(crate) fn of_shells(&self, prefix: Key) -> pane::Keys {
        let one = |binding: &Binding| match (binding.keys.as_slice(), binding.spec.action) {
            ([key], Action::Pane(action)) => Some((key.event().into(), action)),
            _ => None,
        };
        pane::Keys {
            prefix: prefix.event().into(),
            bound: self.in_places(&[On::PANES]).filter_map(one).collect(),
        }
    }

    /// The first of them as a bar shows it.
    pub(crate) fn text(&self, action: Action, places: &[On], glyphs: &Glyphs) -> Option<String> {
        let keys = self.keys_of(action, places).next()?;
        Some(text_of(keys, glyphs))
    }

    /// All of them as help shows them: `k`, `↑`.
    pub(crate) fn texts(&self, action: Action, places: &[On], glyphs: &Glyphs) -> Vec<String> {
        let mut texts = Vec::new();
        for keys in self.keys_of(action, places) {
            let text = text_of(keys, glyphs);
            // What is done in several of the places has its keys in each.
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }
}

/// Keys that a terminal reported, as they are shown.
pub(crate) fn text_of_events(keys: &[KeyEvent], glyphs: &Glyphs) -> String {
    let keys: Vec<Key> = keys.iter().copied().map(Key::from).collect();
    text_of(&keys, glyphs)
}

/// Keys of the table. A test sees to it that all can be read.
fn in_table(text: &str, prefix: Key) -> Option<Vec<Key>> {
    match text {
        PREFIX => Some(vec![prefix]),
        _ => sequence(text).ok(),
    }
}

/// How narrow the places of an action are. Keys of the boot log go before those of machines, and what can be done in
/// certain places before what can be done anywhere.
fn narrowness(spec: &Spec) -> u8 {
    match spec.on {
        On::LOG => 2,
        On::ANYWHERE => 0,
        _ => 1,
    }
}

/// What keys do in one place. Of two actions with the same keys, or with keys that the other's begin with, the narrower
/// one counts; two that are as narrow are in each other's way, and so is what the settings want anywhere.
fn bindings(
    place: On,
    all: &[(&'static Spec, Vec<Vec<Key>>)],
    overrides: &Overrides,
) -> Result<Vec<Binding>, Conflict> {
    let mut by_narrowness: Vec<_> = all
        .iter()
        .filter(|(spec, _)| spec.on.meets(place))
        .collect();
    by_narrowness.sort_by_key(|(spec, _)| std::cmp::Reverse(narrowness(spec)));
    let mut found: Vec<Binding> = Vec::new();
    for (spec, sequences) in by_narrowness {
        for keys in sequences.iter().filter(|keys| !keys.is_empty()) {
            let known = found
                .iter()
                .find(|known| known.keys.starts_with(keys) || keys.starts_with(&known.keys));
            let Some(known) = known else {
                found.push(Binding {
                    keys: keys.clone(),
                    spec,
                });
                continue;
            };
            let is_hidden = narrowness(known.spec) > narrowness(spec);
            let is_wanted = narrowness(spec) == 0 && overrides.contains_key(spec.id);
            if known.spec.id != spec.id && (!is_hidden || is_wanted) {
                return Err(Conflict {
                    written: written(if known.keys.len() < keys.len() {
                        &known.keys
                    } else {
                        keys
                    }),
                    one: known.spec.id,
                    other: spec.id,
                    place: place.in_words(),
                });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
