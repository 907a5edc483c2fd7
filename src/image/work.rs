//! Folders that builds work in. Each is locked by its process, so that what a killed one left is told from one at work.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::Error;

const PREFIX: &str = "work-";
const LOCK: &str = ".lock";

/// A build's folder; removed when dropped.
#[derive(Debug)]
pub(super) struct Work {
    folder: tempfile::TempDir,
    _lock: Flock<File>,
}

impl Work {
    /// Makes a folder beside the images, so that what is made in it can be renamed into place.
    pub(super) fn new(images: &Path) -> Result<Work, Error> {
        let fail = |source| Error::File {
            what: "make a folder in",
            path: images.into(),
            source,
        };
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(images)
            .map_err(fail)?;
        let file = File::create(folder.path().join(LOCK)).map_err(fail)?;
        let lock =
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| fail(errno.into()))?;
        Ok(Work {
            folder,
            _lock: lock,
        })
    }

    /// A path in the folder.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Removes folders whose process has ended. What cannot be removed now is tried again next time.
pub(super) fn sweep(images: &Path) {
    let Ok(entries) = std::fs::read_dir(images) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let free = match File::open(entry.path().join(LOCK)) {
            Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(),
            // Killed before it was locked, or about to be: a moment's work either way.
            Err(_) => false,
        };
        if free {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Takes the lock under which `reference` is made, waiting for whoever makes it now: the second finds it made.
pub(super) async fn one_at_a_time(images: &Path, reference: &str) -> Result<Flock<File>, Error> {
    use sha2::Digest;
    let name: String = sha2::Sha256::digest(reference)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = images.join(format!(".making-{name}"));
    let waiting = tokio::task::spawn_blocking(move || {
        let fail = |source| Error::File {
            what: "lock",
            path: path.clone(),
            source,
        };
        let file = File::create(&path).map_err(fail)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| fail(errno.into()))
    });
    waiting.await.map_err(|error| Error::File {
        what: "lock",
        path: images.into(),
        source: std::io::Error::other(error),
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_build_left_is_swept_and_one_at_work_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let live = Work::new(dir.path()).unwrap();
        let dead = dir.path().join("work-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        sweep(dir.path());
        assert!(!dead.exists());
        assert!(live.join(LOCK).exists());
        let path = live.join("");
        drop(live);
        assert!(!path.exists());
    }
}
