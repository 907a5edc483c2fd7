//! How many colours a terminal has, and the nearest that it has to a given one.

use std::sync::atomic::{AtomicU32, Ordering};

use ratatui::style::Color;

use super::colour::{self, Rgb};

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

/// Terminals with 24 bits that may be entered by SSH, which does not pass `COLORTERM` on.
const TRUE: &[&str] = &[
    "xterm-kitty",
    "xterm-ghostty",
    "alacritty",
    "foot",
    "wezterm",
    "contour",
    "rio",
];
/// Terminals without any colour: DEC's, and what is named after its lack.
const NONE: &[&str] = &[
    "dumb",
    "vt1",
    "vt2",
    "vt3",
    "vt4",
    "vt5",
    "ansi-m",
    "xterm-mono",
];

impl Depth {
    /// What the environment says of the terminal.
    pub(crate) fn detect(environment: &dyn Fn(&str) -> Option<String>) -> Depth {
        let said = |key: &str| environment(key).filter(|value| !value.is_empty());
        let term = said("TERM").unwrap_or_default();
        let is = |kinds: &[&str]| kinds.iter().any(|kind| term.starts_with(kind));
        if said("NO_COLOR").is_some() || is(NONE) {
            return Depth::None;
        }
        let many = term.contains("256color");
        // The console reduces what it is sent to sixteen, worse than we do. GNU screen, which is not tmux, inherits
        // COLORTERM from a terminal whose colours it does not pass on.
        if term == "linux" {
            return Depth::Sixteen;
        }
        let through_screen = term.starts_with("screen") && said("TMUX").is_none();
        let claims =
            said("COLORTERM").is_some_and(|claim| matches!(&*claim, "truecolor" | "24bit"));
        match () {
            () if through_screen && many => Depth::Indexed,
            () if through_screen => Depth::Sixteen,
            () if claims || is(TRUE) || term.ends_with("-direct") => Depth::True,
            () if many => Depth::Indexed,
            () => Depth::Sixteen,
        }
    }

    /// The colour that this terminal shows for `color`; [`Color::Reset`] where it has none. What has a hue keeps it: it
    /// never becomes grey, black or white.
    pub(crate) fn fit(self, color: Color) -> Color {
        match (self, color) {
            (Depth::None, _) => Color::Reset,
            (Depth::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(to_index([r, g, b])),
            (Depth::Sixteen, Color::Rgb(r, g, b)) => to_ansi([r, g, b]),
            (Depth::Sixteen, Color::Indexed(index)) => match colour::ANSI.get(usize::from(index)) {
                Some(color) => *color,
                None => colour::rgb(color).map_or(color, to_ansi),
            },
            _ => color,
        }
    }
}

fn to_index(color: Rgb) -> u8 {
    static SEEN: Seen = Seen::new();
    SEEN.get(color, colour::nearest_index)
}

fn to_ansi(color: Rgb) -> Color {
    static SEEN: Seen = Seen::new();
    let place = |color| {
        let nearest = colour::nearest_ansi(color);
        let place = colour::ANSI.iter().position(|known| *known == nearest);
        // Of sixteen.
        place.map_or(0, |place| place as u8)
    };
    colour::ANSI[usize::from(SEEN.get(color, place)) % 16]
}

/// Answers already found: panes ask for every cell that they draw, and mostly for the same few colours.
struct Seen([AtomicU32; Seen::PLACES]);

impl Seen {
    const PLACES: usize = 1024;

    const fn new() -> Seen {
        Seen([const { AtomicU32::new(0) }; Seen::PLACES])
    }

    /// A place holds the colour above and the answer below; nothing, which is also black answered by 0, is found again.
    fn get(&self, color: Rgb, find: impl Fn(Rgb) -> u8) -> u8 {
        let [r, g, b] = color.map(u32::from);
        let key = r << 16 | g << 8 | b;
        // Fibonacci hashing (Knuth, volume 3, 6.4): the upper bits of a product with 2^32 over the golden ratio.
        let place = &self.0[(key.wrapping_mul(0x9e37_79b9) >> 22) as usize];
        let known = place.load(Ordering::Relaxed);
        if known >> 8 == key && known != 0 {
            return known as u8;
        }
        let answer = find(color);
        place.store(key << 8 | u32::from(answer), Ordering::Relaxed);
        answer
    }
}
