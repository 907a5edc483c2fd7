//! What can follow keys that are typed already.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use crate::tui::action::{Action, On, spec_of};
use crate::tui::keymap::{Found, text_of, text_of_events};
use crate::tui::model::Model;
use crate::tui::pane::PATIENCE;

/// What can follow the keys that are typed already, in a box above the bar; nothing when none are.
pub(crate) fn whichkey(model: &Model, area: Rect, buffer: &mut Buffer) {
    if !model.popups.is_empty() {
        return;
    }
    let glyphs = model.theme.glyphs();
    let here = model.contexts();
    // Who knows the key behind the prefix is not to be disturbed.
    let has_waited = |since| model.clock.instant >= since + PATIENCE;
    let (typed, keys) = match here.contains(&On::PANES) {
        true if model.workspace.pending_prefix().is_some_and(has_waited) => {
            (model.settings.prefix.text(glyphs), Vec::new())
        }
        false if !model.pending.is_empty() => (
            text_of_events(&model.pending, glyphs),
            model.pending.clone(),
        ),
        _ => return,
    };
    let Found::Prefix(next) = model.keymap.find(&keys, here) else {
        return;
    };
    // All keys of one action in one entry, and actions in the order of the table.
    let mut entries: Vec<(Option<Action>, Vec<String>)> = Vec::new();
    for (key, action) in next {
        let text = text_of(&[key], glyphs);
        match entries
            .iter_mut()
            .find(|(known, _)| action.is_some() && *known == action)
        {
            Some((_, keys)) => keys.push(text),
            None => entries.push((action, vec![text])),
        }
    }
    let told: Vec<(String, &str)> = entries
        .iter()
        .map(|(action, keys)| {
            let spec = action.and_then(spec_of);
            let text = spec.map_or(glyphs.ellipsis, |spec| {
                if spec.short.is_empty() {
                    spec.title
                } else {
                    spec.short
                }
            });
            (keys.join(" "), text)
        })
        .collect();
    draw_followers(model, area, &typed, &told, buffer);
}

fn draw_followers(
    model: &Model,
    area: Rect,
    typed: &str,
    told: &[(String, &str)],
    buffer: &mut Buffer,
) {
    let theme = &model.theme;
    let keys_width = told.iter().map(|(keys, _)| keys.width()).max().unwrap_or(0);
    let text_width = told.iter().map(|(_, text)| text.width()).max().unwrap_or(0);
    // Two blanks between columns.
    let column = keys_width + 1 + text_width + 2;
    let room = usize::from(area.width.saturating_sub(4));
    let columns = (room / column.max(1)).clamp(1, told.len().max(1));
    let lines = told.len().div_ceil(columns);
    let most = usize::from(area.height.saturating_sub(3));
    let lines_shown = lines.min(most);
    if lines_shown == 0 {
        return;
    }
    let height = u16::try_from(lines_shown + 2).unwrap_or(area.height);
    let place = Rect {
        y: area.bottom().saturating_sub(height + 1),
        height,
        ..area
    };
    Clear.render(place, buffer);
    let title = Span::styled(format!(" {typed} "), theme.style("popup.title"));
    Block::bordered()
        .border_set(theme.glyphs().border)
        .border_style(theme.style("border"))
        .style(theme.style("popup"))
        .title(Line::from(title))
        .render(place, buffer);
    // Down the columns, as a dictionary is read.
    for (number, (keys, text)) in told.iter().enumerate() {
        let (row, nth) = (number % lines, number / lines);
        if row >= lines_shown {
            continue;
        }
        let x = 2 + nth * column;
        let line = Rect {
            x: place.x + u16::try_from(x).unwrap_or(0),
            y: place.y + 1 + u16::try_from(row).unwrap_or(0),
            width: u16::try_from(column)
                .unwrap_or(0)
                .min(place.width.saturating_sub(4)),
            height: 1,
        };
        let spans = [
            Span::styled(format!("{keys:keys_width$} "), theme.style("key")),
            Span::raw(*text),
        ];
        Line::from(spans.to_vec()).render(line.intersection(place), buffer);
    }
}
