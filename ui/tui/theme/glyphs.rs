//! Signs to draw with: Unicode, the few that the Linux console's font has, or ASCII. All are one column wide.

use ratatui::symbols::border;

/// A set of signs. A state is told from another by its sign alone, also without colours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glyphs {
    pub(crate) border: border::Set<'static>,
    /// For what has the focus: of another shape, where there is one, not only of another colour.
    pub(crate) border_focused: border::Set<'static>,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    pub(crate) left: &'static str,
    pub(crate) right: &'static str,
    /// In place of what was cut off.
    pub(crate) ellipsis: &'static str,
    /// Between things in one line.
    pub(crate) separator: &'static str,
    pub(crate) check: &'static str,
    pub(crate) cross: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) info: &'static str,
    /// Before the selected line.
    pub(crate) selected: &'static str,
    /// Before a marked line.
    pub(crate) marked: &'static str,
    pub(crate) running: &'static str,
    pub(crate) paused: &'static str,
    pub(crate) stopped: &'static str,
    pub(crate) starting: &'static str,
    pub(crate) stopping: &'static str,
    pub(crate) creating: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) deleting: &'static str,
    /// Heights of a sparkline, from nothing to full.
    pub(crate) levels: [&'static str; 9],
    pub(crate) gauge_full: &'static str,
    pub(crate) gauge_empty: &'static str,
    pub(crate) scroll_thumb: &'static str,
    pub(crate) scroll_track: &'static str,
    /// Frames of what turns while work goes on.
    pub(crate) spinner: &'static [&'static str],
}

impl Glyphs {
    /// What this terminal can show, by its kind and the character set of its locale (POSIX.1-2017, 8.2: `LC_ALL` goes
    /// before `LC_CTYPE`, which goes before `LANG`).
    pub(crate) fn detect(environment: &dyn Fn(&str) -> Option<String>) -> &'static Glyphs {
        let filled = |key: &&str| environment(key).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(filled);
        let charset = locale.unwrap_or_default().to_ascii_lowercase();
        match environment("TERM").as_deref() {
            _ if !(charset.contains("utf-8") || charset.contains("utf8")) => &ASCII,
            Some("linux") => &CONSOLE,
            _ => &UNICODE,
        }
    }

    /// Signs of Unicode, whatever the terminal says.
    pub(crate) fn unicode() -> &'static Glyphs {
        &UNICODE
    }

    /// Signs that every terminal has.
    pub(crate) fn ascii() -> &'static Glyphs {
        &ASCII
    }

    /// The sign of a sparkline for a share of the whole, 0 to 1; what is more than nothing is seen.
    pub(crate) fn level(&self, share: f64) -> &'static str {
        let highest = self.levels.len() - 1;
        // A share that is not a number is drawn as nothing.
        let eighths = (share.clamp(0.0, 1.0) * highest as f64).round() as usize;
        let least = usize::from(share > 0.0);
        self.levels[eighths.clamp(least, highest)]
    }
}

pub(super) static UNICODE: Glyphs = Glyphs {
    border: border::ROUNDED,
    border_focused: border::THICK,
    up: "↑",
    down: "↓",
    left: "←",
    right: "→",
    ellipsis: "…",
    separator: "·",
    check: "✓",
    cross: "✗",
    warning: "▲",
    info: "•",
    selected: "▶",
    marked: "◆",
    running: "●",
    paused: "‖",
    stopped: "○",
    starting: "◐",
    stopping: "◑",
    creating: "◌",
    failed: "✗",
    deleting: "⊗",
    levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gauge_full: "█",
    gauge_empty: "░",
    scroll_thumb: "█",
    scroll_track: "│",
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
};

/// What is in code page 437, which the kernel's own fonts have (Linux, drivers/tty/vt/cp437.uni).
pub(super) static CONSOLE: Glyphs = Glyphs {
    border: border::PLAIN,
    border_focused: border::DOUBLE,
    up: "↑",
    down: "↓",
    left: "←",
    right: "→",
    ellipsis: "~",
    separator: "·",
    check: "√",
    cross: "x",
    warning: "▲",
    info: "•",
    selected: "►",
    marked: "♦",
    running: "•",
    paused: "║",
    stopped: "○",
    starting: ">",
    stopping: "<",
    creating: "+",
    failed: "x",
    deleting: "-",
    levels: [" ", "▄", "▄", "▄", "▄", "█", "█", "█", "█"],
    gauge_full: "█",
    gauge_empty: "░",
    scroll_thumb: "█",
    scroll_track: "│",
    spinner: &["|", "/", "-", "\\"],
};

pub(super) static ASCII: Glyphs = Glyphs {
    border: ASCII_BORDER,
    border_focused: border::Set {
        vertical_left: "#",
        vertical_right: "#",
        horizontal_top: "=",
        horizontal_bottom: "=",
        top_left: "#",
        top_right: "#",
        bottom_left: "#",
        bottom_right: "#",
    },
    up: "^",
    down: "v",
    left: "<",
    right: ">",
    ellipsis: "~",
    separator: "|",
    check: "+",
    cross: "x",
    warning: "!",
    info: "i",
    selected: ">",
    marked: "+",
    running: "*",
    paused: "=",
    stopped: "o",
    starting: ">",
    stopping: "<",
    creating: "+",
    failed: "x",
    deleting: "-",
    levels: [" ", ".", ":", "-", "=", "+", "*", "%", "#"],
    gauge_full: "#",
    gauge_empty: ".",
    scroll_thumb: "#",
    scroll_track: "|",
    spinner: &["|", "/", "-", "\\"],
};

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
