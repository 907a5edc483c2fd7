//! Small texts: times, sizes, names that may hold anything.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::cli::output::since_then;
use crate::tui::model::Clock;

/// Text without what a terminal would act on: control characters, those of bidirectional text and other invisible
/// ones become U+FFFD.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        let harmless = text.chars().map(|letter| {
            if is_harmful(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        });
        Cow::Owned(harmless.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a letter is one that nobody but us may give a terminal: controls (Unicode's Cc), formats that turn the order of
/// letters round (UAX #9, "Directional Formatting Characters") or end lines, and the mark of byte order.
pub(crate) fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Text in at most so many columns; where it is longer it ends in `ellipsis`.
pub(crate) fn fitted(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.into();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut out = String::new();
    let mut used = 0;
    for letter in text.graphemes(true) {
        let wide = letter.width();
        if used + wide > room {
            break;
        }
        used += wide;
        out += letter;
    }
    if ellipsis.width() <= width {
        out += ellipsis;
    }
    out
}

/// How long ago a time was, in its largest unit: `42s`, `7m`, `3h`, `12d`.
pub(crate) fn age(since: &str, now: Timestamp) -> String {
    match since.parse::<Timestamp>() {
        Ok(then) => since_then(then, now),
        Err(_) => "-".into(),
    }
}

/// How long something took: `840ms`, `3.2s`, `2m10s`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A point in time where the user is: the time of day, and of another day the date, too.
pub(crate) fn when(at: &str, clock: &Clock) -> String {
    let Ok(then) = at.parse::<Timestamp>() else {
        return "-".into();
    };
    let then = then.to_zoned_datetime(clock.zone.clone());
    let now = clock.now.to_zoned_datetime(clock.zone.clone());
    match then.date() == now.date() {
        true => then.strftime("%H:%M:%S").to_string(),
        false => then.strftime("%Y-%m-%d %H:%M").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert_eq!(harmless("web-1"), "web-1");
        assert_eq!(
            harmless("a\u{1b}[2Jb\u{9b}c\u{202e}d\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}"
        );
        // UAX #9, section 2: each embedding, override, isolate and mark, and what ends them.
        for letter in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}".chars() {
            assert!(is_harmful(letter), "{letter:?}");
        }
    }

    #[test]
    fn text_is_cut_between_letters() {
        assert_eq!(fitted("machine", 7, "…"), "machine");
        assert_eq!(fitted("machines", 7, "…"), "machin…");
        assert_eq!(fitted("日本語", 5, "…"), "日本…");
        assert_eq!(fitted("日本語", 4, "…"), "日…");
        assert_eq!(fitted("abc", 0, "…"), "");
    }

    #[test]
    fn times_are_told_in_a_few_letters() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(age("2026-03-01T11:59:01Z", now), "59s");
        assert_eq!(age("2026-03-01T11:00:00Z", now), "1h");
        assert_eq!(took(Duration::from_millis(840)), "840ms");
        assert_eq!(took(Duration::from_millis(3210)), "3.2s");
        assert_eq!(took(Duration::from_secs(130)), "2m10s");
        assert_eq!(took(Duration::from_secs(7260)), "2h01m");
    }
}
