//! The screen, as a function of the model.

pub(crate) mod bars;
mod detail;
mod empty;
mod first_run;
mod header;
mod layout;
pub(crate) mod looks;
pub(crate) mod spark;
pub(crate) mod status;
mod table;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod toasts;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::pane::{CursorPlace, Shape};
use text::fitted;

pub(crate) use detail::{lines as detail_lines, parts as detail_parts, tab_at};
pub(crate) use layout::{areas, view_at};
pub(crate) use table::{Hit, body_rows, hit};

/// The least columns and rows that anything is drawn in.
const LEAST: (u16, u16) = (12, 4);

/// Draws everything. Gives the place and shape of the cursor, if there is one.
pub(crate) fn draw(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<Cursor> {
    buffer.set_style(area, model.theme.style("text"));
    // In so few cells nothing can be read; what is open stays open.
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let says = fitted("too small", area.width.into(), "");
        buffer.set_string(area.x, area.y, says, model.theme.style("text.dim"));
        return None;
    }
    let parts = areas(model, area);
    let mut cursor = None;
    if model.place.first_run {
        first_run::draw(model, parts.body, buffer);
    } else if model.place.view == View::Panes && model.workspace.is_empty() {
        empty::draw(model, View::Panes, parts.body, buffer);
    } else if model.place.view == View::Panes {
        cursor = model
            .workspace
            .draw(parts.body, buffer, &looks::panes(model))
            .map(Cursor::of_guest);
    } else if model.place.detail.is_some() {
        cursor = detail::draw(model, parts.body, buffer).map(Cursor::bar);
    } else {
        cursor = table::draw(model, parts.body, buffer).map(Cursor::bar);
    }
    header::draw(model, parts.header, buffer);
    layout::tabs(model, parts.tabs, buffer);
    tasks::line(model, parts.tasks, buffer);
    bars::bottom(model, parts.bar, buffer);
    bars::whichkey(model, area, buffer);
    toasts::draw(model, parts.body, buffer);
    for popup in &model.popups {
        // What is under it has no cursor any more.
        cursor = popup.draw(model, area, buffer).map(Cursor::bar);
    }
    // On a screen that is too small for what is typed it is nowhere.
    cursor.filter(|cursor| area.contains(cursor.at))
}

/// The terminal's own cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Position,
    pub(crate) shape: crossterm::cursor::SetCursorStyle,
}

impl Cursor {
    /// The cursor of a guest.
    fn of_guest(place: CursorPlace) -> Cursor {
        use crossterm::cursor::SetCursorStyle;
        let shape = match place.shape {
            Shape::Block => SetCursorStyle::SteadyBlock,
            Shape::Underline => SetCursorStyle::SteadyUnderScore,
            Shape::Bar => SetCursorStyle::SteadyBar,
        };
        Cursor {
            at: place.at,
            shape,
        }
    }

    /// The cursor of a field in which one types.
    pub(crate) fn bar(at: Position) -> Cursor {
        Cursor {
            at,
            shape: crossterm::cursor::SetCursorStyle::SteadyBar,
        }
    }
}
