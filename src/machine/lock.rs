//! One lock per machine, so that operations on it follow one another, whichever process runs them.
//!
//! The lock is `flock(2)` on `locks/ID`: the kernel releases it when its holder dies, which is how a killed command is
//! told from a running one. The file says who holds it, for those who wait.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio_util::sync::CancellationToken;

use super::{Error, Rooms};
use crate::event::Progress;
use crate::store::machines::MachineRow;
use crate::value::MachineId;

/// How long to wait before saying on whom.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to change one machine; given back when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: Flock<File>,
    path: PathBuf,
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub(super) fn try_take(
        rooms: &Rooms,
        id: &MachineId,
        why: &str,
    ) -> Result<Option<Lock>, Error> {
        let path = rooms.paths.locks().join(id.to_string());
        loop {
            match Flock::lock(open(&path)?, FlockArg::LockExclusiveNonblock) {
                // Swept between opening and locking: it is nobody's lock any more.
                Ok(file) if !is_at(&file, &path) => {}
                Ok(file) => return Lock { file, path }.sign(why).map(Some),
                Err((_, nix::Error::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => {
                    let source = errno.into();
                    return Err(Error::File {
                        what: "lock",
                        path,
                        source,
                    });
                }
            }
        }
    }

    /// Takes the lock of a machine that is about to be and that nobody knows yet, but for a sweep that takes its file
    /// for one left behind: that is over in a moment.
    pub(super) fn found(rooms: &Rooms, id: &MachineId, why: &str) -> Result<Lock, Error> {
        let path = rooms.paths.locks().join(id.to_string());
        loop {
            let file = wait(&path)?;
            if is_at(&file, &path) {
                return Lock { file, path }.sign(why);
            }
        }
    }

    /// Removes lock files of machines that are gone: those whose remover was killed in its last step.
    pub(super) fn sweep(rooms: &Rooms) -> Result<(), Error> {
        let path = rooms.paths.locks();
        let fail = |source| Error::File {
            what: "read",
            path: path.clone(),
            source,
        };
        let known = rooms.store.machine_ids()?;
        for entry in std::fs::read_dir(&path).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if !known.contains(&id)
                && let Some(lock) = Lock::try_take(rooms, &id, "recovery")?
            {
                // A deploy locks first and writes its machine's row then.
                match rooms.store.machine(&id)? {
                    None => lock.retire()?,
                    Some(_) => drop(lock),
                }
            }
        }
        Ok(())
    }

    /// Waits for the lock; after ten seconds says on whom.
    pub(super) async fn take(
        rooms: &Rooms,
        id: &MachineId,
        why: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Lock, Error> {
        if let Some(lock) = Lock::try_take(rooms, id, why)? {
            return Ok(lock);
        }
        let path = rooms.paths.locks().join(id.to_string());
        // The waiting thread ends with the process if the wait is given up.
        let waiting = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || wait(&path).map(|file| (file, path)))
        };
        tokio::pin!(waiting);
        let notice = tokio::time::sleep(PATIENCE);
        tokio::pin!(notice);
        let mut said = false;
        loop {
            tokio::select! {
                taken = &mut waiting => {
                    let (file, path) = taken.map_err(|error| Error::File {
                        what: "lock",
                        path: path.clone(),
                        source: std::io::Error::other(error),
                    })??;
                    return Lock { file, path }.sign(why);
                }
                () = cancel.cancelled() => return Err(Error::Cancelled),
                () = &mut notice, if !said => {
                    said = true;
                    let holder = std::fs::read_to_string(&path).unwrap_or_default();
                    progress.note(format!("waiting for {}", holder.trim()));
                }
            }
        }
    }

    /// Writes who holds the lock and why into it. A full disk does not keep anybody from it: things could not be deleted.
    fn sign(mut self, why: &str) -> Result<Lock, Error> {
        let text = format!("process {} ({why})\n", std::process::id());
        let mut write = || {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        let outcome: std::io::Result<()> = write();
        match outcome {
            Err(source) if !is_full(&source) => Err(Error::File {
                what: "write",
                path: self.path,
                source,
            }),
            _ => Ok(self),
        }
    }

    /// Gives the lock back and removes its file, once the machine is gone. Whoever still waits for it holds a file
    /// without a name, and finds no machine.
    pub(super) fn retire(self) -> Result<(), Error> {
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
                what: "remove",
                path: self.path.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }
}

/// Waits, on this thread, until nobody else holds the lock.
fn wait(path: &Path) -> Result<Flock<File>, Error> {
    Flock::lock(open(path)?, FlockArg::LockExclusive).map_err(|(_, errno)| Error::File {
        what: "lock",
        path: path.into(),
        source: errno.into(),
    })
}

impl Rooms {
    /// Takes the lock of the machine that `name` means, and reads its row once the lock is held: whoever held it may have
    /// changed the machine, or deleted it.
    pub(super) async fn take(
        &self,
        name: &str,
        why: &str,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(MachineRow, Lock), Error> {
        let id = self.find(name)?.id;
        let lock = Lock::take(self, &id, why, progress, cancel).await?;
        Ok((self.row(&id)?, lock))
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Whether the file that was locked is the one that has the name now.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| Error::File {
            what: "open",
            path: path.into(),
            source,
        })
}
