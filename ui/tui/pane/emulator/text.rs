//! Texts of guests, made fit for the user's terminal, title and clipboard.

use crate::tui::view::text::is_harmful;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 256;

/// The longest address of a link, in bytes.
const LONGEST_LINK: usize = 2048;

/// The longest id of a link, in bytes; VTE's, which programs are written for
/// (<https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda>, "Limits").
pub(super) const LONGEST_LINK_ID: usize = 250;

/// What may be opened from a link of a guest's: nothing that runs a program or reads a file here.
const SCHEMES: [&str; 4] = ["http://", "https://", "ftp://", "mailto:"];

/// A window's title: one line, capped.
pub(super) fn title(title: &str) -> String {
    let clean = title
        .chars()
        .filter(|c| !is_harmful(*c) && !is_invisible(*c));
    clean.take(LONGEST_TITLE).collect()
}

/// Text that goes to the clipboard: lines and tabs, but nothing that acts when it is pasted into a terminal.
pub(super) fn copied(text: &str) -> String {
    let keep = |c: &char| matches!(c, '\n' | '\t') || !is_harmful(*c);
    text.chars().filter(keep).collect()
}

/// The address of a link, if it is one that may be opened. RFC 3986 allows no other characters than printable ASCII.
pub(super) fn link(uri: &str) -> Option<String> {
    let lower = uri.get(..8).unwrap_or(uri).to_ascii_lowercase();
    let known = SCHEMES.iter().any(|scheme| lower.starts_with(scheme));
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic());
    (known && plain && uri.len() <= LONGEST_LINK).then(|| uri.to_owned())
}

/// Whether a character takes no room and shows nothing, but changes how those beside it are shown: joiners, selectors of
/// variants, marks of direction (Unicode's Default_Ignorable_Code_Point, without the fillers of Hangul that have a width).
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(title("vim\u{1b}]0;x\u{7}\n\u{9b}2J"), "vim]0;x2J");
        assert_eq!(title("a\u{202e}b"), "ab");
        assert_eq!(title(&"ü".repeat(1000)).chars().count(), LONGEST_TITLE);
    }

    #[test]
    fn copies_keep_lines_and_tabs_only() {
        assert_eq!(copied("a\tb\r\nc\u{1b}[31m\u{85}\u{202e}d"), "a\tb\nc[31md");
        assert_eq!(copied("a\u{61c}b\u{2028}c\u{200f}d"), "abcd");
    }

    #[test]
    fn links_lead_to_the_web_only() {
        assert_eq!(
            link("HTTPS://example.org/a?b=c").as_deref(),
            Some("HTTPS://example.org/a?b=c")
        );
        assert_eq!(
            link("mailto:a@example.org").as_deref(),
            Some("mailto:a@example.org")
        );
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://a b",
            "http://a/\u{1b}[2J",
            "http://ä",
            "ssh://x",
            "",
            "é",
        ] {
            assert_eq!(link(bad), None, "{bad:?}");
        }
        assert_eq!(link(&format!("http://{}", "a".repeat(5000))), None);
    }
}
