//! How a boot log looks: the styles that it is drawn with.

use ratatui::style::{Color, Style};

use crate::tui::theme::Depth;

/// Styles, and what the terminal can show.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogLook {
    /// Text that the guest has given no colour.
    pub text: Style,
    /// What is of less importance, or stands for what is missing.
    pub dim: Style,
    /// When a line was written.
    pub time: Style,
    /// The sign of an error.
    pub error: Style,
    /// What is searched for, and that in the line that the cursor is on.
    pub found: Style,
    pub found_here: Style,
    /// Lines that are marked, and their sign.
    pub marked: Style,
    /// The line that the cursor is on, and its sign.
    pub cursor: Style,
    /// The line at the bottom, and what is important in it.
    pub bar: Style,
    pub bar_strong: Style,
    /// What is typed.
    pub input: Style,
    pub depth: Depth,
    /// Whether the terminal shows no more than ASCII.
    pub ascii: bool,
}

impl LogLook {
    /// A guest's style on this terminal.
    pub fn fit(&self, style: Style) -> Style {
        let fit = |color: Option<Color>| {
            let color = color.map(|color| self.depth.fit(color));
            color.filter(|color| *color != Color::Reset)
        };
        Style {
            fg: fit(style.fg),
            bg: fit(style.bg),
            ..style
        }
    }

    pub fn cursor_sign(&self) -> &'static str {
        if self.ascii { ">" } else { "▌" }
    }

    pub fn mark_sign(&self) -> &'static str {
        if self.ascii { "|" } else { "│" }
    }

    pub fn separator(&self) -> &'static str {
        if self.ascii { " | " } else { " · " }
    }

    pub fn ellipsis(&self) -> &'static str {
        if self.ascii { "..." } else { "…" }
    }
}
