//! What one theme file says, read with the line of everything in it.

use ratatui::style::{Color, Modifier};
use toml_edit::{Document, Item, Key, TableLike, Value};

use super::error::{Place, ThemeError, did_you_mean};
use super::gather::Source;
use super::{Kind, colour, scope};

const FIELDS: &[&str] = &["kind", "inherits", "palette", "styles", "terminal"];
const STYLE_FIELDS: &[&str] = &["fg", "bg", "underline", "modifiers"];
const TERMINAL_FIELDS: &[&str] = &["foreground", "background", "ansi"];
const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("crossed-out", Modifier::CROSSED_OUT),
];

/// What themes say, the nearest of a line of ancestors having the last word.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) kind: Kind,
    pub(super) palette: Vec<(String, Color)>,
    pub(super) styles: Vec<(String, Draft)>,
    pub(super) foreground: Option<Paint>,
    pub(super) background: Option<Paint>,
    pub(super) ansi: Option<Vec<Paint>>,
}

/// A style as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) fg: Option<Paint>,
    pub(super) bg: Option<Paint>,
    pub(super) underline: Option<Paint>,
    pub(super) modifiers: Modifier,
}

/// A colour as it is written, and where.
#[derive(Clone, Debug)]
pub(super) struct Paint {
    pub(super) word: Word,
    pub(super) at: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Word {
    Color(Color),
    /// Of the palette, else of the terminal's own.
    Name(String),
}

/// One file.
pub(super) struct One {
    pub(super) source: Source,
    kind: Option<Kind>,
    pub(super) inherits: Option<(String, Place)>,
    sheet: Sheet,
}

impl One {
    pub(super) fn read(source: Source) -> Result<One, ThemeError> {
        let mut one = One {
            kind: None,
            inherits: None,
            sheet: Sheet::default(),
            source,
        };
        let text = one.source.text.clone();
        let document = Document::parse(text.as_str()).map_err(|error| {
            let at = one.place(error.span());
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            ThemeError::new(
                format!("not TOML: {what}"),
                "a line reads: title = \"blue\"",
            )
            .at(&at)
        })?;
        for (key, item) in entries(document.as_table()) {
            let at = one.place(key.span());
            match key.get() {
                "kind" => one.kind = Some(kind(item, &at)?),
                "inherits" => {
                    let parent = item.as_str().map(str::to_owned);
                    let hint = "write it as: inherits = \"nord\"";
                    let parent = parent.ok_or(ThemeError::new("inherits is no name", hint).at(&at));
                    one.inherits = Some((parent?, at));
                }
                "palette" => one.palette(table(item, "palette", &at)?)?,
                "styles" => one.styles("", table(item, "styles", &at)?)?,
                "terminal" => one.terminal(table(item, "terminal", &at)?)?,
                other => return Err(no_such("setting", other, FIELDS, "they").at(&at)),
            }
        }
        Ok(one)
    }

    /// What this file says goes before what its ancestors do.
    pub(super) fn lay_over(self, sheet: &mut Sheet) {
        let own = self.sheet;
        sheet.kind = self.kind.unwrap_or(sheet.kind);
        replace(&mut sheet.palette, own.palette);
        replace(&mut sheet.styles, own.styles);
        sheet.foreground = own.foreground.or(sheet.foreground.take());
        sheet.background = own.background.or(sheet.background.take());
        sheet.ansi = own.ansi.or(sheet.ansi.take());
    }

