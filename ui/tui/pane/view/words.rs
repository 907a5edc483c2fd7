//! Text in cells: how wide it is, cut to what fits, wrapped.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many columns a text takes.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Text without what could act on a terminal, on one line.
pub(super) fn plain(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().filter(|char| !char.is_control()).collect()
}

/// As much of a text as fits, with a sign in place of the rest.
pub(super) fn fit(text: &str, columns: u16, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(width(ellipsis)) else {
        return String::new();
    };
    let mut fitted = first(text, room).to_owned();
    fitted.push_str(ellipsis);
    fitted
}

/// The first part of a text that takes at most so many columns.
fn first(text: &str, columns: u16) -> &str {
    let mut taken = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        taken += width(grapheme);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// Lines of at most so many columns, parted between words where that is possible.
pub(super) fn wrap(text: &str, columns: u16) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split_whitespace() {
        let taken = width(&line);
        if taken > 0 && taken + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if taken > 0 {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > columns {
            let part = first(word, columns);
            lines.push(part.to_owned());
            word = &word[part.len()..];
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_or_wrapped_between_words() {
        assert_eq!(fit("machine", 7, "…"), "machine");
        assert_eq!(fit("machine", 4, "…"), "mac…");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit("machine", 2, "..."), "");
        assert_eq!(
            wrap("web has stopped: it reconnects", 12),
            ["web has", "stopped: it", "reconnects"]
        );
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
        assert_eq!(plain("a\u{1b}[2J\nb"), "a[2J b");
    }
}
