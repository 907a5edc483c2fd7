//! The colours that a guest chooses for its text: ECMA-48 §8.3.117 (SGR), with the colours 90 to 107 and the forms of 38
//! and 48 as in xterm's "Control Sequences". What would hide text or make it blink does nothing.

use ratatui::style::{Color, Modifier, Style};

/// The longest sequence that is believed, in bytes.
const LONGEST: usize = 64;

const EIGHT: [Color; 8] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
];

const BRIGHT: [Color; 8] = [
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// The style that there is after a choice of colours with these parameters.
pub(super) fn choose(style: Style, parameters: &[u8]) -> Style {
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':');
    if parameters.len() > LONGEST || !parameters.iter().all(is_number) {
        return style;
    }
    let mut style = style;
    let mut groups = parameters.split(|byte| *byte == b';');
    while let Some(group) = groups.next() {
        let mut numbers = group.split(|byte| *byte == b':').map(number);
        let code = numbers.next().unwrap_or_default();
        match code {
            38 | 48 | 58 => {
                let parts: Vec<u16> = numbers.collect();
                let color = match parts.is_empty() {
                    // `38;5;N` and `38;2;R;G;B`
                    true => separate(&mut groups),
                    // `38:5:N`, `38:2:R:G:B` and `38:2:SPACE:R:G:B`
                    false => joined(&parts),
                };
                style = match (code, color) {
                    (38, Some(color)) => style.fg(color),
                    (48, Some(color)) => style.bg(color),
                    _ => style,
                };
            }
            // `4:0` is none; the others are kinds of lines.
            4 if numbers.next() == Some(0) => style = style.remove_modifier(Modifier::UNDERLINED),
            _ => style = simple(style, code),
        }
    }
    style
}

fn simple(style: Style, code: u16) -> Style {
    match code {
        0 => Style::new(),
        1 => style.add_modifier(Modifier::BOLD),
        2 => style.add_modifier(Modifier::DIM),
        3 => style.add_modifier(Modifier::ITALIC),
        4 | 21 => style.add_modifier(Modifier::UNDERLINED),
        7 => style.add_modifier(Modifier::REVERSED),
        9 => style.add_modifier(Modifier::CROSSED_OUT),
        22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
        23 => style.remove_modifier(Modifier::ITALIC),
        24 => style.remove_modifier(Modifier::UNDERLINED),
        27 => style.remove_modifier(Modifier::REVERSED),
        29 => style.remove_modifier(Modifier::CROSSED_OUT),
        30..=37 => style.fg(EIGHT[usize::from(code - 30)]),
        39 => Style { fg: None, ..style },
        40..=47 => style.bg(EIGHT[usize::from(code - 40)]),
        49 => Style { bg: None, ..style },
        90..=97 => style.fg(BRIGHT[usize::from(code - 90)]),
        100..=107 => style.bg(BRIGHT[usize::from(code - 100)]),
        _ => style,
    }
}

fn separate<'a>(groups: &mut impl Iterator<Item = &'a [u8]>) -> Option<Color> {
    let mut next = || groups.next().map(number);
    match next()? {
        5 => indexed(next()?),
        2 => rgb([next()?, next()?, next()?]),
        _ => None,
    }
}

fn joined(parts: &[u16]) -> Option<Color> {
    match *parts {
        [5, index, ..] => indexed(index),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => rgb([red, green, blue]),
        _ => None,
    }
}

/// The first sixteen have names, for terminals that have no others.
fn indexed(index: u16) -> Option<Color> {
    let index = u8::try_from(index).ok()?;
    Some(match index {
        0..=7 => EIGHT[usize::from(index)],
        8..=15 => BRIGHT[usize::from(index - 8)],
        _ => Color::Indexed(index),
    })
}

fn rgb(parts: [u16; 3]) -> Option<Color> {
    let [red, green, blue] = parts.map(|part| u8::try_from(part).ok());
    Some(Color::Rgb(red?, green?, blue?))
}

/// A parameter; an empty one is 0.
fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |sum: u16, digit| {
        sum.saturating_mul(10)
            .saturating_add(u16::from(digit.saturating_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(parameters: &str) -> Style {
        choose(Style::new(), parameters.as_bytes())
    }

    #[test]
    fn colours_are_understood_in_all_their_forms() {
        for (parameters, style) in [
            ("31", Style::new().fg(Color::Red)),
            ("1;32", Style::new().fg(Color::Green).bold()),
            ("97;100", Style::new().fg(Color::White).bg(Color::DarkGray)),
            ("38;5;9", Style::new().fg(Color::LightRed)),
            ("38;5;200;1", Style::new().fg(Color::Indexed(200)).bold()),
            ("48;2;1;2;3", Style::new().bg(Color::Rgb(1, 2, 3))),
            ("38:5:1", Style::new().fg(Color::Red)),
            ("38:2:1:2:3", Style::new().fg(Color::Rgb(1, 2, 3))),
            ("38:2::1:2:3", Style::new().fg(Color::Rgb(1, 2, 3))),
            ("58;5;1;3", Style::new().italic()),
            ("31;", Style::new()),
            ("38;2;256;0;0", Style::new()),
            ("38;5", Style::new()),
            ("8;5;99999999", Style::new()),
            ("?31", Style::new()),
        ] {
            assert_eq!(chosen(parameters), style, "{parameters}");
        }
    }

    #[test]
    fn colours_end() {
        let style = chosen("1;3;4;7;31;42");
        assert_eq!(choose(style, b""), Style::new());
        assert_eq!(choose(style, b"39;49").fg, None);
        let plain = choose(style, b"22;23;24;27");
        assert!(!plain.add_modifier.intersects(Modifier::all()), "{plain:?}");
        let plain = choose(style, b"4:0");
        assert!(!plain.add_modifier.contains(Modifier::UNDERLINED));
    }
}
