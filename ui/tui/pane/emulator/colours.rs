//! The colours that a guest's 256 names stand for.

use alacritty_terminal::term::color::Colors;
use alacritty_terminal::vte::ansi::{NamedColor, Rgb};
use ratatui::style::Color;

/// What xterm shows for the first sixteen (XTerm-col.ad).
const XTERM: [(u8, u8, u8); 16] = [
    (0x00, 0x00, 0x00),
    (0xcd, 0x00, 0x00),
    (0x00, 0xcd, 0x00),
    (0xcd, 0xcd, 0x00),
    (0x00, 0x00, 0xee),
    (0xcd, 0x00, 0xcd),
    (0x00, 0xcd, 0xcd),
    (0xe5, 0xe5, 0xe5),
    (0x7f, 0x7f, 0x7f),
    (0xff, 0x00, 0x00),
    (0x00, 0xff, 0x00),
    (0xff, 0xff, 0x00),
    (0x5c, 0x5c, 0xff),
    (0xff, 0x00, 0xff),
    (0x00, 0xff, 0xff),
    (0xff, 0xff, 0xff),
];

/// The sixteen as ratatui names them, in the order of ECMA-48's 30–37 and aixterm's 90–97.
pub(super) const SIXTEEN: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// What is known of the colours around a pane, to answer a guest that asks for them (OSC 4, 10, 11 and 12).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Colours {
    pub(super) foreground: Option<Rgb>,
    pub(super) background: Option<Rgb>,
    pub(super) ansi: Option<[Rgb; 16]>,
}

impl Colours {
    pub(super) fn new(
        foreground: Option<Color>,
        background: Option<Color>,
        ansi: Option<[Color; 16]>,
    ) -> Colours {
        let mut sixteen = XTERM.map(|(r, g, b)| Rgb { r, g, b });
        for (known, color) in sixteen.iter_mut().zip(ansi.into_iter().flatten()) {
            *known = rgb(color).unwrap_or(*known);
        }
        Colours {
            foreground: foreground.and_then(rgb),
            background: background.and_then(rgb),
            ansi: ansi.map(|_| sixteen),
        }
    }

    /// The colour of an index of the guest's: what it set itself, else what the pane shows. `None` if that is up to a
    /// terminal that was not asked.
    pub(super) fn answer(&self, index: usize, set: &Colors) -> Option<Rgb> {
        const FOREGROUND: usize = NamedColor::Foreground as usize;
        const BACKGROUND: usize = NamedColor::Background as usize;
        const CURSOR: usize = NamedColor::Cursor as usize;
        if let Some(own) = (index <= CURSOR).then(|| set[index]).flatten() {
            return Some(own);
        }
        match index {
            0..16 => Some(self.ansi.map_or(sixteen(index), |ansi| ansi[index])),
            16..256 => Some(fixed(index)),
            FOREGROUND | CURSOR => self.foreground,
            BACKGROUND => self.background,
            _ => None,
        }
    }
}

fn sixteen(index: usize) -> Rgb {
    let (r, g, b) = XTERM[index];
    Rgb { r, g, b }
}

/// xterm's colours 16 to 255: a cube of 6×6×6 and a ramp of 24 greys (256colres.pl).
fn fixed(index: usize) -> Rgb {
    let byte = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    if index >= 232 {
        let grey = byte(8 + (index - 232) * 10);
        return Rgb {
            r: grey,
            g: grey,
            b: grey,
        };
    }
    let level = |step: usize| if step == 0 { 0 } else { byte(55 + step * 40) };
    let cube = index - 16;
    Rgb {
        r: level(cube / 36),
        g: level(cube / 6 % 6),
        b: level(cube % 6),
    }
}

fn rgb(color: Color) -> Option<Rgb> {
    match color {
        Color::Rgb(r, g, b) => Some(Rgb { r, g, b }),
        Color::Indexed(index @ 16..) => Some(fixed(usize::from(index))),
        Color::Indexed(index) => Some(sixteen(usize::from(index))),
        Color::Reset => None,
        named => {
            let index = SIXTEEN.iter().position(|color| *color == named)?;
            Some(sixteen(index))
        }
    }
}
