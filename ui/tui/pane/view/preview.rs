//! A shell as it is now, drawn somewhere else than in the workspace.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::emulator::paint;
use super::super::look::PaneLook;
use super::super::session::State;
use super::super::workspace::Workspace;
use super::message;

impl Workspace {
    /// Draws the screen of a shell in a machine, as much as there is room for; whether there is one.
    pub(crate) fn preview(
        &self,
        machine: &str,
        look: &PaneLook,
        area: Rect,
        buffer: &mut Buffer,
    ) -> bool {
        let pane = self.pane_in(machine).and_then(|id| self.panes.get(&id));
        let Some((pane, session)) = pane.and_then(|pane| Some((pane, pane.session.as_ref()?)))
        else {
            return false;
        };
        let state = pane.state();
        if state == State::Live {
            let terminal = look.terminal(false);
            paint(&mut session.emulator(), &terminal, area, buffer);
        } else {
            message::draw(&message::of(pane, &state, look), area, buffer, look);
        }
        true
    }
}
