//! Folders that builds work in. Each is locked by its process, so that what a killed one left is told from one at work.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Error, disk};

const PREFIX: &str = "work-";
/// Before the names of locks under which images are made.
const MAKING: &str = ".making-";
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
        // Until its folder is locked nobody sweeps.
        let _cache = lock_cache(images)?;
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

    /// The folder's own name, which no other has at the time.
    pub(super) fn name(&self) -> String {
        let name = self.folder.path().file_name().unwrap_or_default();
        name.to_string_lossy().to_lowercase()
    }

    /// A path in the folder.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Removes folders whose process has ended, and locks that nobody holds. What cannot be removed now is tried again
/// next time. It happens under the lock of the cache, so that no folder is seen before it is locked.
pub(super) fn sweep(images: &Path) {
    let Ok(entries) = std::fs::read_dir(images) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(MAKING) {
            let locked = File::open(entry.path())
                .map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock));
            if let Ok(Ok(_lock)) = locked {
                let _ = std::fs::remove_file(entry.path());
            }
            continue;
        }
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let free = match File::open(entry.path().join(LOCK)) {
            Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(),
            // Killed before it was locked, or about to be locked: a minute tells.
            Err(_) => is_older(&entry.path(), Duration::from_secs(60)),
        };
        if free {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a file was last changed longer ago than that.
pub(super) fn is_older(path: &Path, age: Duration) -> bool {
    (path.symlink_metadata().and_then(|meta| meta.modified()))
        .is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > age))
}

/// Takes the lock under which `reference` is made, waiting for whoever makes it now: the second finds it made.
pub(super) async fn one_at_a_time(
    images: &Path,
    reference: &str,
    cancel: &CancellationToken,
) -> Result<Flock<File>, Error> {
    let path = making(images, reference);
    let (sender, locked) = tokio::sync::oneshot::channel();
    // A thread of its own: it may wait for long, and nobody has to wait for it.
    let waiting = path.clone();
    let thread = std::thread::Builder::new()
        .name("wait for an image".into())
        .spawn(move || {
            // When nobody waits any more the lock is let go at once.
            let _ = sender.send(lock(&waiting));
        });
    let fail = |source| Error::File {
        what: "lock",
        path: path.clone(),
        source,
    };
    thread.map_err(fail)?;
    tokio::select! {
        locked = locked => locked.map_err(|error| fail(std::io::Error::other(error)))?,
        () = cancel.cancelled() => Err(Error::Cancelled),
    }
}

/// The same when nobody holds it.
pub(super) fn try_alone(images: &Path, reference: &str) -> Result<Option<Flock<File>>, Error> {
    let path = making(images, reference);
    let fail = |source| Error::File {
        what: "lock",
        path: path.clone(),
        source,
    };
    loop {
        let file = File::create(&path).map_err(fail)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) if lies_at(&lock, &path) => return Ok(Some(lock)),
            // Swept away between opening and locking.
            Ok(_) => {}
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(fail(errno.into())),
        }
    }
}

fn making(images: &Path, reference: &str) -> PathBuf {
    let name = disk::written(&Sha256::digest(reference));
    images.join(format!("{MAKING}{}", &name[7..23]))
}

/// Takes the lock under which images come and go. It is held for moments.
pub(super) fn lock_cache(images: &Path) -> Result<Flock<File>, Error> {
    lock(&images.join(".cache"))
}

fn lock(path: &Path) -> Result<Flock<File>, Error> {
    let fail = |source| Error::File {
        what: "lock",
        path: path.into(),
        source,
    };
    loop {
        let file = File::create(path).map_err(fail)?;
        let lock =
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| fail(errno.into()))?;
        // One that was swept away before it was locked keeps nobody out.
        if lies_at(&lock, path) {
            return Ok(lock);
        }
    }
}

/// Whether an open file is the one that now lies at `path`.
pub(super) fn lies_at(file: &File, path: &Path) -> bool {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_build_left_is_swept_and_one_at_work_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let live = Work::new(dir.path()).unwrap();
        let held = lock(&dir.path().join(".making-held")).unwrap();
        drop(lock(&dir.path().join(".making-free")).unwrap());
        let dead = dir.path().join("work-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        sweep(dir.path());
        assert!(!dead.exists());
        assert!(!dir.path().join(".making-free").exists());
        assert!(lies_at(&held, &dir.path().join(".making-held")));
        assert!(live.join(LOCK).exists());
        let path = live.join("");
        drop(live);
        assert!(!path.exists());
    }
}
