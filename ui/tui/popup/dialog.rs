//! What boxes over the screen are made of: a frame, buttons, and text that is broken between words.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::tui::model::Model;
use crate::tui::view::text::{fitted, harmless};

/// The most lines that a box may take: the last one of the screen says which keys there are.
pub(crate) fn most_lines(area: Rect) -> u16 {
    area.height.saturating_sub(1)
}

/// A box of that size in the middle, as far as there is room above the bottom bar.
pub(crate) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(most_lines(area)));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// What is inside of a frame: a blank at both sides where there is room for it.
pub(crate) fn inside(frame: Rect) -> Rect {
    let blank = u16::from(frame.width > 30);
    Rect {
        x: frame.x + 1 + blank,
        y: frame.y + 1,
        width: frame.width.saturating_sub(2 + 2 * blank),
        height: frame.height.saturating_sub(2),
    }
}

/// Draws a frame with nothing in it, and gives what is inside.
pub(crate) fn frame(model: &Model, place: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    let (theme, glyphs) = (&model.theme, model.theme.glyphs());
    Clear.render(place, buffer);
    let room = usize::from(place.width.saturating_sub(4));
    let title = fitted(&harmless(title), room, glyphs.ellipsis);
    let title = Span::styled(format!(" {title} "), theme.style("popup.title"));
    Block::bordered()
        .border_set(glyphs.border_focused)
        .border_style(theme.style("border.focused"))
        .style(theme.style("popup"))
        .title(Line::from(title))
        .render(place, buffer);
    inside(place)
}

/// A button: what it says, and whether what it does cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) says: String,
    pub(crate) is_danger: bool,
}

impl Button {
    pub(crate) fn new(says: impl Into<String>) -> Button {
        Button {
            says: says.into(),
            is_danger: false,
        }
    }

    pub(crate) fn danger(says: impl Into<String>) -> Button {
        Button {
            is_danger: true,
            ..Button::new(says)
        }
    }
}

/// Where buttons are: at the right end of a line, one blank between two.
fn spots(line: Rect, buttons: &[Button]) -> Vec<Rect> {
    let width = |button: &Button| u16::try_from(button.says.width() + 4).unwrap_or(u16::MAX);
    let gaps = u16::try_from(buttons.len().saturating_sub(1)).unwrap_or(0);
    let whole = buttons.iter().map(width).fold(gaps, u16::saturating_add);
    let mut x = line.x + line.width.saturating_sub(whole);
    let mut spots = Vec::new();
    for button in buttons {
        let spot = Rect {
            x,
            width: width(button),
            height: 1,
            ..line
        };
        spots.push(spot.intersection(line));
        x = x.saturating_add(spot.width + 1);
    }
    spots
}

/// Draws buttons. The one that Enter presses is in brackets.
pub(crate) fn draw_buttons(
    model: &Model,
    line: Rect,
    buttons: &[Button],
    focus: Option<usize>,
    buffer: &mut Buffer,
) {
    if line.height == 0 {
        return;
    }
    for (number, (button, spot)) in buttons.iter().zip(spots(line, buttons)).enumerate() {
        let is_focused = focus == Some(number);
        let scope = match (is_focused, button.is_danger) {
            (true, true) => "button.danger",
            (true, false) => "button.focused",
            (false, _) => "button",
        };
        let (begin, end) = if is_focused { ("[", "]") } else { (" ", " ") };
        let text = format!("{begin} {} {end}", button.says);
        let span = Span::styled(text, model.theme.style(scope));
        Line::from(span).render(spot, buffer);
    }
}

/// The button at a place.
pub(crate) fn button_at(line: Rect, buttons: &[Button], at: Position) -> Option<usize> {
    spots(line, buttons)
        .iter()
        .position(|spot| spot.contains(at))
}

/// Text in lines of at most so many columns, broken between words; a word that is longer than a line is broken where
/// it must be. What [`kept`] holds together stays so.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split([' ', '\t']).filter(|word| !word.is_empty()) {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= width {
                line.push_str(&" ".repeat(gap));
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.graphemes(true) {
                if !line.is_empty() && line.width() + letter.width() > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push_str(letter);
            }
        }
        lines.push(line);
    }
    lines
        .into_iter()
        .map(|line| line.replace(NO_BREAK, " "))
        .collect()
}

