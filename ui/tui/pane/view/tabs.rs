//! The line of tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::look::PaneLook;
use super::super::workspace::Workspace;
use super::words::{fit, plain, width};

/// The widest that a tab's label is, in columns.
const WIDEST: u16 = 24;

/// One tab on the line.
struct Label {
    tab: usize,
    text: String,
    alert: bool,
    at: u16,
}

/// The tab at a column, if there is one.
pub(in super::super) fn at(workspace: &Workspace, line: Rect, column: u16) -> Option<usize> {
    let (labels, _) = labels(workspace, line, "…");
    let hit = labels
        .into_iter()
        .find(|label| (label.at..label.at + width(&label.text)).contains(&column));
    hit.map(|label| label.tab)
}

pub(super) fn draw(workspace: &Workspace, line: Rect, buffer: &mut Buffer, look: &PaneLook) {
    if line.is_empty() {
        return;
    }
    buffer.set_style(line, look.tab);
    let (labels, [before, after]) = labels(workspace, line, look.lines().ellipsis);
    let mut put = |x: u16, text: &str, style: Style| {
        let room = usize::from(line.right().saturating_sub(x));
        buffer.set_stringn(x, line.y, text, room, style);
    };
    if before {
        put(line.x, look.lines().more[0], look.tab);
    }
    if after {
        put(line.right() - 1, look.lines().more[1], look.tab);
    }
    for label in labels {
        let style = match label.tab == workspace.layout.current() {
            true => look.tab_active,
            false if label.alert => look.tab_alert,
            false => look.tab,
        };
        put(label.at, &label.text, style);
    }
}

/// The tabs for which there is room, the current one among them; whether there are more before and after.
fn labels(workspace: &Workspace, line: Rect, ellipsis: &str) -> (Vec<Label>, [bool; 2]) {
    let current = workspace.layout.current();
    let tabs = workspace.layout.tabs();
    let mut all: Vec<Label> = (0..tabs.len())
        .map(|tab| label(workspace, tab, ellipsis))
        .collect();
    // One column on either side is for the signs that there are more.
    let room = line.width.saturating_sub(2);
    let mut first = 0;
    let taken = |labels: &[Label]| labels.iter().map(|label| width(&label.text)).sum::<u16>();
    while first < current && taken(&all[first..=current]) > room {
        first += 1;
    }
    let mut end = first;
    while end < all.len() && (end == first || taken(&all[first..=end]) <= room) {
        end += 1;
    }
    let more = [first > 0, end < all.len()];
    let mut shown: Vec<Label> = all.drain(first..end).collect();
    let mut x = line.x + 1;
    for label in &mut shown {
        label.at = x;
        x += width(&label.text);
    }
    (shown, more)
}

fn label(workspace: &Workspace, tab: usize, ellipsis: &str) -> Label {
    let shown = &workspace.layout.tabs()[tab];
    let machine = workspace.panes.get(&shown.focus());
    let name = match &shown.title {
        Some(title) => plain(title),
        None => machine
            .map(|pane| plain(&pane.machine.name))
            .unwrap_or_default(),
    };
    let mut panes = shown.panes().into_iter();
    let alert = panes.any(|pane| workspace.panes.get(&pane).is_some_and(|pane| pane.bell));
    let count = shown.panes().len();
    let several = match &shown.title {
        _ if count == 1 => String::new(),
        Some(_) => format!(" ({count})"),
        // The name is that of one of them.
        None => format!(" +{}", count - 1),
    };
    let signs = [
        if alert { " !" } else { "" },
        if shown.zoomed { " [zoom]" } else { "" },
        if shown.broadcast { " [broadcast]" } else { "" },
    ];
    let name = fit(&name, WIDEST, ellipsis);
    Label {
        tab,
        text: format!(" {} {name}{several}{} ", tab + 1, signs.concat()),
        alert,
        at: 0,
    }
}
