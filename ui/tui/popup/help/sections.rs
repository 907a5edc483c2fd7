//! What help tells: all actions that have keys here, by where they are done.

use unicode_width::UnicodeWidthStr;

use crate::tui::action::{On, Spec, specs};
use crate::tui::model::Model;
use crate::tui::pane;

/// What is known of one action: all its keys, and what they do.
pub(super) struct Entry {
    pub(super) keys: Vec<String>,
    pub(super) text: String,
    pub(super) id: &'static str,
}

/// Actions that belong together.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
}

pub(super) fn sections(model: &Model) -> Vec<Section> {
    let here = model.contexts();
    let glyphs = model.theme.glyphs();
    let mut told: Vec<&str> = Vec::new();
    let mut sections = Vec::new();
    let mut section = |title: String, is_in: &dyn Fn(&Spec) -> bool| {
        let mut entries = Vec::new();
        for spec in specs().iter().filter(|spec| is_in(spec)) {
            let keys = model.keymap.texts(spec.action, here, glyphs);
            if keys.is_empty() || told.contains(&spec.id) {
                continue;
            }
            told.push(spec.id);
            entries.push(Entry {
                keys,
                text: spec.title.into(),
                id: spec.id,
            });
        }
        if !entries.is_empty() {
            sections.push(Section { title, entries });
        }
    };
    for (number, place) in here.iter().enumerate() {
        let title = match *place {
            On::PANES => format!(
                "In the shells, behind {}",
                model.settings.prefix.text(glyphs)
            ),
            place => capitalised(place.in_words()),
        };
        // What is done in a wider place, too, is told there.
        let wider = &here[number + 1..];
        section(title, &|spec| {
            spec.on != On::ANYWHERE
                && spec.on.meets(*place)
                && !wider.iter().any(|wider| spec.on.meets(*wider))
        });
    }
    if !here.contains(&On::PANES) {
        section("Anywhere".into(), &|spec| spec.on == On::ANYWHERE);
    } else {
        let entry = |(keys, text): &(&str, &str)| Entry {
            keys: vec![(*keys).into()],
            text: (*text).into(),
            id: "",
        };
        sections.push(Section {
            title: "While one scrolls back and copies".into(),
            entries: pane::COPY_KEYS.iter().map(entry).collect(),
        });
    }
    sections
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// As many of the keys as fit, at least one.
pub(super) fn joined(keys: &[String], width: usize) -> String {
    let mut text = String::new();
    for key in keys {
        let more = if text.is_empty() {
            key.clone()
        } else {
            format!("{text}, {key}")
        };
        if !text.is_empty() && more.width() > width {
            break;
        }
        text = more;
    }
    text
}
