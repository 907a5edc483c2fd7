//! What a folder holds, a few entries at a time.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{Cause, Error};
use super::side::{Facts, Guest, Side, blocking, plain};
use crate::guest::sftp::Handle;

/// Entries of a host's folder that are looked at together.
const BATCH: usize = 256;

/// An entry of a folder.
pub(super) struct Entry {
    pub name: PathBuf,
    pub facts: Result<Facts, Error>,
}

/// A folder being read.
pub(super) enum Listing {
    Host(std::fs::ReadDir),
    Guest(Guest, Handle),
}

impl Side {
    pub(super) async fn list(&self, path: &Path) -> Result<Listing, Error> {
        let listing = match self {
            Side::Host => {
                let path = path.to_path_buf();
                let entries = blocking(move || path.read_dir()).await;
                entries.map(Listing::Host).map_err(Cause::from)
            }
            Side::Guest(guest) => {
                let handle = guest.sftp.open_folder(path).await;
                handle
                    .map(|handle| Listing::Guest(guest.clone(), handle))
                    .map_err(Cause::from)
            }
        };
        listing.map_err(|cause| self.failed("read the folder", path, cause))
    }
}

impl Listing {
    /// The next entries of the folder, which is at `path` on `side`, and the listing if there may be more.
    pub(super) async fn next(
        self,
        side: &Side,
        path: &Path,
    ) -> Result<(Vec<Entry>, Option<Listing>), Error> {
        match self {
            Listing::Host(mut entries) => {
                let owned = path.to_path_buf();
                let read = move || {
                    let mut batch = Vec::new();
                    while batch.len() < BATCH {
                        let Some(entry) = entries.next() else {
                            return Ok((batch, None));
                        };
                        let entry = entry?;
                        let name = PathBuf::from(entry.file_name());
                        let facts = entry.metadata().map(|meta| Facts::from(&meta));
                        let facts = facts
                            .map_err(|error| Side::Host.failed("find", &owned.join(&name), error));
                        batch.push(Entry { name, facts });
                    }
                    Ok((batch, Some(Listing::Host(entries))))
                };
                let batch = blocking(read).await;
                batch.map_err(|error: std::io::Error| side.failed("read the folder", path, error))
            }
            Listing::Guest(guest, handle) => {
                let batch = guest.sftp.read_folder(&handle).await;
                let batch = batch.map_err(|error| side.failed("read the folder", path, error))?;
                let Some(batch) = batch else {
                    // Nothing hangs on the answer.
                    drop(guest.sftp.close(&handle));
                    return Ok((Vec::new(), None));
                };
                let entries = batch.into_iter().map(|entry| {
                    let facts = if is_name(&entry.name) {
                        Facts::of_guest(&entry.attributes)
                            .map_err(|error| side.failed("find", &path.join(&entry.name), error))
                    } else {
                        Err(Error::BadName {
                            place: side.shown(path),
                            name: plain(&entry.name),
                        })
                    };
                    Entry {
                        name: entry.name,
                        facts,
                    }
                });
                Ok((entries.collect(), Some(Listing::Guest(guest, handle))))
            }
        }
    }
}

/// Whether this is one name in a folder, and no way out of it.
pub(super) fn is_name(name: &Path) -> bool {
    let bytes = name.as_os_str().as_bytes();
    !bytes.is_empty()
        && bytes != b"."
        && bytes != b".."
        && !bytes.iter().any(|b| matches!(b, 0 | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_step_down() {
        for good in ["a", "...", ".hidden", "a b", "-"] {
            assert!(is_name(Path::new(good)), "{good}");
        }
        for bad in ["", ".", "..", "/", "a/b", "../a", "/etc", "a\0b"] {
            assert!(!is_name(Path::new(bad)), "{bad:?}");
        }
    }
}
