//! Lines and blocks (Unicode, Box Drawing and Block Elements), drawn so that they meet: fonts leave gaps between rows.

use super::ink::Ink;
use super::svg::{HEIGHT, Svg, WIDTH};

/// How heavy a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    None,
    Light,
    Heavy,
    Double,
}

use Weight::{Double as D, Heavy as H, Light as L, None as N};

/// How many cells of a row may be drawn as one: those that begin with the same line or block from edge to edge.
pub(super) fn reach(symbols: &[&str]) -> usize {
    let stretches = matches!(symbols.first(), Some(&("─" | "━" | "═" | "░" | "▒" | "▓")))
        || symbols
            .first()
            .is_some_and(|first| ("▁"..="█").contains(first));
    match stretches {
        true => symbols
            .iter()
            .take_while(|symbol| *symbol == &symbols[0])
            .count(),
        false => 1,
    }
}

/// Draws a symbol over so many cells if it is one of these; whether it was.
pub(super) fn draw(
    out: &mut Svg,
    symbol: &str,
    at: (usize, usize),
    cells: usize,
    ink: &Ink,
) -> bool {
    let mut chars = symbol.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else {
        return false;
    };
    if let Some((x, y, width, height)) = block(c) {
        let (left, top) = (at.0 as f64 + x, at.1 as f64 + y);
        let (fill, width) = (ink.foreground, width + ((cells - 1) * WIDTH) as f64);
        let opacity = shade(c)
            .map(|share| format!(r#" fill-opacity="{share}""#))
            .unwrap_or_default();
        out.line(format_args!(
            r#"<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{fill}"{opacity}/>"#
        ));
        return true;
    }
    if let Some(path) = corner(c) {
        stroke(out, at, ink, &path, 1.0);
        return true;
    }
    let Some(arms) = arms(c) else { return false };
    let mut light = String::new();
    let mut heavy = String::new();
    for (arm, weight) in arms.into_iter().enumerate() {
        match weight {
            N => {}
            L => light += &straight(arm, 0.0, cells),
            H => heavy += &straight(arm, 0.0, cells),
            D => light += &(straight(arm, -1.5, cells) + &straight(arm, 1.5, cells)),
        }
    }
    for (path, width) in [(light, 1.0), (heavy, 2.0)] {
        if !path.is_empty() {
            stroke(out, at, ink, &path, width);
        }
    }
    true
}

fn stroke(out: &mut Svg, at: (usize, usize), ink: &Ink, path: &str, width: f64) {
    let (x, y, color) = (at.0, at.1, ink.foreground);
    out.line(format_args!(
        r#"<path transform="translate({x} {y})" d="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>"#
    ));
}

const MIDDLE: (f64, f64) = (WIDTH as f64 / 2.0, HEIGHT as f64 / 2.0);

/// A line from the middle of a cell to an edge (up, right of so many cells, down, left), moved sideways.
fn straight(arm: usize, aside: f64, cells: usize) -> String {
    let (x, y) = MIDDLE;
    // Arms overlap in the middle, so that corners are closed.
    match arm {
        0 => format!("M{} {}V0", x + aside, y + 0.5),
        1 => format!("M{} {}H{}", x - 0.5, y + aside, cells * WIDTH),
        2 => format!("M{} {}V{HEIGHT}", x + aside, y - 0.5),
        _ => format!("M{} {}H0", x + 0.5, y + aside),
    }
}

/// Rounded corners.
fn corner(c: char) -> Option<String> {
    let (x, y) = MIDDLE;
    let (to_x, to_y, bend) = match c {
        '╭' => (WIDTH, HEIGHT, (y + 4.0, x + 4.0)),
        '╮' => (0, HEIGHT, (y + 4.0, x - 4.0)),
        '╰' => (WIDTH, 0, (y - 4.0, x + 4.0)),
        '╯' => (0, 0, (y - 4.0, x - 4.0)),
        _ => return None,
    };
    Some(format!(
        "M{x} {to_y}V{}Q{x} {y} {} {y}H{to_x}",
        bend.0, bend.1
    ))
}

/// Lines to the edges: up, right, down, left.
fn arms(c: char) -> Option<[Weight; 4]> {
    Some(match c {
        '─' => [N, L, N, L],
        '│' => [L, N, L, N],
        '┌' => [N, L, L, N],
        '┐' => [N, N, L, L],
        '└' => [L, L, N, N],
        '┘' => [L, N, N, L],
        '├' => [L, L, L, N],
        '┤' => [L, N, L, L],
        '┬' => [N, L, L, L],
        '┴' => [L, L, N, L],
        '┼' => [L, L, L, L],
        '━' => [N, H, N, H],
        '┃' => [H, N, H, N],
        '┏' => [N, H, H, N],
        '┓' => [N, N, H, H],
        '┗' => [H, H, N, N],
        '┛' => [H, N, N, H],
        '┣' => [H, H, H, N],
        '┫' => [H, N, H, H],
        '┳' => [N, H, H, H],
        '┻' => [H, H, N, H],
        '╋' => [H, H, H, H],
        '═' => [N, D, N, D],
        '║' => [D, N, D, N],
        _ => return None,
    })
}

/// A block: where it begins, its width and its height.
fn block(c: char) -> Option<(f64, f64, f64, f64)> {
    let (width, height) = (WIDTH as f64, HEIGHT as f64);
    let code = u32::from(c);
    Some(match c {
        '▀' => (0.0, 0.0, width, height / 2.0),
        // From one eighth at the bottom to the whole.
        '▁'..='█' => {
            let part = height * f64::from(code - 0x2580) / 8.0;
            (0.0, height - part, width, part)
        }
        // From seven eighths at the left to one.
        '▉'..='▏' => (0.0, 0.0, width * f64::from(0x2590 - code) / 8.0, height),
        '▐' => (width / 2.0, 0.0, width / 2.0, height),
        '░' | '▒' | '▓' => (0.0, 0.0, width, height),
        _ => return None,
    })
}

/// How much of a shaded block is seen.
fn shade(c: char) -> Option<f64> {
    match c {
        '░' => Some(0.25),
        '▒' => Some(0.5),
        '▓' => Some(0.75),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_from_the_bottom_and_from_the_left() {
        assert_eq!(block('█'), Some((0.0, 0.0, 9.0, 19.0)));
        assert_eq!(block('▄'), Some((0.0, 9.5, 9.0, 9.5)));
        assert_eq!(block('▌'), Some((0.0, 0.0, 4.5, 19.0)));
        assert_eq!(block('a'), None);
    }

    #[test]
    fn lines_meet_at_the_edges() {
        for c in "─│┌┐└┘├┤┬┴┼━┃┏┓┗┛╋═║".chars() {
            assert!(arms(c).is_some() && corner(c).is_none(), "{c}");
        }
        assert_eq!(
            corner('╭').as_deref(),
            Some("M4.5 19V13.5Q4.5 9.5 8.5 9.5H9")
        );
        assert_eq!(straight(1, 0.0, 1), "M4 9.5H9");
        assert_eq!(straight(1, 0.0, 3), "M4 9.5H27");
        assert_eq!(reach(&["─", "─", "┐"]), 2);
        assert_eq!(reach(&["│", "│"]), 1);
    }
}
