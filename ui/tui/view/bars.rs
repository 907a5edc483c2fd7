//! The bar at the bottom, with the keys that matter here.

mod followers;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

pub(crate) use followers::whichkey;

use crate::tui::action::{Action, On, available, spec_of, specs};
use crate::tui::keymap::{Found, Key, sequence, text_of, text_of_events};
use crate::tui::model::Model;
use crate::tui::pane::{COPY_KEYS, PaneAction, Typing};
use crate::tui::theme::Glyphs;

/// A part of the bar: a key and what it does. One of a popup has no action.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    key: String,
    text: String,
    action: Option<Action>,
}

impl Spot {
    fn width(&self) -> usize {
        // A blank between the two, and two behind.
        self.key.width() + 1 + self.text.width() + 2
    }
}

/// Where the user's keys go: what a word at the left says.
struct Mode {
    word: String,
    scope: &'static str,
}

fn mode(model: &Model) -> Mode {
    let glyphs = model.theme.glyphs();
    if !model.popups.is_empty() {
        return Mode {
            word: "OPEN".into(),
            scope: "bar.mode",
        };
    }
    if model.contexts().contains(&On::PANES) {
        let word = match model.workspace.typing() {
            Typing::Guest => "SHELL".into(),
            Typing::Broadcast => "ALL SHELLS".into(),
            Typing::Nobody => "NO SHELL".into(),
            Typing::Prefix => format!("{}{}", model.settings.prefix.text(glyphs), glyphs.ellipsis),
            Typing::Copy => "COPY".into(),
            Typing::Resize => "RESIZE".into(),
            Typing::Line | Typing::Asked => "ASKED".into(),
        };
        return Mode {
            word,
            scope: "bar.mode.pane",
        };
    }
    let marked = match (model.lists.get(model.place.view), &model.place.detail) {
        (Some(list), None) => list.marked.len(),
        _ => 0,
    };
    let word = match model.pending.is_empty() {
        // What is done next is done to them.
        true if marked > 0 => format!("{marked} MARKED"),
        true => "NAV".into(),
        false => format!(
            "{}{}",
            text_of_events(&model.pending, glyphs),
            glyphs.ellipsis
        ),
    };
    Mode {
        word,
        scope: "bar.mode",
    }
}

/// Keys as a bar shows them; what is no key stays as it is.
fn pretty(keys: &str, glyphs: &Glyphs) -> String {
    let key = |word: &str| match sequence(word) {
        Ok(keys) => text_of(&keys, glyphs),
        Err(_) => word.to_string(),
    };
    keys.split(' ').map(key).collect::<Vec<_>>().join(" ")
}

/// The keys that could be in the bar, the most important first, and those that are in it whatever else is not.
fn wanted(model: &Model) -> (Vec<Spot>, Vec<Spot>) {
    let glyphs = model.theme.glyphs();
    let spot = |key: &str, text: &str| Spot {
        key: pretty(key, glyphs),
        text: text.into(),
        action: None,
    };
    if let Some(popup) = model.popups.last() {
        let keys = popup.keys();
        return (
            keys.iter().map(|(key, text)| spot(key, text)).collect(),
            Vec::new(),
        );
    }
    let here = model.contexts();
    let log = model.log.as_ref().filter(|_| here.contains(&On::LOG));
    if log.is_some_and(|open| open.view.has_input()) {
        let keys = [("enter", "go"), ("esc", "leave it")];
        return (
            keys.iter().map(|(key, text)| spot(key, text)).collect(),
            Vec::new(),
        );
    }
    if here.contains(&On::PANES) {
        return in_shells(model, here);
    }
    if let Found::Prefix(next) = model.keymap.find(&model.pending, here)
        && !model.pending.is_empty()
    {
        let follow = |(key, action): &(Key, Option<Action>)| Spot {
            key: key.text(glyphs),
            text: action
                .and_then(spec_of)
                .map_or(glyphs.ellipsis, |spec| spec.title)
                .into(),
            action: None,
        };
        return (next.iter().map(follow).collect(), Vec::new());
    }
    let mut all: Vec<_> = specs().iter().filter(|spec| spec.weight > 0).collect();
    all.retain(|spec| here.iter().any(|place| spec.on.meets(*place)));
    all.sort_by_key(|spec| std::cmp::Reverse(spec.weight));
    let mut spots = Vec::new();
    let mut last = Vec::new();
    for spec in all {
        let Some(key) = model.keymap.text(spec.action, here, glyphs) else {
            continue;
        };
        let spot = Spot {
            key,
            text: spec.short.into(),
            action: Some(spec.action),
        };
        if spec.action == Action::Help {
            last.push(spot);
        } else if available(spec.action, model).is_ok() {
            // What cannot be done is no key that matters.
            spots.push(spot);
        }
    }
    (spots, last)
}