    fn place(&self, span: Option<std::ops::Range<usize>>) -> Place {
        let text = &self.source.text;
        let line = span.map(|span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|b| *b == b'\n')
                .count()
        });
        Place {
            file: self.source.label.clone(),
            line,
        }
    }

    fn palette(&mut self, table: &dyn TableLike) -> Result<(), ThemeError> {
        for (key, item) in entries(table) {
            let at = self.place(key.span());
            let hint =
                "a colour is \"#rrggbb\", a number from 0 to 255, or a name such as bright-red";
            let color = match paint(item, &at)?.word {
                Word::Color(color) => Some(color),
                Word::Name(name) => colour::by_name(&name),
            };
            let wrong = || ThemeError::new(format!("{:?} is no colour", key.get()), hint).at(&at);
            self.sheet
                .palette
                .push((key.get().into(), color.ok_or_else(wrong)?));
        }
        Ok(())
    }

    /// Styles of scopes; tables within the table, and keys with dots, are for the scopes below.
    fn styles(&mut self, above: &str, table: &dyn TableLike) -> Result<(), ThemeError> {
        for (key, item) in entries(table) {
            let at = self.place(key.span());
            let scope = match above {
                "" => key.get().to_owned(),
                above => format!("{above}.{}", key.get()),
            };
            if let Item::Table(table) = item {
                self.styles(&scope, table)?;
                continue;
            }
            if !scope::is_known(&scope) {
                let hint = match scope::nearest(&scope) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "themes/README.md has the list of scopes".into(),
                };
                return Err(ThemeError::new(format!("there is no scope {scope:?}"), hint).at(&at));
            }
            let draft = match item {
                Item::Value(Value::InlineTable(table)) => self.draft(table, &at)?,
                plain => Draft {
                    fg: Some(paint(plain, &at)?),
                    ..Draft::default()
                },
            };
            self.sheet.styles.push((scope, draft));
        }
        Ok(())
    }

    fn draft(&self, table: &dyn TableLike, at: &Place) -> Result<Draft, ThemeError> {
        let mut draft = Draft::default();
        for (key, item) in entries(table) {
            match key.get() {
                "fg" => draft.fg = Some(paint(item, at)?),
                "bg" => draft.bg = Some(paint(item, at)?),
                "underline" => draft.underline = Some(paint(item, at)?),
                "modifiers" => draft.modifiers = modifiers(item, at)?,
                other => return Err(no_such("part of a style", other, STYLE_FIELDS, "they").at(at)),
            }
        }
        Ok(draft)
    }

    fn terminal(&mut self, table: &dyn TableLike) -> Result<(), ThemeError> {
        for (key, item) in entries(table) {
            let at = self.place(key.span());
            match key.get() {
                "foreground" => self.sheet.foreground = Some(paint(item, &at)?),
                "background" => self.sheet.background = Some(paint(item, &at)?),
                "ansi" => {
                    let items = item.as_array().filter(|items| items.len() == 16);
                    let hint = "black, red, green, yellow, blue, magenta, cyan, white, and the same again, bright";
                    let items = items
                        .ok_or(ThemeError::new("ansi is no list of 16 colours", hint).at(&at))?;
                    let paints = items.iter().map(|value| {
                        let at = self.place(value.span());
                        paint(&Item::Value(value.clone()), &at)
                    });
                    self.sheet.ansi = Some(paints.collect::<Result<_, _>>()?);
                }
                other => {
                    return Err(
                        no_such("colour of terminals", other, TERMINAL_FIELDS, "they").at(&at),
                    );
                }
            }
        }
        Ok(())
    }
}

/// Keys, of which each knows where it stands, and what they are given.
fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table
        .iter()
        .filter_map(|(name, _)| table.get_key_value(name))
}

fn replace<T>(all: &mut Vec<(String, T)>, own: Vec<(String, T)>) {
    all.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    all.extend(own);
}

fn no_such(what: &str, word: &str, those: &[&str], they: &str) -> ThemeError {
    ThemeError::new(
        format!("there is no {what} {word:?}"),
        did_you_mean(word, those.iter().copied(), they),
    )
}

fn table<'a>(item: &'a Item, name: &str, at: &Place) -> Result<&'a dyn TableLike, ThemeError> {
    let wrong = || {
        let hint = format!("write [{name}] on a line of its own, and what belongs to it below");
        ThemeError::new(format!("{name} is no table"), hint).at(at)
    };
    item.as_table_like().ok_or_else(wrong)
}

fn kind(item: &Item, at: &Place) -> Result<Kind, ThemeError> {
    match item.as_str() {
        Some("dark") => Ok(Kind::Dark),
        Some("light") => Ok(Kind::Light),
        _ => Err(ThemeError::new(
            "kind is neither dark nor light",
            "write it as: kind = \"dark\"",
        )
        .at(at)),
    }
}

fn paint(item: &Item, at: &Place) -> Result<Paint, ThemeError> {
    let word = match item.as_value() {
        Some(Value::String(text)) => match text.value().strip_prefix('#') {
            Some(_) => colour::by_hex(text.value()).map(Word::Color),
            None => Some(Word::Name(text.value().clone())),
        },
        Some(Value::Integer(number)) => u8::try_from(*number.value())
            .ok()
            .map(|index| Word::Color(Color::Indexed(index))),
        _ => None,
    };
    let wrong = || {
        let written = item.to_string();
        let hint = "a colour is \"#rrggbb\", a number from 0 to 255, or a name such as bright-red";
        ThemeError::new(format!("{} is no colour", written.trim()), hint).at(at)
    };
    Ok(Paint {
        word: word.ok_or_else(wrong)?,
        at: at.clone(),
    })
}

fn modifiers(item: &Item, at: &Place) -> Result<Modifier, ThemeError> {
    let hint = "write it as: modifiers = [\"bold\"]";
    let items = item.as_array();
    let items = items.ok_or(ThemeError::new("modifiers are no list", hint).at(at))?;
    let mut all = Modifier::empty();
    for item in items {
        let word = item.as_str().unwrap_or_default();
        let known = MODIFIERS.iter().find(|(name, _)| *name == word);
        let names: Vec<_> = MODIFIERS.iter().map(|(name, _)| *name).collect();
        all |= known
            .ok_or_else(|| no_such("modifier", word, &names, "they").at(at))?
            .1;
    }
    Ok(all)
}
