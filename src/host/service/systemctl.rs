//! Speaking with systemd through `systemctl`, and reading what the service has said.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use nix::time::{ClockId, clock_gettime};

use super::{Status, UNIT};
use crate::host::command::{CommandLine, Error};

/// How many lines of the service's log tell why it did not start.
const LINES: &str = "12";

/// Has systemd do something, and waits until it is done.
pub(super) async fn systemctl<const N: usize>(words: [&str; N]) -> Result<String, Error> {
    let line = CommandLine::new(["systemctl"]).words(words);
    line.run(Path::new("/"), None).await
}

/// The last that the service has said, if it can be had.
pub(super) async fn journal_tail() -> Option<String> {
    let line = CommandLine::new(["journalctl", "--quiet", "--no-pager", "--output=cat"])
        .words(["--unit", UNIT, "--lines", LINES]);
    let said = line.run(Path::new("/"), None).await.ok()?;
    Some(said.trim_end().to_owned()).filter(|said| !said.is_empty())
}

/// Fills in what systemd knows of the service.
pub(super) async fn ask(status: &mut Status) -> Result<(), Error> {
    let shown = systemctl([
        "show",
        "--property=UnitFileState,ActiveState,SubState,MainPID,NRestarts,ActiveEnterTimestampMonotonic",
        UNIT,
    ])
    .await?;
    fill(status, &shown, now_and_uptime());
    Ok(())
}

fn fill(status: &mut Status, shown: &str, (now, uptime): (Timestamp, SignedDuration)) {
    let field = |name: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.strip_prefix('='))
            .filter(|value| !value.is_empty())
    };
    let number = |name: &str| field(name).and_then(|value| value.parse::<u32>().ok());
    status.enabled = field("UnitFileState") == Some("enabled");
    status.active = matches!(field("ActiveState"), Some("active" | "reloading"));
    if !status.installed {
        return;
    }
    status.state = field("SubState").map(Into::into);
    status.pid = number("MainPID").filter(|pid| *pid != 0);
    status.restarts = number("NRestarts");
    let entered = field("ActiveEnterTimestampMonotonic").and_then(|value| value.parse().ok());
    status.since = entered
        .filter(|since| status.active && *since > 0)
        .map(|since| uptime - SignedDuration::from_micros(since))
        .and_then(|past| now.checked_sub(past).ok())
        .map(|since| since.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
}

/// Now, and on the clock by which systemd notes when things happened.
fn now_and_uptime() -> (Timestamp, SignedDuration) {
    let uptime = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(SignedDuration::ZERO, |time| {
        SignedDuration::new(time.tv_sec(), i32::try_from(time.tv_nsec()).unwrap_or(0))
    });
    (Timestamp::now(), uptime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_is_read() {
        let mut status = Status {
            systemd: true,
            installed: true,
            ..Status::default()
        };
        let shown = "MainPID=312\nNRestarts=1\nUnitFileState=enabled\nActiveState=active\nSubState=running\n\
            ActiveEnterTimestampMonotonic=5000000\n";
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        fill(&mut status, shown, (now, SignedDuration::from_secs(35)));
        assert!(status.enabled && status.active);
        assert_eq!((status.pid, status.restarts), (Some(312), Some(1)));
        assert_eq!(status.state.as_deref(), Some("running"));
        assert_eq!(status.since.as_deref(), Some("2026-01-01T00:00:30.000Z"));

        let shown = "MainPID=0\nNRestarts=0\nUnitFileState=disabled\nActiveState=inactive\nSubState=dead\n\
            ActiveEnterTimestampMonotonic=0\n";
        fill(&mut status, shown, (now, SignedDuration::from_secs(35)));
        assert!(!status.enabled && !status.active);
        assert_eq!((status.pid, status.since.as_deref()), (None, None));
    }
}
