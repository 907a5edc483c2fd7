//! The two sides of a copy, the host and a guest, as places to read from.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::time::TimeSpec;

use super::error::{Cause, Error};
use crate::guest::sftp::{self, Attributes, Sftp};

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
    pub(super) fn of_guest(attributes: &Attributes) -> Result<Facts, sftp::Error> {
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
}

/// A path without anything that a terminal would obey.
pub(super) fn plain(path: &Path) -> String {
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
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(plain(Path::new("a\x1b[2Jb\n é")), "a\\u{1b}[2Jb\\n é");
    }
}
