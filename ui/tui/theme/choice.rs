//! Which theme is wanted, and whether the terminal is dark or light.

use std::io::IsTerminal;
use std::time::Duration;

use terminal_colorsaurus::{Error, QueryOptions, background_color};

use super::{DEFAULT, Kind, colour};

/// The value that asks for whatever fits the terminal.
const AUTO: &str = "auto";
const LIGHT: &str = "default-light";

/// The setting `theme`: a name, `auto`, or one for dark and one for light terminals: `nord/solarized-light`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    dark: String,
    light: String,
}

impl Choice {
    pub(crate) fn parse(text: &str) -> Choice {
        let (dark, light) = match text.trim() {
            "" | AUTO => (DEFAULT, LIGHT),
            text => text.split_once('/').unwrap_or((text, text)),
        };
        Choice {
            dark: dark.trim().into(),
            light: light.trim().into(),
        }
    }

    /// The name of the theme for a terminal of this kind.
    pub(crate) fn name(&self, terminal: Kind) -> &str {
        match terminal {
            Kind::Dark => &self.dark,
            Kind::Light => &self.light,
        }
    }

    /// Whether it matters what the terminal is like.
    pub(crate) fn follows_terminal(&self) -> bool {
        self.dark != self.light
    }
}

impl Kind {
    /// The kind of a terminal with this background.
    pub(crate) fn of_background(color: [u8; 3]) -> Kind {
        match colour::lightness(color) < colour::MIDDLE {
            true => Kind::Dark,
            false => Kind::Light,
        }
    }
}

/// What a terminal said of its background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Background {
    Known(Kind),
    /// Nothing yet: the answer may still come, among the keys.
    Late,
    /// It does not answer such questions.
    Unknown,
}

/// Asks the terminal for its background (OSC 11, xterm's ctlseqs), and waits this long at most. Only for before the
/// terminal is read by anything else.
pub(crate) fn background(wait: Duration) -> Background {
    if !std::io::stdout().is_terminal() {
        return Background::Unknown;
    }
    let mut options = QueryOptions::default();
    options.timeout = wait;
    match background_color(options) {
        Ok(color) => {
            let (r, g, b) = color.scale_to_8bit();
            Background::Known(Kind::of_background([r, g, b]))
        }
        Err(Error::Timeout(_)) => Background::Late,
        Err(_) => Background::Unknown,
    }
}
