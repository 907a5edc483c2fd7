//! A theme on a terminal of sixteen colours: a palette of a dozen greys has four there, and no two may run together.

use ratatui::style::{Color, Style};

use super::colour::{self, Rgb};
use super::depth::Depth;

/// Above this lightness (OKLab) a text on dark is white and not only light grey.
const WHITE: f32 = 0.97;

/// What the other styles are measured by, as the theme means them.
pub(super) struct Sixteen {
    pub(super) text: Style,
    pub(super) dim: Style,
}

impl Sixteen {
    /// Grounds without a hue become one, so that everything is legible on it.
    pub(super) fn fit(&self, style: Style) -> Style {
        Style {
            fg: style
                .fg
                .map(|color| self.ink(color, style.bg.or(self.text.bg))),
            bg: style.bg.map(ground),
            // The sequence for it is taken for blinking by terminals that do not know it.
            underline_color: None,
            ..style
        }
    }

    /// A colour to write with, on what the theme means to be below.
    fn ink(&self, color: Color, below: Option<Color>) -> Color {
        let fitted = Depth::Sixteen.fit(color);
        let below = below.map(ground).and_then(colour::rgb);
        let (Some(own), Some(below)) = (without_hue(color), below) else {
            return fitted;
        };
        // Dim text, and lines, which stand out less yet.
        let off = |color: Rgb| (colour::lightness(color) - colour::lightness(below)).abs();
        let dim = self.dim.fg.and_then(colour::rgb).map(off);
        let is_dim = !colour::is_chromatic(below) && dim.is_some_and(|dim| off(own) <= dim);
        match colour::lightness(below) < colour::MIDDLE {
            _ if is_dim => Color::DarkGray,
            true if colour::lightness(own) > WHITE => Color::White,
            true => Color::Gray,
            false => Color::Black,
        }
    }
}

/// A colour to write on.
fn ground(color: Color) -> Color {
    match without_hue(color) {
        Some(grey) if colour::lightness(grey) < colour::MIDDLE => Color::Black,
        Some(_) => Color::White,
        None => Depth::Sixteen.fit(color),
    }
}

/// What a colour looks like, if it is a shade of grey and none of the terminal's own.
fn without_hue(color: Color) -> Option<Rgb> {
    let is_fixed = match color {
        Color::Rgb(..) => true,
        Color::Indexed(index) => index > 15,
        _ => false,
    };
    colour::rgb(color).filter(|rgb| is_fixed && !colour::is_chromatic(*rgb))
}
