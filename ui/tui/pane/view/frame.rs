//! The lines around panes, with their titles.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::layout::{Axis, PaneId, Placed};
use super::super::look::PaneLook;
use super::super::session::{MachineState, State};
use super::super::workspace::{Mode, Pane, Workspace};
use super::words::{fit, plain, width};

/// What the terminal of a pane tells its title line.
#[derive(Default)]
pub(super) struct Told {
    /// What the guest calls its window.
    pub title: String,
    /// How many lines it is scrolled back.
    pub back: usize,
}

/// Draws the top line of a pane: a heavy one if it has the keys.
pub(super) fn draw_title(
    workspace: &Workspace,
    id: PaneId,
    pane: &Pane,
    told: &Told,
    place: Rect,
    buffer: &mut Buffer,
    look: &PaneLook,
) {
    let focused = workspace.layout.focus() == Some(id);
    let style = style(workspace, focused, look);
    let lines = look.lines();
    let line = if focused { lines.heavy } else { lines.light };
    for x in place.left()..place.right() {
        if let Some(cell) = buffer.cell_mut(Position::new(x, place.y)) {
            cell.set_symbol(line).set_style(style);
        }
    }
    let ellipsis = lines.ellipsis;
    let room = place.width.saturating_sub(4);
    let name = fit(&plain(&pane.machine.name), room.saturating_sub(2), ellipsis);
    if name.is_empty() {
        return;
    }
    let mut text = format!(" {name}");
    let mut left = room.saturating_sub(width(&text) + 1);
    let mut signs = signs(workspace, id, pane, told);
    let length = |signs: &[String]| signs.iter().map(|sign| width(sign) + 1).sum::<u16>();
    while !signs.is_empty() && length(&signs) + 2 > left {
        signs.pop();
    }
    if !signs.is_empty() {
        left -= length(&signs) + 2;
    }
    let title = plain(&told.title);
    if !title.is_empty() && title != pane.machine.name && left > 8 {
        text.push_str(": ");
        text.push_str(&fit(&title, left - 2, ellipsis));
    }
    text.push(' ');
    let after = usize::from(place.width.saturating_sub(2));
    buffer.set_stringn(place.x + 2, place.y, &text, after, style);
    if !signs.is_empty() {
        let text = format!(" {} ", signs.join(" "));
        let x = place.right().saturating_sub(width(&text) + 1);
        buffer.set_string(x, place.y, &text, style);
    }
}

/// What is said at the right, what matters most first.
fn signs(workspace: &Workspace, id: PaneId, pane: &Pane, told: &Told) -> Vec<String> {
    let mut signs = Vec::new();
    let focused = workspace.layout.focus() == Some(id);
    let tab = workspace.layout.tab();
    if tab.is_some_and(|tab| tab.broadcast) {
        signs.push("[broadcast]".to_owned());
    }
    match &workspace.mode {
        Mode::Copy(copy) if copy.pane == id => signs.push("[copy]".into()),
        Mode::Resize if focused => signs.push("[resize]".into()),
        _ => {}
    }
    if let Some(word) = state_word(pane) {
        signs.push(word.to_owned());
    }
    if told.back > 0 {
        signs.push(format!("-{} lines", told.back));
    }
    if tab.is_some_and(|tab| tab.zoomed) {
        signs.push("[zoom]".into());
    }
    if pane.bell {
        signs.push("!".into());
    }
    signs
}

/// How a pane is that has no shell.
fn state_word(pane: &Pane) -> Option<&'static str> {
    Some(match pane.state() {
        State::Live => return None,
        State::Connecting => "connecting",
        State::Lost(_) => "lost",
        State::Refused(..) => "refused",
        State::Ended(_) | State::Left => "ended",
        State::Waiting => match pane.machine.state {
            MachineState::Running => "connecting",
            MachineState::Starting => "starting",
            MachineState::Stopping => "stopping",
            MachineState::Stopped => "stopped",
            MachineState::Failed(_) => "failed",
            MachineState::Gone => "deleted",
        },
    })
}

fn style(workspace: &Workspace, focused: bool, look: &PaneLook) -> Style {
    match workspace.layout.tab().is_some_and(|tab| tab.broadcast) {
        true => look.border_broadcast,
        false if focused => look.border_focused,
        false => look.border,
    }
}

/// Draws the lines between panes that lie side by side, and where they meet others.
pub(super) fn draw_borders(
    workspace: &Workspace,
    placed: &Placed,
    buffer: &mut Buffer,
    look: &PaneLook,
) {
    let focus = workspace.layout.focus().and_then(|pane| placed.of(pane));
    let shown = || placed.panes.iter().map(|(_, place)| place);
    for border in &placed.borders {
        if border.axis == Axis::Below {
            continue;
        }
        let line = border.line;
        for at in line.positions() {
            let titled = |place: &Rect| place.y == at.y && !place.is_empty();
            let left = shown().any(|place| titled(place) && place.right() == at.x);
            let right = shown().any(|place| titled(place) && place.left() == at.x + 1);
            let up = at.y > line.top();
            let down = at.y + 1 < line.bottom();
            let beside = focus.is_some_and(|focus| {
                let rows = focus.top()..focus.bottom();
                rows.contains(&at.y) && (focus.right() == at.x || focus.left() == at.x + 1)
            });
            if let Some(cell) = buffer.cell_mut(at) {
                let sign = look.lines().meet(left, right, up, down);
                cell.set_symbol(sign)
                    .set_style(style(workspace, beside, look));
            }
        }
        end_onto(line, buffer, look);
    }
}

/// Joins the lower end of a line to the title line on which it stands, unless a title is there.
fn end_onto(line: Rect, buffer: &mut Buffer, look: &PaneLook) {
    let lines = look.lines();
    if line.is_empty() {
        return;
    }
    if let Some(cell) = buffer.cell_mut(Position::new(line.x, line.bottom())) {
        let [light, heavy] = lines.onto;
        let joined = match cell.symbol() {
            symbol if symbol == lines.light => light,
            symbol if symbol == lines.heavy => heavy,
            _ => return,
        };
        cell.set_symbol(joined);
    }
}
