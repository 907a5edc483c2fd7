//! Signs that every terminal can show.

use super::*;

#[test]
fn signs_are_one_column_wide_and_states_differ() {
    use unicode_width::UnicodeWidthStr;
    for glyphs in [&glyphs::UNICODE, &glyphs::CONSOLE, &glyphs::ASCII] {
        let states = [
            glyphs.running,
            glyphs.paused,
            glyphs.stopped,
            glyphs.starting,
            glyphs.stopping,
            glyphs.creating,
            glyphs.failed,
            glyphs.deleting,
        ];
        let mut signs = states.to_vec();
        signs.sort_unstable();
        signs.dedup();
        assert_eq!(signs.len(), states.len(), "{signs:?}");
        let others = [
            glyphs.up,
            glyphs.down,
            glyphs.left,
            glyphs.right,
            glyphs.ellipsis,
            glyphs.separator,
        ];
        let more = [
            glyphs.check,
            glyphs.cross,
            glyphs.warning,
            glyphs.info,
            glyphs.selected,
            glyphs.marked,
        ];
        let bars = [
            glyphs.gauge_full,
            glyphs.gauge_empty,
            glyphs.scroll_thumb,
            glyphs.scroll_track,
        ];
        let all = signs.iter().chain(&others).chain(&more).chain(&bars);
        for sign in all.chain(&glyphs.levels).chain(glyphs.spinner) {
            assert_eq!(sign.width(), 1, "{sign:?}");
        }
    }
    let ascii = format!("{:?}", glyphs::ASCII);
    assert!(ascii.is_ascii(), "{ascii}");
}

#[test]
fn signs_are_those_that_the_terminal_has() {
    let of = |variables: &[(&str, &str)]| Glyphs::detect(&environment(variables));
    assert_eq!(
        of(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]),
        &glyphs::UNICODE
    );
    assert_eq!(
        of(&[("LANG", "C.utf8"), ("TERM", "linux")]),
        &glyphs::CONSOLE
    );
    assert_eq!(of(&[("TERM", "xterm")]), &glyphs::ASCII);
    assert_eq!(of(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")]), &glyphs::ASCII);
    assert_eq!(
        of(&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8"), ("LC_ALL", "")]),
        &glyphs::UNICODE
    );
}

#[test]
fn a_sparkline_shows_what_is_little_and_bears_what_is_no_number() {
    let drawn: String = [0.0, 0.001, 0.5, 0.99, 1.0, 7.0, -1.0, f64::NAN]
        .iter()
        .map(|share| glyphs::UNICODE.level(*share))
        .collect();
    assert_eq!(drawn, " ▁▄███  ");
}
