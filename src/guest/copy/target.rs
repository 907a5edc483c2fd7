//! The place that a user named to copy to, and what that makes of each source.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::error::Error;
use super::folder::Folder;
use super::side::{FileKind, Side};
use super::tree::{Into, Job};

/// The place that was named, as what is to be done there.
pub(super) struct Target {
    pub folder: Folder,
    /// What the one source is to be called, if that is not its own name.
    pub name: Option<PathBuf>,
    /// Whether the name was written as a folder's.
    slash: bool,
}

impl Target {
    pub async fn find(side: Side, path: PathBuf, several: bool) -> Result<Target, Error> {
        let slash = ends_as_folder(&path);
        let there = match side.facts(&path, true).await {
            Ok(facts) => Some(facts.kind),
            Err(Error::Act { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let path = match there {
            Some(FileKind::Folder) => {
                let folder = Folder::open(&side, &path).await?;
                return Ok(Target {
                    folder,
                    name: None,
                    slash: false,
                });
            }
            _ if several && there.is_some() => return Err(Error::NotAFolder(side.shown(&path))),
            _ if several => return Err(Error::NoFolder(side.shown(&path))),
            Some(FileKind::Other(what)) => {
                let place = side.shown(&path);
                return Err(Error::Special { place, what });
            }
            // A link leads to the file that is meant.
            Some(_) => side.resolve(&path).await?,
            None => path,
        };
        let name = path.file_name().map(PathBuf::from);
        let Some(name) = name else {
            return Err(Error::NoFolder(side.shown(&path)));
        };
        let parent = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let folder = match Folder::open(&side, &parent).await {
            Err(Error::Act { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoFolder(side.shown(&parent)));
            }
            folder => folder?,
        };
        Ok(Target {
            folder,
            name: Some(name),
            slash: slash && there.is_none(),
        })
    }

    /// What was named, for a person.
    pub fn shown(&self) -> String {
        match &self.name {
            Some(name) => self.folder.shown(name),
            None => self.folder.side().shown(self.folder.path()),
        }
    }

    /// What is to be done for a source that was named.
    pub async fn job(&self, side: &Side, path: PathBuf) -> Result<Job, Error> {
        let facts = side.facts(&path, true).await?;
        let into = Into::existing(self.folder.clone());
        let own = own_name(&path);
        match facts.kind {
            FileKind::Folder => self.is_outside(side, &path).await?,
            FileKind::File if own.is_none() => return Err(Error::NotAFolder(side.shown(&path))),
            FileKind::File if self.slash => return Err(Error::NoFolder(self.shown())),
            FileKind::File => {}
            FileKind::Link => {}
            FileKind::Other(what) => {
                let place = side.shown(&path);
                return Err(Error::Special { place, what });
            }
        }
        let Some(name) = self.name.clone().or(own) else {
            // What is in it goes into what is there.
            return Ok(Job::Folder { path, into });
        };
        let place = self.folder.path().join(&name);
        let there = self.folder.side().facts(&place, false).await;
        match (there.map(|there| there.kind), facts.kind) {
            (Ok(FileKind::Other(what)), _) => {
                let place = self.folder.shown(&name);
                return Err(Error::Special { place, what });
            }
            (Ok(FileKind::Folder), FileKind::File) => {
                return Err(Error::IsAFolder(self.folder.shown(&name)));
            }
            (Ok(FileKind::File), FileKind::Folder) => {
                return Err(Error::NotAFolder(self.folder.shown(&name)));
            }
            _ => {}
        }
        Ok(Job::Entry {
            path,
            facts: Ok(facts),
            name,
            into,
        })
    }

    /// A folder is not copied into itself.
    async fn is_outside(&self, side: &Side, path: &Path) -> Result<(), Error> {
        let there = self.folder.side();
        if side.identity() != there.identity() {
            return Ok(());
        }
        let (from, to) = (
            side.resolve(path).await?,
            there.resolve(self.folder.path()).await?,
        );
        match to.starts_with(&from) {
            true => Err(Error::IntoItself(side.shown(path))),
            false => Ok(()),
        }
    }
}

/// The name that a source has by itself; none when it is `.`, `..`, `/`, or ends with `/.`, which stand for what is in
/// a folder.
fn own_name(path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_bytes();
    let trimmed = match bytes.iter().rposition(|byte| *byte != b'/') {
        Some(last) => &bytes[..=last],
        None => return None,
    };
    if trimmed == b"." || trimmed.ends_with(b"/.") {
        return None;
    }
    match path.components().next_back() {
        Some(Component::Normal(name)) => Some(name.into()),
        _ => None,
    }
}

/// Whether a path says that it is a folder's.
fn ends_as_folder(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}