/// A blank at which no line is broken.
const NO_BREAK: char = '\u{a0}';

/// Text that is not to be parted: a number and its unit.
pub(crate) fn kept(text: impl ToString) -> String {
    text.to_string().replace(' ', "\u{a0}")
}

/// The same in at most so many lines; what is left out is told by the ellipsis.
pub(crate) fn wrapped_in(text: &str, width: usize, most: usize, ellipsis: &str) -> Vec<String> {
    let mut lines = wrapped(text, width);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let end = ellipsis.width() + 1;
            while last.width() + end > width {
                match last.rfind(' ') {
                    Some(at) => last.truncate(at),
                    None => break,
                }
            }
            *last = fitted(&format!("{last} {ellipsis}"), width, ellipsis);
        }
    }
    lines
}

/// The things of a list that have room in so many lines of so many columns, each whole, and how many there are beside
/// them.
pub(crate) fn listed(all: &[String], width: usize, most: usize) -> Vec<String> {
    let each: Vec<Vec<String>> = all.iter().map(|thing| wrapped(thing, width)).collect();
    if each.iter().map(Vec::len).sum::<usize>() <= most {
        return each.concat();
    }
    let mut lines = Vec::new();
    for (shown, thing) in each.into_iter().enumerate() {
        // The last line tells of the others.
        if lines.len() + thing.len() + 1 > most {
            lines.push(format!("and {} more", all.len() - shown));
            break;
        }
        lines.extend(thing);
    }
    lines.truncate(most);
    lines
}

/// `web`, `web and db`, `web, db and 3 more`.
pub(crate) fn in_words(names: &[&str], most: usize) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        _ if names.len() > most => {
            let shown = most.saturating_sub(1).max(1);
            format!(
                "{} and {} more",
                names[..shown].join(", "),
                names.len() - shown
            )
        }
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_if_it_can_be() {
        assert_eq!(wrapped("the disk stays", 9), ["the disk", "stays"]);
        assert_eq!(wrapped("a\nb", 9), ["a", "b"]);
        assert_eq!(
            wrapped("sha256:0123456789 is", 8),
            ["sha256:0", "12345678", "9 is"]
        );
        assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(
            wrapped_in("one two three four", 7, 2, "…"),
            ["one two", "three …"]
        );
        assert_eq!(wrapped_in("a path or another", 9, 1, "…"), ["a path …"]);
        assert_eq!(
            wrapped(&format!("web ({} in use)", kept("2 GiB")), 8),
            ["web", "(2 GiB", "in use)"]
        );
    }

    #[test]
    fn many_names_become_a_few_words() {
        assert_eq!(in_words(&["a"], 3), "a");
        assert_eq!(in_words(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(in_words(&["a", "b", "c", "d"], 3), "a, b and 2 more");
        let all = ["a", "b", "c"].map(String::from);
        assert_eq!(listed(&all, 20, 2), ["a", "and 2 more"]);
        assert_eq!(listed(&all, 20, 3), ["a", "b", "c"]);
        let long = ["a b", "c d"].map(String::from);
        assert_eq!(listed(&long, 1, 3), ["a", "b", "and 1 more"]);
        assert_eq!(listed(&long, 1, 2), ["and 2 more"]);
    }

    #[test]
    fn a_button_is_pressed_where_it_is_drawn() {
        let buttons = [Button::new("Cancel"), Button::danger("Delete")];
        let line = Rect::new(0, 5, 30, 1);
        let at = |x| button_at(line, &buttons, Position::new(x, 5));
        assert_eq!(
            (at(8), at(9), at(18), at(19), at(20), at(29)),
            (None, Some(0), Some(0), None, Some(1), Some(1))
        );
        assert_eq!(button_at(line, &buttons, Position::new(20, 4)), None);
    }
}
