//! The line of a machine's tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::model::Model;
use crate::tui::model::place::{Detail, Tab};

/// Places for all tabs; on narrow screens for as many as fit around the one that is open.
fn spots(detail: &Detail, area: Rect) -> Vec<(Rect, Tab)> {
    let width = |tab: &Tab| u16::try_from(tab.title().len() + 2).unwrap_or(u16::MAX);
    let mut first = 0;
    let at = Tab::ALL
        .iter()
        .position(|tab| *tab == detail.tab)
        .unwrap_or(0);
    // The open one is always there.
    while first < at && Tab::ALL[first..=at].iter().map(width).sum::<u16>() > area.width {
        first += 1;
    }
    let mut x = area.x;
    let mut spots = Vec::new();
    for tab in &Tab::ALL[first..] {
        let width = width(tab);
        if x + width > area.right() {
            break;
        }
        spots.push((
            Rect {
                x,
                width,
                height: 1,
                ..area
            },
            *tab,
        ));
        x += width;
    }
    spots
}

pub(super) fn draw(model: &Model, detail: &Detail, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    buffer.set_style(area, model.theme.style("tab"));
    for (place, tab) in spots(detail, area) {
        let scope = if tab == detail.tab {
            "tab.active"
        } else {
            "tab"
        };
        buffer.set_string(
            place.x,
            place.y,
            format!(" {} ", tab.title()),
            model.theme.style(scope),
        );
    }
}

/// Which tab is at a place.
pub(crate) fn tab_at(detail: &Detail, area: Rect, column: u16, line: u16) -> Option<Tab> {
    let at = Position::new(column, line);
    let found = spots(detail, area)
        .into_iter()
        .find(|(place, _)| place.contains(at));
    found.map(|(_, tab)| tab)
}
