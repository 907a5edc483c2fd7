//! Colours as numbers: names, what xterm shows for an index, and how far apart two look.

use ratatui::style::Color;

/// Red, green and blue, as sRGB has them.
pub(crate) type Rgb = [u8; 3];

/// The sixteen in the order of SGR 30 to 37 and 90 to 97.
pub(crate) const ANSI: [Color; 16] = [
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

/// What xterm shows for them by default (xterm's XTerm-col.ad). Users change them: good for what is nearest, no more.
const ANSI_RGB: [Rgb; 16] = [
    [0x00, 0x00, 0x00],
    [0xcd, 0x00, 0x00],
    [0x00, 0xcd, 0x00],
    [0xcd, 0xcd, 0x00],
    [0x00, 0x00, 0xee],
    [0xcd, 0x00, 0xcd],
    [0x00, 0xcd, 0xcd],
    [0xe5, 0xe5, 0xe5],
    [0x7f, 0x7f, 0x7f],
    [0xff, 0x00, 0x00],
    [0x00, 0xff, 0x00],
    [0xff, 0xff, 0x00],
    [0x5c, 0x5c, 0xff],
    [0xff, 0x00, 0xff],
    [0x00, 0xff, 0xff],
    [0xff, 0xff, 0xff],
];

const HUES: [&str; 8] = [
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
];
const BRIGHT: [&str; 8] = [
    "bright-black",
    "bright-red",
    "bright-green",
    "bright-yellow",
    "bright-blue",
    "bright-magenta",
    "bright-cyan",
    "bright-white",
];
/// The colour that the terminal has where nothing is said.
const OWN: &str = "default";

/// The steps of each side of xterm's cube, indexes 16 to 231 (xterm's 256colres.pl).
const STEPS: [u8; 6] = [0x00, 0x5f, 0x87, 0xaf, 0xd7, 0xff];

/// Halfway between black and white as OKLab sees it, about where the best text turns from white to black.
pub(super) const MIDDLE: f32 = 0.6;

/// The names that every theme can use.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    HUES.into_iter().chain(BRIGHT).chain([OWN])
}

pub(super) fn by_name(name: &str) -> Option<Color> {
    if name == OWN {
        return Some(Color::Reset);
    }
    names()
        .zip(ANSI)
        .find(|(known, _)| *known == name)
        .map(|(_, color)| color)
}

/// The terminal's colour of a hue's name; its bright one on a dark ground. None for black, white and all else.
pub(super) fn hue_by_name(name: &str, on_dark: bool) -> Option<Color> {
    let hue = HUES
        .iter()
        .position(|hue| *hue == name)
        .filter(|hue| (1..=6).contains(hue))?;
    Some(ANSI[if on_dark { hue + 8 } else { hue }])
}

/// A colour written `#rrggbb`.
pub(super) fn by_hex(text: &str) -> Option<Color> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    let [_, r, g, b] = number.to_be_bytes();
    Some(Color::Rgb(r, g, b))
}

/// What a colour looks like, as far as one can know; none for the terminal's own.
pub(crate) fn rgb(color: Color) -> Option<Rgb> {
    match color {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(indexed(index)),
        named => ANSI
            .iter()
            .position(|known| *known == named)
            .map(|at| ANSI_RGB[at]),
    }
}

/// What xterm shows for an index.
pub(crate) fn indexed(index: u8) -> Rgb {
    match index {
        0..=15 => ANSI_RGB[usize::from(index)],
        16..=231 => {
            let at = index - 16;
            [at / 36, at / 6 % 6, at % 6].map(|side| STEPS[usize::from(side)])
        }
        232..=255 => [8 + 10 * (index - 232); 3],
    }
}

/// The nearest of xterm's cube and greys, 16 to 255; the first sixteen are the user's, so that none knows them.
pub(super) fn nearest_index(color: Rgb) -> u8 {
    let lab = oklab(color);
    let below = color.map(|part| STEPS.iter().rposition(|step| *step <= part).unwrap_or(0));
    let corners = (0..8).map(|corner: usize| {
        let side = |at: usize| (below[at] + (corner >> at & 1)).min(5);
        // At most 5 each, so that the sum is at most 231.
        (16 + 36 * side(0) + 6 * side(1) + side(2)) as u8
    });
    let mean = color.iter().map(|part| u16::from(*part)).sum::<u16>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let greys = [grey.saturating_sub(1), grey, (grey + 1).min(23)].map(|grey| 232 + grey);
    let candidates = corners.chain(greys);
    let far = |index: &u8| distance(lab, oklab(indexed(*index)));
    let allowed = candidates.filter(|index| !is_chromatic(color) || has_hue(indexed(*index)));
    allowed
        .min_by(|a, b| far(a).total_cmp(&far(b)))
        .unwrap_or(16)
}

/// The nearest of the sixteen: of the same hue where the colour has one, else black, white or a grey between.
pub(super) fn nearest_ansi(color: Rgb) -> Color {
    let lab = oklab(color);
    let nearest = |candidates: &[usize], far: &dyn Fn(Lab) -> f32| {
        let far = |at: &&usize| far(oklab(ANSI_RGB[**at]));
        let nearest = candidates.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
        nearest.map_or(Color::Reset, |at| ANSI[*at])
    };
    match is_chromatic(color) {
        false => nearest(&[0, 7, 8, 15], &|other| (lab.l - other.l).abs()),
        true => {
            let off = |other: Lab| {
                let turn = (lab.hue() - other.hue()).rem_euclid(std::f32::consts::TAU);
                turn.min(std::f32::consts::TAU - turn)
            };
            // The hue decides; which of the two of a hue, its lightness.
            let far = |other: Lab| off(other) + 0.2 * (lab.l - other.l).abs();
            nearest(&[1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14], &far)
        }
    }
}

/// Whether a colour looks coloured. Near white and near black the eye takes tinted greys for greys: paper, ink.
pub(super) fn is_chromatic(color: Rgb) -> bool {
    let lab = oklab(color);
    let least = match lab.l {
        dark if dark < 0.35 => 0.08,
        light if light > 0.8 => 0.063,
        _ => 0.045,
    };
    lab.chroma() >= least
}

fn has_hue([r, g, b]: Rgb) -> bool {
    r != g || g != b
}

#[cfg(test)]
/// The ratio of two colours' luminances, 1 to 21 (WCAG 2.2, "contrast ratio").
pub(super) fn contrast(a: Rgb, b: Rgb) -> f32 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

/// How light a colour looks, 0 to 1.
pub(super) fn lightness(color: Rgb) -> f32 {
    oklab(color).l
}

#[cfg(test)]
fn luminance(color: Rgb) -> f32 {
    let [r, g, b] = color.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// From sRGB's curve to light (IEC 61966-2-1).
fn linear(part: u8) -> f32 {
    match f32::from(part) / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    }
}

/// A colour in OKLab (Björn Ottosson, "A perceptual color space for image processing", 2020).
#[derive(Clone, Copy)]
struct Lab {
    l: f32,
    a: f32,
    b: f32,
}

impl Lab {
    fn chroma(self) -> f32 {
        self.a.hypot(self.b)
    }

    /// In radians.
    fn hue(self) -> f32 {
        self.b.atan2(self.a)
    }
}

fn distance(one: Lab, other: Lab) -> f32 {
    (one.l - other.l).powi(2) + (one.a - other.a).powi(2) + (one.b - other.b).powi(2)
}

fn oklab(color: Rgb) -> Lab {
    let [r, g, b] = color.map(linear);
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    Lab {
        l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    }
}
