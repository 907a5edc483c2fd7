//! What panes look like: the styles and signs that a theme gives them.

use ratatui::style::{Color, Modifier, Style};

use crate::tui::theme::Depth;

/// Styles and signs.
#[derive(Clone, Debug)]
pub(crate) struct PaneLook {
    pub depth: Depth,
    /// What guests get for their default colours and their sixteen, where the theme says so.
    pub foreground: Option<Color>,
    pub background: Option<Color>,
    pub ansi: Option<[Color; 16]>,
    /// Selected text, and text that a search has found.
    pub selection: Style,
    pub found: Style,
    pub found_current: Style,
    /// Lines between panes: any, next to the pane with the keys, around panes that all get what is typed.
    pub border: Style,
    pub border_focused: Style,
    pub border_broadcast: Style,
    /// What a pane that has no shell says.
    pub message: Style,
    pub tab: Style,
    pub tab_active: Style,
    /// A tab in which a bell has rung.
    pub tab_alert: Style,
    /// Whether lines and signs are drawn with ASCII alone.
    pub ascii: bool,
    /// A frame of the spinner: what is being waited for is shown with it.
    pub spinner: &'static str,
}

impl Default for PaneLook {
    /// Without colours.
    fn default() -> Self {
        let plain = Style::new();
        let reversed = plain.add_modifier(Modifier::REVERSED);
        let bold = plain.add_modifier(Modifier::BOLD);
        PaneLook {
            depth: Depth::True,
            foreground: None,
            background: None,
            ansi: None,
            selection: reversed,
            found: bold.add_modifier(Modifier::UNDERLINED),
            found_current: reversed.add_modifier(Modifier::BOLD),
            border: plain.add_modifier(Modifier::DIM),
            border_focused: bold,
            border_broadcast: bold.add_modifier(Modifier::REVERSED),
            message: reversed,
            tab: plain,
            tab_active: reversed,
            tab_alert: bold,
            ascii: false,
            spinner: "⠋",
        }
    }
}

/// The signs that lines are drawn with.
pub(super) struct Lines {
    /// Along the top of a pane, without the keys and with them.
    pub light: &'static str,
    pub heavy: &'static str,
    pub ellipsis: &'static str,
    pub dash: &'static str,
    /// Between tabs that do not all fit.
    pub more: [&'static str; 2],
    /// Where lines meet, by what they lead to: left 8, right 4, up 2, down 1.
    meets: [&'static str; 16],
    /// A line from above that ends on a light and on a heavy one.
    pub onto: [&'static str; 2],
}

const DRAWN: Lines = Lines {
    light: "─",
    heavy: "━",
    ellipsis: "…",
    dash: "—",
    more: ["‹", "›"],
    meets: [
        "│", "│", "│", "│", "─", "┌", "└", "├", "─", "┐", "┘", "┤", "─", "┬", "┴", "┼",
    ],
    onto: ["┴", "┷"],
};

const ASCII: Lines = Lines {
    light: "-",
    heavy: "=",
    ellipsis: "...",
    dash: "-",
    more: ["<", ">"],
    meets: [
        "|", "|", "|", "|", "-", "+", "+", "+", "-", "+", "+", "+", "-", "+", "+", "+",
    ],
    onto: ["+", "+"],
};

impl Lines {
    /// The sign where a line meets others.
    pub(super) fn meet(&self, left: bool, right: bool, up: bool, down: bool) -> &'static str {
        let [left, right, up, down] = [left, right, up, down].map(usize::from);
        self.meets[left << 3 | right << 2 | up << 1 | down]
    }
}

impl PaneLook {
    pub(super) fn lines(&self) -> &'static Lines {
        if self.ascii { &ASCII } else { &DRAWN }
    }

    pub(super) fn terminal(&self, focused: bool) -> super::emulator::Look {
        super::emulator::Look {
            depth: self.depth,
            foreground: self.foreground,
            background: self.background,
            ansi: self.ansi,
            selection: self.selection,
            found: self.found,
            found_current: self.found_current,
            focused,
        }
    }
}