/// The same in the shells, where keys are the guest's but for those behind the prefix.
fn in_shells(model: &Model, here: &[On]) -> (Vec<Spot>, Vec<Spot>) {
    let glyphs = model.theme.glyphs();
    let prefix = model.settings.prefix.text(glyphs);
    let spot = |(key, text): &(&str, &str)| Spot {
        key: (*key).into(),
        text: (*text).into(),
        action: None,
    };
    let behind = |action: PaneAction| {
        let action = Action::Pane(action);
        let key = model.keymap.text(action, here, glyphs)?;
        let key = match model.workspace.typing() {
            Typing::Prefix => key,
            _ => format!("{prefix} {key}"),
        };
        let text = spec_of(action)?.short;
        Some(Spot {
            key,
            text: text.into(),
            action: Some(action),
        })
    };
    let keys: &[(&str, &str)] = match model.workspace.typing() {
        Typing::Guest | Typing::Broadcast | Typing::Prefix => {
            use PaneAction::{CopyMode, Detach, NewTab, SplitBelow, SplitRight, Zoom};
            let often = [Detach, SplitRight, SplitBelow, CopyMode, Zoom, NewTab];
            let spots = often.into_iter().filter_map(behind).collect();
            return (spots, behind(PaneAction::Help).into_iter().collect());
        }
        Typing::Copy => &COPY_KEYS,
        Typing::Nobody => &[
            ("Enter", "begin a shell"),
            ("s", "start"),
            ("x", "close"),
            ("Esc", "back"),
        ],
        Typing::Resize => &[("h j k l", "move the border"), ("Enter", "done")],
        Typing::Line => &[("Enter", "go ahead"), ("Esc", "leave it")],
        Typing::Asked => &[("y", "go ahead"), ("n", "leave it")],
    };
    (keys.iter().map(spot).collect(), Vec::new())
}

/// The parts of the bar, each with its place. None is cut.
fn spots(model: &Model, area: Rect) -> Vec<(Rect, Spot)> {
    let (all, last) = wanted(model);
    let begin = mode(model).word.width() + 3;
    let mut room = usize::from(area.width).saturating_sub(begin);
    // The blanks behind the last may be beyond the edge.
    room += 2;
    let kept: usize = last.iter().map(Spot::width).sum();
    let mut left = room.saturating_sub(kept);
    let mut shown = Vec::new();
    for spot in all {
        if spot.width() <= left {
            left -= spot.width();
            shown.push(spot);
        }
    }
    if kept <= room {
        shown.extend(last);
    }
    let mut x = begin;
    let mut places = Vec::new();
    for spot in shown {
        let width = spot.width() - 2;
        let place = Rect {
            x: area.x + u16::try_from(x).unwrap_or(u16::MAX),
            width: u16::try_from(width).unwrap_or(u16::MAX),
            height: 1,
            ..area
        };
        x += width + 2;
        places.push((place, spot));
    }
    places
}

/// Draws the bar: where keys go, the keys that matter most as far as there is room for them, help last.
pub(crate) fn bottom(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &model.theme;
    buffer.set_style(area, theme.style("bar"));
    let mode = mode(model);
    let word = Span::styled(format!(" {} ", mode.word), theme.style(mode.scope));
    Line::from(word).render(area, buffer);
    for (place, spot) in spots(model, area) {
        let spans = [
            Span::styled(spot.key, theme.style("bar.key")),
            Span::styled(format!(" {}", spot.text), theme.style("bar")),
        ];
        Line::from(spans.to_vec()).render(place, buffer);
    }
}

/// The action whose key is at a column of the bar.
pub(crate) fn action_at(model: &Model, area: Rect, column: u16) -> Option<Action> {
    let spots = spots(model, area);
    let found = spots
        .into_iter()
        .find(|(place, _)| (place.left()..place.right()).contains(&column));
    found.and_then(|(_, spot)| spot.action)
}
