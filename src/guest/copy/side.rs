//! The two sides of a copy, the host and a guest, as places to read from.

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::time::TimeSpec;

use super::error::{Cause, Error};
use crate::guest::sftp::{self, Attributes, Handle, Sftp};

/// Entries of a host's folder that are looked at together.
const BATCH: usize = 256;

/// Where a path lies.
#[derive(Clone, Debug)]
pub enum Side {
    Host,
    Guest(Guest),
}

/// A guest whose files are reached.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What the user calls it: `web`, `www@web`.
    pub name: String,
    /// What tells it from all others.
    pub identity: String,
    pub sftp: Sftp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    File,
    Folder,
    Link,
    Other(&'static str),
}

/// What is known of a file before it is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub kind: FileKind,
    pub size: u64,
    pub mode: u32,
    pub accessed: TimeSpec,
    pub modified: TimeSpec,
    /// Device and inode on the host.
    pub number: (u64, u64),
    /// Whether less is stored of it than its size.
    pub sparse: bool,
}

impl From<&Metadata> for Facts {
    fn from(meta: &Metadata) -> Facts {
        let file_type = meta.file_type();
        let kind = if file_type.is_file() {
            FileKind::File
        } else if file_type.is_dir() {
            FileKind::Folder
        } else if file_type.is_symlink() {
            FileKind::Link
        } else if file_type.is_fifo() {
            FileKind::Other("pipe")
        } else if file_type.is_socket() {
            FileKind::Other("socket")
        } else {
            FileKind::Other("device")
        };
        Facts {
            kind,
            size: meta.size(),
            mode: meta.mode(),
            accessed: TimeSpec::new(meta.atime(), meta.atime_nsec()),
            modified: TimeSpec::new(meta.mtime(), meta.mtime_nsec()),
            number: (meta.dev(), meta.ino()),
            sparse: meta.blocks() * 512 < meta.size(),
        }
    }
}

impl Facts {
    fn of_guest(attributes: &Attributes) -> Result<Facts, sftp::Error> {
        let mode = attributes
            .mode
            .ok_or(sftp::Error::Protocol("attributes without a mode"))?;
        let kind = match mode & nix::libc::S_IFMT {
            nix::libc::S_IFREG => FileKind::File,
            nix::libc::S_IFDIR => FileKind::Folder,
            nix::libc::S_IFLNK => FileKind::Link,
            nix::libc::S_IFIFO => FileKind::Other("pipe"),
            nix::libc::S_IFSOCK => FileKind::Other("socket"),
            _ => FileKind::Other("device"),
        };
        let (accessed, modified) = attributes.times.unwrap_or_default();
        Ok(Facts {
            kind,
            size: attributes.size.unwrap_or_default(),
            mode,
            accessed: TimeSpec::new(accessed.into(), 0),
            modified: TimeSpec::new(modified.into(), 0),
            number: (0, 0),
            sparse: false,
        })
    }

    /// The permissions that a copy gets. Set-user-id and set-group-id bits speak of an owner, who is not kept: a guest
    /// shall not make programs of root's on the host.
    pub fn permissions(&self) -> u32 {
        match self.kind {
            FileKind::Folder => self.mode & 0o1777,
            _ => self.mode & 0o777,
        }
    }

    /// The times as SFTP has them: seconds, from 1970 to 2106.
    pub fn seconds(&self) -> (u32, u32) {
        let seconds = |time: &TimeSpec| u32::try_from(time.tv_sec().max(0)).unwrap_or(u32::MAX);
        (seconds(&self.accessed), seconds(&self.modified))
    }
}

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
    /// A path there as a person reads it. What a hostile guest calls its files does not steer a terminal.
    pub(super) fn shown(&self, path: &Path) -> String {
        match self {
            Side::Host => plain(path),
            Side::Guest(guest) => format!("{}:{}", guest.name, plain(path)),
        }
    }

    pub(super) fn failed(&self, act: &'static str, path: &Path, source: impl Into<Cause>) -> Error {
        Error::Act {
            act,
            place: self.shown(path),
            source: source.into(),
        }
    }

    /// What tells it from other sides.
    pub(super) fn identity(&self) -> &str {
        match self {
            Side::Host => "",
            Side::Guest(guest) => &guest.identity,
        }
    }

    /// What `path` is, or leads to when it is a link and `follow`.
    pub(super) async fn facts(&self, path: &Path, follow: bool) -> Result<Facts, Error> {
        let found = match self {
            Side::Host => {
                let path = path.to_path_buf();
                let look = move || match follow {
                    true => path.metadata(),
                    false => path.symlink_metadata(),
                };
                let meta = blocking(look).await;
                meta.map(|meta| Facts::from(&meta)).map_err(Cause::from)
            }
            Side::Guest(guest) => {
                let attributes = guest.sftp.attributes(path, follow).await;
                attributes
                    .and_then(|attributes| Facts::of_guest(&attributes))
                    .map_err(Cause::from)
            }
        };
        found.map_err(|cause| self.failed("find", path, cause))
    }

    /// The path without links and dots.
    pub(super) async fn resolve(&self, path: &Path) -> Result<PathBuf, Error> {
        let resolved = match self {
            Side::Host => {
                let path = path.to_path_buf();
                blocking(move || path.canonicalize())
                    .await
                    .map_err(Cause::from)
            }
            Side::Guest(guest) => guest.sftp.resolve(path).await.map_err(Cause::from),
        };
        resolved.map_err(|cause| self.failed("find", path, cause))
    }

    pub(super) async fn read_link(&self, path: &Path) -> Result<PathBuf, Error> {
        let target = match self {
            Side::Host => {
                let path = path.to_path_buf();
                blocking(move || path.read_link())
                    .await
                    .map_err(Cause::from)
            }
            Side::Guest(guest) => guest.sftp.read_link(path).await.map_err(Cause::from),
        };
        target.map_err(|cause| self.failed("read the link", path, cause))
    }

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

/// A path without anything that a terminal would obey.
fn plain(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let itself = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(itself)
        })
        .collect()
}

/// Does something that may wait for a disk, on a thread for such things.
pub(super) async fn blocking<T: Send + 'static, E: From<std::io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(std::io::Error::other(error).into()),
    }
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

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(plain(Path::new("a\x1b[2Jb\n é")), "a\\u{1b}[2Jb\\n é");
    }
}
