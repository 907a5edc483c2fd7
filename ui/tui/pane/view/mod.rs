//! Draws the workspace: a function of its state.

mod frame;
mod message;
mod preview;
pub(super) mod tabs;
#[cfg(test)]
mod tests;
mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::emulator::{Shape, paint};
use super::layout::PaneId;
use super::look::PaneLook;
use super::session::State;
use super::workspace::{Mode, Pane, Workspace, content};

/// Where the user's cursor belongs, and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CursorPlace {
    pub at: Position,
    pub shape: Shape,
}

impl Workspace {
    /// Draws everything into an area, which is to be the one of [`Workspace::resize`]. Gives where the cursor belongs.
    pub(crate) fn draw(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        look: &PaneLook,
    ) -> Option<CursorPlace> {
        let area = area.intersection(buffer.area);
        let [line, body] = self.parts(area);
        tabs::draw(self, line, buffer, look);
        let placed = self.layout.placed(body);
        let mut cursor = None;
        for (id, place) in &placed.panes {
            if let Some(pane) = self.panes.get(id).filter(|_| !place.is_empty()) {
                let here = draw_pane(self, *id, pane, *place, buffer, look);
                cursor = here.or(cursor);
            }
        }
        frame::draw_borders(self, &placed, buffer, look);
        cursor
    }
}

fn draw_pane(
    workspace: &Workspace,
    id: PaneId,
    pane: &Pane,
    place: Rect,
    buffer: &mut Buffer,
    look: &PaneLook,
) -> Option<CursorPlace> {
    let focused = workspace.layout.focus() == Some(id);
    let inner = content(place);
    let mut cursor = None;
    let mut told = frame::Told::default();
    let state = pane.state();
    if let Some(session) = &pane.session {
        let mut emulator = session.emulator();
        let terminal = look.terminal(focused);
        emulator.set_colours(&terminal);
        paint(&mut emulator, &terminal, inner, buffer);
        told.title = emulator.title();
        told.back = emulator.scrolled_back();
        cursor = emulator.cursor().map(|cursor| CursorPlace {
            at: Position::new(inner.x + cursor.column, inner.y + cursor.line),
            shape: cursor.shape,
        });
    }
    frame::draw_title(workspace, id, pane, &told, place, buffer, look);
    let asked = focused.then(|| message::asked(workspace, look)).flatten();
    if let Some(asked) = asked {
        return message::draw_asked(&asked, inner, buffer, look);
    }
    let copying = matches!(&workspace.mode, Mode::Copy(copy) if copy.pane == id);
    if state != State::Live && !copying {
        message::draw(&message::of(pane, &state, look), inner, buffer, look);
        return None;
    }
    cursor.filter(|cursor| focused && inner.contains(cursor.at))
}
