//! Signs of states, so that none is told by its colour alone.

use sistemo::store::machines::Status;

use crate::tui::theme::Glyphs;

/// The sign of a machine's status and the scope that it is drawn in.
pub(crate) fn sign(status: Status, glyphs: &Glyphs) -> (&'static str, &'static str) {
    match status {
        Status::Running => (glyphs.running, "machine.running"),
        Status::Paused => (glyphs.paused, "machine.paused"),
        Status::Stopped => (glyphs.stopped, "machine.stopped"),
        Status::Failed => (glyphs.failed, "machine.failed"),
        Status::Creating => (glyphs.creating, "machine.creating"),
        Status::Starting => (glyphs.starting, "machine.starting"),
        Status::Stopping => (glyphs.stopping, "machine.stopping"),
        Status::Deleting => (glyphs.deleting, "machine.deleting"),
    }
}

/// The same of a volume: `available`, `attached` or `in-use`.
pub(crate) fn of_volume(status: &str, glyphs: &Glyphs) -> (&'static str, &'static str) {
    match status {
        "in-use" => (glyphs.running, "volume.in-use"),
        "attached" => (glyphs.starting, "volume.attached"),
        _ => (glyphs.stopped, "volume.available"),
    }
}
