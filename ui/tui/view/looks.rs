//! What the theme makes of shells and boot logs, which know no themes.

use ratatui::style::Color;

use crate::tui::log::LogLook;
use crate::tui::model::Model;
use crate::tui::pane::PaneLook;
use crate::tui::theme::Glyphs;

/// The look of shells.
pub(crate) fn panes(model: &Model) -> PaneLook {
    let theme = &model.theme;
    let guest = theme.guest();
    // Where the theme leaves it to the terminal, so does the guest.
    let own = |color: Color| (color != Color::Reset).then_some(color);
    let is_own = guest.ansi.iter().all(|color| *color == Color::Reset);
    PaneLook {
        depth: theme.depth(),
        foreground: own(guest.foreground),
        background: own(guest.background),
        ansi: (!is_own).then_some(guest.ansi),
        selection: theme.style("pane.selection"),
        found: theme.style("pane.found"),
        found_current: theme.style("log.match.current"),
        border: theme.style("pane.border"),
        border_focused: theme.style("pane.border.focused"),
        border_broadcast: theme.style("pane.border.broadcast"),
        message: theme.style("pane.message"),
        tab: theme.style("tab"),
        tab_active: theme.style("tab.active"),
        tab_alert: theme.style("tab.alert"),
        ascii: is_ascii(theme.glyphs()),
        spinner: model.spinner(),
    }
}

/// The look of boot logs.
pub(crate) fn log(model: &Model) -> LogLook {
    let theme = &model.theme;
    LogLook {
        text: theme.style("text"),
        dim: theme.style("text.dim"),
        time: theme.style("log.time"),
        error: theme.style("log.level.error"),
        found: theme.style("log.match"),
        found_here: theme.style("log.match.current"),
        marked: theme.style("log.mark"),
        cursor: theme.style("table.selected"),
        bar: theme.style("bar"),
        bar_strong: theme.style("bar.mode"),
        input: theme.style("input"),
        depth: theme.depth(),
        ascii: is_ascii(theme.glyphs()),
    }
}

fn is_ascii(glyphs: &Glyphs) -> bool {
    glyphs.ellipsis.is_ascii()
}
