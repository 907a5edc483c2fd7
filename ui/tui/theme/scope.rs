//! The list of scopes: everything that has a style of its own.

/// The last resort, and what surfaces take from it that they do not say themselves.
pub(super) const TEXT: &str = "text";
/// What matters less.
pub(super) const DIM: &str = "text.dim";

/// Every scope that the console asks for. A theme may also style their parents (`machine`, `log.level`).
pub(super) const SCOPES: &[&str] = &[
    TEXT,
    DIM,
    "text.strong",
    "title",
    "header",
    "header.value",
    "border",
    "border.focused",
    "table.header",
    "table.row",
    "table.selected",
    "table.marked",
    "table.match",
    "machine.running",
    "machine.paused",
    "machine.stopped",
    "machine.starting",
    "machine.stopping",
    "machine.creating",
    "machine.failed",
    "machine.deleting",
    "volume.available",
    "volume.attached",
    "volume.in-use",
    "gauge",
    "gauge.high",
    "spark.cpu",
    "spark.memory",
    "spark.network",
    "bar",
    "bar.key",
    "bar.mode",
    "bar.mode.pane",
    "tab",
    "tab.active",
    "tab.alert",
    "popup",
    "popup.title",
    "popup.selected",
    "input",
    "input.cursor",
    "input.error",
    "input.hint",
    "button",
    "button.focused",
    "button.danger",
    "toast.info",
    "toast.good",
    "toast.warning",
    "toast.error",
    "log.time",
    "log.level.error",
    "log.level.warning",
    "log.level.info",
    "log.match",
    "log.match.current",
    "log.mark",
    "pane.border",
    "pane.border.focused",
    "pane.border.broadcast",
    "pane.message",
    "pane.selection",
    "pane.found",
    "link",
    "key",
];

/// Scopes that fill an area: whoever draws one clears what was there, so that it needs both colours.
pub(super) const SURFACES: &[&str] = &["header", "bar", "popup"];

/// Scopes that show by their ground what is chosen: where the ground cannot be shown they are reversed.
pub(super) const SELECTIONS: &[&str] = &[
    "table.selected",
    "popup.selected",
    "tab.active",
    "pane.selection",
];

/// Scopes that show by their ground where something can be put: where it cannot be shown they are underlined.
pub(super) const FIELDS: &[&str] = &["input", "button"];

/// A scope, then its parents from the nearest on: `a.b.c`, `a.b`, `a`.
pub(super) fn with_parents(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(scope), |scope| {
        scope.rsplit_once('.').map(|(parent, _)| parent)
    })
}

/// Whether a theme may style this: a scope, or the parent of some.
pub(super) fn is_known(scope: &str) -> bool {
    SCOPES
        .iter()
        .any(|known| with_parents(known).any(|known| known == scope))
}

/// The known scope that is most like this one.
pub(super) fn nearest(scope: &str) -> Option<&'static str> {
    sistemo::value::nearest(scope, SCOPES.iter().flat_map(|known| with_parents(known)))
}
