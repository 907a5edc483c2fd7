//! The colours that a guest's 256 names stand for.

use alacritty_terminal::term::color::Colors;
use alacritty_terminal::vte::ansi::{NamedColor, Rgb};
use ratatui::style::Color;

use crate::tui::theme;

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
        let mut sixteen: [Rgb; 16] = std::array::from_fn(indexed);
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
            0..16 => Some(self.ansi.map_or(indexed(index), |ansi| ansi[index])),
            16..256 => Some(indexed(index)),
            FOREGROUND | CURSOR => self.foreground,
            BACKGROUND => self.background,
            _ => None,
        }
    }
}

/// xterm's colour of an index.
fn indexed(index: usize) -> Rgb {
    of(theme::indexed(u8::try_from(index).unwrap_or(u8::MAX)))
}

fn rgb(color: Color) -> Option<Rgb> {
    theme::rgb(color).map(of)
}

fn of([r, g, b]: [u8; 3]) -> Rgb {
    Rgb { r, g, b }
}
