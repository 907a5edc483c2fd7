//! Where the parts of the screen are, and the line of its views.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::tasks;
use crate::tui::model::Model;
use crate::tui::model::place::View;

/// The parts of the screen, from top to bottom. Some have no lines when there is no room or nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) header: Rect,
    pub(crate) tabs: Rect,
    pub(crate) body: Rect,
    pub(crate) tasks: Rect,
    pub(crate) bar: Rect,
}

/// Parts a screen.
pub(crate) fn areas(model: &Model, area: Rect) -> Areas {
    let in_panes = model.place.view == View::Panes;
    // The least that the body keeps.
    let mut left = area.height.saturating_sub(3);
    let mut lines = |wanted: u16| {
        let given = wanted.min(left);
        left -= given;
        given
    };
    let bar = lines(1);
    // A guest's screen is worth more than what is around it.
    let tabs = lines(u16::from(!model.place.first_run && !in_panes));
    let header = lines(u16::from(!in_panes));
    let tasks = lines(tasks::lines(model));
    let mut y = area.y;
    let mut part = |height: u16| {
        let part = Rect { y, height, ..area };
        y += height;
        part
    };
    let header = part(header);
    let tabs = part(tabs);
    let body = part(
        area.height
            .saturating_sub(header.height + tabs.height + tasks + bar),
    );
    Areas {
        header,
        tabs,
        body,
        tasks: part(tasks),
        bar: part(bar),
    }
}

/// The views, each with its number, in a line; the one that is open stands out.
pub(super) fn tabs(model: &Model, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    buffer.set_style(area, model.theme.style("tab"));
    for (place, view) in spots(model, area) {
        Line::from(label(model, view)).render(place, buffer);
    }
}

/// Which view is at a place of the line.
pub(crate) fn view_at(model: &Model, area: Rect, column: u16, line: u16) -> Option<View> {
    let at = ratatui::layout::Position::new(column, line);
    let found = spots(model, area)
        .into_iter()
        .find(|(place, _)| place.contains(at));
    found.map(|(_, view)| view)
}

fn spots(model: &Model, area: Rect) -> Vec<(Rect, View)> {
    let mut x = area.x;
    let mut spots = Vec::new();
    for view in View::ALL {
        let spans = label(model, view);
        let width: usize = spans.iter().map(|span| span.content.width()).sum();
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        // Never a part of a word.
        if x.saturating_add(width) > area.right() {
            break;
        }
        spots.push((
            Rect {
                x,
                width,
                height: 1,
                ..area
            },
            view,
        ));
        x += width;
    }
    spots
}

fn label(model: &Model, view: View) -> Vec<Span<'static>> {
    let is_open = model.place.view == view;
    let alert = view == View::Panes && model.workspace.has_alert();
    let style = model.theme.style(match (is_open, alert) {
        (true, _) => "tab.active",
        (false, true) => "tab.alert",
        (false, false) => "tab",
    });
    let number = View::ALL
        .iter()
        .position(|known| *known == view)
        .unwrap_or(0)
        + 1;
    let count = match view {
        View::Machines => model.world.machines.len(),
        View::Volumes => model.world.volumes.len(),
        View::Images => model.world.images.len(),
        View::Networks => model.world.networks.len(),
        View::History => 0,
        View::Panes => model.workspace.count(),
    };
    let narrow = model.size.0 < 76;
    let text = match count {
        _ if narrow && !is_open => format!(" {number} {} ", short(view)),
        0 => format!(" {number} {} ", view.title()),
        count => format!(" {number} {} {count} ", view.title()),
    };
    let mark = if alert { "! " } else { "" };
    vec![Span::styled(format!("{text}{mark}"), style)]
}

fn short(view: View) -> &'static str {
    match view {
        View::Machines => "Mach",
        View::Volumes => "Vol",
        View::Images => "Img",
        View::Networks => "Net",
        View::History => "Hist",
        View::Panes => "Sh",
    }
}
