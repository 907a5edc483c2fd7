//! Fields of forms: what one types, chooses or turns on.

use tui_input::{Input, InputRequest};

/// A field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// What the form calls it.
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: Kind,
    /// One line of help.
    pub(super) hint: &'static str,
    /// Whether its user has changed it.
    pub(super) is_touched: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// `parts` holds what parts the things of a list; nothing for a single thing.
    Text {
        input: Input,
        parts: &'static [char],
    },
    Choice {
        options: Vec<Choice>,
        at: usize,
    },
    Toggle {
        is_on: bool,
    },
}

/// One of several things to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) value: String,
    /// What is shown.
    pub(super) says: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, says: impl Into<String>) -> Choice {
        Choice {
            value: value.into(),
            says: says.into(),
        }
    }
}

fn field(key: &'static str, label: &'static str, hint: &'static str, kind: Kind) -> Field {
    Field {
        key,
        label,
        kind,
        hint,
        is_touched: false,
    }
}

pub(super) fn text(key: &'static str, label: &'static str, hint: &'static str) -> Field {
    list(key, label, hint, &[])
}

/// Several things, with one of `parts` between two.
pub(super) fn list(
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    parts: &'static [char],
) -> Field {
    let input = Input::default();
    field(key, label, hint, Kind::Text { input, parts })
}

pub(super) fn choice(
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    options: Vec<Choice>,
) -> Field {
    field(key, label, hint, Kind::Choice { options, at: 0 })
}

pub(super) fn toggle(key: &'static str, label: &'static str, hint: &'static str) -> Field {
    field(key, label, hint, Kind::Toggle { is_on: false })
}

impl Field {
    /// The same with something in it.
    pub(super) fn with(mut self, value: &str) -> Field {
        match &mut self.kind {
            Kind::Text { input, .. } => *input = Input::new(value.into()),
            Kind::Choice { options, at } => {
                *at = options
                    .iter()
                    .position(|option| option.value == value)
                    .unwrap_or(0);
            }
            Kind::Toggle { is_on } => *is_on = value == "yes",
        }
        self
    }

    /// What is in it, as text.
    pub(super) fn value(&self) -> &str {
        match &self.kind {
            Kind::Text { input, .. } => input.value().trim(),
            Kind::Choice { options, at } => options.get(*at).map_or("", |option| &option.value),
            Kind::Toggle { is_on: true } => "yes",
            Kind::Toggle { is_on: false } => "",
        }
    }

    /// What is being completed: the last thing of a list, when the cursor is at its end.
    pub(super) fn piece(&self) -> Option<&str> {
        let Kind::Text { input, parts } = &self.kind else {
            return None;
        };
        let text = input.value();
        if input.cursor() < text.chars().count() {
            return None;
        }
        let begin = text.rfind(|letter| parts.contains(&letter));
        let letter = |at: usize| text[at..].chars().next().map_or(0, char::len_utf8);
        Some(&text[begin.map_or(0, |at| at + letter(at))..])
    }

    /// Puts `whole` in the place of what is being completed.
    pub(super) fn complete(&mut self, whole: &str) {
        let Some(piece) = self.piece().map(str::len) else {
            return;
        };
        if let Kind::Text { input, .. } = &mut self.kind {
            let before = &input.value()[..input.value().len() - piece];
            *input = Input::new(format!("{before}{whole}"));
            self.is_touched = true;
        }
    }

    /// Takes what was pasted, in one line.
    pub(super) fn paste(&mut self, pasted: &str) {
        if let Kind::Text { input, .. } = &mut self.kind {
            for letter in pasted.trim().chars() {
                let letter = if letter.is_whitespace() { ' ' } else { letter };
                if !letter.is_control() {
                    input.handle(InputRequest::InsertChar(letter));
                }
            }
            self.is_touched = true;
        }
    }

    /// Chooses the option so many further, around the end, or turns it over.
    pub(super) fn turn(&mut self, by: isize) {
        match &mut self.kind {
            Kind::Choice { options, at } if options.len() > 1 => {
                *at = (*at as isize + by).rem_euclid(options.len() as isize) as usize;
                self.is_touched = true;
            }
            Kind::Toggle { is_on } => {
                *is_on = !*is_on;
                self.is_touched = true;
            }
            Kind::Choice { .. } | Kind::Text { .. } => {}
        }
    }

    /// Chooses the next option that begins with this letter.
    pub(super) fn turn_to(&mut self, letter: char) {
        if let Kind::Choice { options, at } = &mut self.kind {
            let count = options.len();
            let begins = |number: &usize| {
                let says = &options[(*at + number) % count].says;
                says.to_lowercase().starts_with(letter.to_ascii_lowercase())
            };
            if let Some(further) = (1..count).find(begins) {
                *at = (*at + further) % count;
                self.is_touched = true;
            }
        }
    }
}

/// What is in the fields of a form, by their keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a>(pub(super) &'a [Field]);

impl Values<'_> {
    /// What is in a field, without blanks around it; nothing where there is no such field.
    pub(super) fn get(&self, key: &str) -> &str {
        let found = self.0.iter().find(|field| field.key == key);
        found.map_or("", Field::value)
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        self.get(key) == "yes"
    }
}
