//! What one can do in a boot log, and what the log asks its owner to do.

use std::path::PathBuf;

/// Something to do in a boot log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogAction {
    Follow,
    Search,
    Next,
    Previous,
    Filter,
    NextError,
    PreviousError,
    Wrap,
    Times,
    Mark,
    Copy,
    Save,
    OtherStart,
    Down,
    Up,
    Left,
    Right,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    First,
    Last,
}

/// A row of the table of actions: the action, its identifier, its title, its name in the bottom bar, its keys.
pub(crate) type LogRow = (
    LogAction,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Every action, the most important first.
pub(crate) const LOG_ACTIONS: &[LogRow] = &[
    (
        LogAction::Follow,
        "log.follow",
        "Follow the end, or stop",
        "follow",
        &["f"],
    ),
    (
        LogAction::Search,
        "log.search",
        "Search for a pattern",
        "search",
        &["/"],
    ),
    (
        LogAction::Next,
        "log.next",
        "Next line that was searched for",
        "next",
        &["n"],
    ),
    (
        LogAction::Previous,
        "log.previous",
        "Previous line that was searched for",
        "previous",
        &["N"],
    ),
    (
        LogAction::Filter,
        "log.filter",
        "Keep only the lines that have a pattern",
        "filter",
        &["&"],
    ),
    (
        LogAction::NextError,
        "log.error.next",
        "Next error",
        "error",
        &["e"],
    ),
    (
        LogAction::PreviousError,
        "log.error.previous",
        "Previous error",
        "error before",
        &["E"],
    ),
    (
        LogAction::Wrap,
        "log.wrap",
        "Wrap long lines, or not",
        "wrap",
        &["w"],
    ),
    (
        LogAction::Times,
        "log.times",
        "Show when lines were written, or not",
        "times",
        &["t"],
    ),
    (
        LogAction::Mark,
        "log.mark",
        "Mark lines from here on, or none",
        "mark",
        &["V"],
    ),
    (
        LogAction::Copy,
        "log.copy",
        "Copy the marked lines, or this one",
        "copy",
        &["y"],
    ),
    (
        LogAction::Save,
        "log.save",
        "Save the lines to a file",
        "save",
        &["ctrl-s"],
    ),
    (
        LogAction::OtherStart,
        "log.start",
        "The log of the start before, or back",
        "start before",
        &["p"],
    ),
    (
        LogAction::Down,
        "log.down",
        "Line down",
        "down",
        &["j", "down"],
    ),
    (LogAction::Up, "log.up", "Line up", "up", &["k", "up"]),
    (
        LogAction::Left,
        "log.left",
        "To the left of long lines",
        "left",
        &["left", "<"],
    ),
    (
        LogAction::Right,
        "log.right",
        "To the right of long lines",
        "right",
        &["right", ">"],
    ),
    (
        LogAction::HalfDown,
        "log.half-down",
        "Half a page down",
        "half down",
        &["ctrl-d"],
    ),
    (
        LogAction::HalfUp,
        "log.half-up",
        "Half a page up",
        "half up",
        &["ctrl-u"],
    ),
    (
        LogAction::PageDown,
        "log.page-down",
        "Page down",
        "page down",
        &["ctrl-f", "pagedown"],
    ),
    (
        LogAction::PageUp,
        "log.page-up",
        "Page up",
        "page up",
        &["ctrl-b", "pageup"],
    ),
    (
        LogAction::First,
        "log.first",
        "To the beginning",
        "beginning",
        &["g g", "home"],
    ),
    (
        LogAction::Last,
        "log.last",
        "To the end, and follow it",
        "end",
        &["G", "end"],
    ),
];

/// What a log's owner is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogRequest {
    /// Put this into the clipboard.
    Copy(String),
    /// Ask where to save, and say so with `LogView::save`.
    AskPath { suggested: String },
    /// Ask whether the file there is to be replaced; if so, save with `replace`.
    AskReplace(PathBuf),
    /// Open the log of the last start, or of the one before it, and say so with `LogView::open`.
    Open { previous: bool },
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identifiers_and_keys_are_said_once() {
        let ids: HashSet<_> = LOG_ACTIONS.iter().map(|row| row.1).collect();
        assert_eq!(ids.len(), LOG_ACTIONS.len());
        let keys: Vec<_> = LOG_ACTIONS.iter().flat_map(|row| row.4).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        for key in keys.iter().flat_map(|keys| keys.split(' ')) {
            assert!(crokey::parse(key).is_ok(), "{key}");
        }
    }
}
