//! The colours that a cell is drawn in: terminals' own and indexed ones become red, green and blue.

use std::fmt;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// A colour that every picture can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rgb(pub(super) u8, pub(super) u8, pub(super) u8);

impl Rgb {
    /// This colour with so much of another, 0 to 1.
    pub(super) fn mixed(self, other: Rgb, share: f64) -> Rgb {
        let mix =
            |a: u8, b: u8| (f64::from(a) * (1.0 - share) + f64::from(b) * share).round() as u8;
        Rgb(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// What stands for the terminal's own colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Palette {
    pub(super) foreground: Rgb,
    pub(super) background: Rgb,
    /// In the order of SGR 30 to 37 and 90 to 97.
    pub(super) ansi: [Rgb; 16],
}

/// A light grey on black, and the sixteen as xterm has them (xterm, XTerm-col.ad).
impl Default for Palette {
    fn default() -> Palette {
        let xterm = [
            0x00_0000, 0xcd_0000, 0x00_cd00, 0xcd_cd00, 0x00_00ee, 0xcd_00cd, 0x00_cdcd,
            0xe5_e5e5, //
            0x7f_7f7f, 0xff_0000, 0x00_ff00, 0xff_ff00, 0x5c_5cff, 0xff_00ff, 0x00_ffff, 0xff_ffff,
        ];
        Palette {
            foreground: Rgb(0xd0, 0xd0, 0xd0),
            background: Rgb(0x10, 0x10, 0x10),
            ansi: xterm.map(|color: u32| {
                let [_, red, green, blue] = color.to_be_bytes();
                Rgb(red, green, blue)
            }),
        }
    }
}

/// How one cell is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ink {
    pub(super) foreground: Rgb,
    pub(super) background: Rgb,
    pub(super) underline: Rgb,
    modifiers: Modifier,
}

impl Ink {
    pub(super) fn is(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(modifier)
    }

    /// Whether a line is seen even where there is no text.
    pub(super) fn has_line(&self) -> bool {
        self.modifiers
            .intersects(Modifier::UNDERLINED | Modifier::CROSSED_OUT)
    }
}

impl Palette {
    /// How a cell is drawn.
    pub(super) fn ink(&self, cell: &Cell) -> Ink {
        let (fg, bg) = (
            self.rgb(cell.fg, self.foreground),
            self.rgb(cell.bg, self.background),
        );
        let (mut foreground, background) = match cell.modifier.contains(Modifier::REVERSED) {
            true => (bg, fg),
            false => (fg, bg),
        };
        if cell.modifier.contains(Modifier::DIM) {
            foreground = foreground.mixed(background, 0.4);
        }
        if cell.modifier.contains(Modifier::HIDDEN) {
            foreground = background;
        }
        Ink {
            foreground,
            background,
            underline: self.rgb(cell.underline_color, foreground),
            modifiers: cell.modifier,
        }
    }

    /// A colour, or `own` where it is the terminal's.
    fn rgb(&self, color: Color, own: Rgb) -> Rgb {
        match color {
            Color::Reset => own,
            Color::Rgb(red, green, blue) => Rgb(red, green, blue),
            Color::Indexed(index) => self.indexed(index),
            Color::Black => self.ansi[0],
            Color::Red => self.ansi[1],
            Color::Green => self.ansi[2],
            Color::Yellow => self.ansi[3],
            Color::Blue => self.ansi[4],
            Color::Magenta => self.ansi[5],
            Color::Cyan => self.ansi[6],
            Color::Gray => self.ansi[7],
            Color::DarkGray => self.ansi[8],
            Color::LightRed => self.ansi[9],
            Color::LightGreen => self.ansi[10],
            Color::LightYellow => self.ansi[11],
            Color::LightBlue => self.ansi[12],
            Color::LightMagenta => self.ansi[13],
            Color::LightCyan => self.ansi[14],
            Color::White => self.ansi[15],
        }
    }

    /// One of the 256: the sixteen, a cube of six levels each, and greys (xterm, 256colres.pl).
    fn indexed(&self, index: u8) -> Rgb {
        let level = |number: u8| if number == 0 { 0 } else { 55 + 40 * number };
        match index {
            0..16 => self.ansi[usize::from(index)],
            16..232 => {
                let cube = index - 16;
                Rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            232.. => {
                let grey = 8 + 10 * (index - 232);
                Rgb(grey, grey, grey)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexed_colours_are_xterms() {
        let palette = Palette::default();
        let rgb = |index| {
            palette
                .rgb(Color::Indexed(index), palette.foreground)
                .to_string()
        };
        assert_eq!(rgb(1), "#cd0000");
        assert_eq!(rgb(16), "#000000");
        assert_eq!(rgb(208), "#ff8700");
        assert_eq!(rgb(231), "#ffffff");
        assert_eq!(rgb(232), "#080808");
        assert_eq!(rgb(255), "#eeeeee");
        assert_eq!(
            palette.rgb(Color::LightBlue, palette.foreground),
            palette.ansi[12]
        );
        assert_eq!(
            palette.rgb(Color::Reset, palette.foreground),
            palette.foreground
        );
    }

    #[test]
    fn what_is_hidden_is_not_seen() {
        let palette = Palette::default();
        let mut cell = Cell::new("a");
        cell.modifier = Modifier::HIDDEN;
        let ink = palette.ink(&cell);
        assert_eq!(ink.foreground, ink.background);
        cell.modifier = Modifier::REVERSED | Modifier::HIDDEN;
        let ink = palette.ink(&cell);
        assert_eq!(
            (ink.foreground, ink.background),
            (palette.foreground, palette.foreground)
        );
    }
}
