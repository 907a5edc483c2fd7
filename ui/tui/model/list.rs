//! A list as its user has left it: what is selected, marked, filtered and sorted.

use std::collections::{BTreeSet, HashMap};

use tui_input::Input;

use super::place::View;

/// What is shown of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) text: String,
}

impl Filter {
    /// Whether a row with this text, in small letters, is shown: one that holds all words, and none of those behind a
    /// `!`.
    pub(crate) fn shows(&self, text: &str) -> bool {
        self.text.split_whitespace().all(|word| {
            let word = word.to_lowercase();
            match word.strip_prefix('!') {
                Some("") => true,
                Some(unwanted) => !text.contains(unwanted),
                None => text.contains(&word),
            }
        })
    }

    /// The words that are looked for, in small letters.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = self.text.split_whitespace();
        words
            .filter(|word| !word.starts_with('!'))
            .map(str::to_lowercase)
            .collect()
    }
}

/// What the rows of a list without a filter hang on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Of the engine's things, and of what machines take.
    pub(crate) readings: (u64, u64),
    pub(crate) count: usize,
    pub(crate) sort: Option<(String, bool)>,
}

/// One list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// The identifier of what is selected.
    pub(crate) selected: Option<String>,
    /// Where that is among the rows that are shown.
    pub(crate) at: usize,
    /// The first row on the screen.
    pub(crate) top: usize,
    pub(crate) marked: BTreeSet<String>,
    /// Where the last mark was set.
    pub(crate) last_mark: Option<String>,
    pub(crate) filter: Filter,
    /// The filter as it is typed.
    pub(crate) input: Option<Input>,
    /// The column that it is sorted by, by its name, and whether the other way round.
    pub(crate) sort: Option<(String, bool)>,
    /// What is shown, in order: places in the world's list.
    pub(crate) rows: Vec<usize>,
    /// What that was found by; nothing when it has to be found anew.
    pub(crate) basis: Option<Basis>,
    /// What will be selected once it appears.
    pub(crate) awaited: Option<String>,
}

impl List {
    /// Selects the row so many further, as far as there are any.
    pub(crate) fn step(&mut self, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.awaited = None;
    }

    /// Has the selected row be on a screen of so many rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        let last_top = self.rows.len().saturating_sub(height);
        self.top = self.top.min(last_top).min(self.at);
        if height > 0 && self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
    }
}

/// All lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists(HashMap<View, List>);

impl Lists {
    pub(crate) fn get(&self, view: View) -> Option<&List> {
        self.0.get(&view)
    }

    pub(crate) fn of(&mut self, view: View) -> &mut List {
        self.0.entry(view).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_wants_all_words_and_none_behind_a_bang() {
        let shows = |filter: &str, text| {
            Filter {
                text: filter.into(),
            }
            .shows(text)
        };
        assert!(shows("", "web running"));
        assert!(shows("WEB run", "web running"));
        assert!(!shows("web stop", "web running"));
        assert!(!shows("!run", "web running"));
        assert!(shows("web !stop !", "web running"));
    }

    #[test]
    fn the_selected_row_is_on_the_screen() {
        let mut list = List {
            rows: (0..100).collect(),
            ..List::default()
        };
        list.step(50);
        list.scroll(10);
        assert_eq!((list.at, list.top), (50, 41));
        list.step(-5);
        list.scroll(10);
        assert_eq!((list.at, list.top), (45, 41));
        list.step(1000);
        list.scroll(10);
        assert_eq!((list.at, list.top), (99, 90));
        list.rows.truncate(3);
        list.step(0);
        list.scroll(10);
        assert_eq!((list.at, list.top), (2, 0));
    }
}
