//! How many colours a terminal has, and the nearest that it has to a given one.

use ratatui::style::Color;

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// None at all: `NO_COLOR` (<https://no-color.org>), or a terminal without.
    None,
    /// The sixteen that the user's terminal gives its own meaning.
    Sixteen,
    /// The palette of xterm's 256.
    Indexed,
    /// 24 bits.
    #[default]
    True,
}

impl Depth {
    /// The colour that this terminal shows for `color`; [`Color::Reset`] where it has none.
    pub(crate) fn fit(self, color: Color) -> Color {
        match self {
            Depth::None => Color::Reset,
            _ => color,
        }
    }
}
