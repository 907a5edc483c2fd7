//! Learning that the record has changed, whoever changed it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::inotify::InotifyEvent;
use tokio::io::unix::AsyncFd;

use super::watch::{self, Watch};
use super::{Error, Machines};
use crate::error::Result;

/// Changes of the store come in bursts; so long after the first they are looked at together.
const BURST: Duration = Duration::from_millis(10);
/// The shortest and the longest pause after which a change is told of once more.
const AGAIN: (Duration, Duration) = (Duration::from_millis(40), Duration::from_secs(20));

impl Machines {
    /// Tells of changes of the record from now on: of machines, volumes, images, networks and history, by this process or
    /// another.
    pub fn changes(&self) -> Result<Changes> {
        Changes::watch(self.0.paths.data_dir())
    }
}

/// Tells when anybody has written to the database: its log file, beside it, changes with every transaction
/// (<https://sqlite.org/wal.html>).
///
/// What was written there may be read once the log's index is written, too, which nothing tells of. A transaction that is
/// to reach the disk first has a sync between the two, which takes as long as the disk takes. So each change is told of
/// several times, at longer and longer intervals.
#[derive(Debug)]
pub struct Changes {
    folder: AsyncFd<Watch>,
    /// Whoever waits may be called away in the middle.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A change was seen that nobody has been told of yet.
    seen: bool,
    /// When the last one is to be told of once more, and how long after the time before that is.
    again: Option<(tokio::time::Instant, Duration)>,
}

impl Changes {
    pub(super) fn watch(data_dir: &Path) -> Result<Changes> {
        let path = data_dir.to_path_buf();
        let folder = watch::folder(data_dir).map_err(|source| Error::File {
            what: "watch",
            path,
            source,
        })?;
        Ok(Changes {
            folder,
            state: Mutex::default(),
        })
    }

    /// Waits for a change, and a little longer for those that come with it. A wait that is given up loses none.
    pub async fn next(&self) -> Result<()> {
        let fail = |source| Error::File {
            what: "watch",
            path: "the data directory".into(),
            source,
        };
        while !self.state().seen {
            let again = self.state().again;
            tokio::select! {
                events = watch::events(&self.folder) => {
                    let events = events.map_err(fail)?;
                    if events.iter().any(watch::is_gone) {
                        return Err(fail(std::io::ErrorKind::NotFound.into()).into());
                    }
                    self.state().seen |= events.iter().any(is_log);
                }
                () = until(again) => {
                    self.state().again = again
                        .map(|(_, pause)| pause * 2)
                        .filter(|pause| *pause <= AGAIN.1)
                        .map(|pause| (tokio::time::Instant::now() + pause, pause));
                    return Ok(());
                }
            }
        }
        tokio::time::sleep(BURST).await;
        *self.state() = State {
            seen: false,
            again: Some((tokio::time::Instant::now() + AGAIN.0, AGAIN.0)),
        };
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it happened to the database's log.
fn is_log(event: &InotifyEvent) -> bool {
    let name = event.name.as_deref().unwrap_or_default();
    name.to_string_lossy().ends_with(".db-wal")
}

async fn until(again: Option<(tokio::time::Instant, Duration)>) {
    match again {
        Some((when, _)) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told_of_also_when_the_wait_for_it_was_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let changes = Changes::watch(dir.path()).unwrap();
        std::fs::write(dir.path().join("sistemo.db-wal"), "x").unwrap();
        let mut wait = Box::pin(changes.next());
        while !changes.state().seen {
            assert!(futures_util::poll!(&mut wait).is_pending());
            tokio::task::yield_now().await;
        }
        drop(wait);
        changes.next().await.unwrap();
        assert!(!changes.state().seen);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_cannot_be_read_yet_is_told_of_again_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let changes = Changes::watch(dir.path()).unwrap();
        std::fs::write(dir.path().join("sistemo.db-wal"), "x").unwrap();
        let begun = tokio::time::Instant::now();
        let mut told = Vec::new();
        while changes.state().again.is_some() || told.is_empty() {
            changes.next().await.unwrap();
            told.push(begun.elapsed());
        }
        assert_eq!(told.len(), 10);
        assert!(told[0] < AGAIN.0 && told[9] > AGAIN.1, "{told:?}");
    }
}
