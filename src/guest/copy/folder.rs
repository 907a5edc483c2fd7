//! A folder that is copied into.
//!
//! On the host it is held open and everything goes into it by name, never by a path: whatever a guest planted there
//! before, a link is not followed (openat(2), `O_NOFOLLOW`).

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, futimens, mkdirat, utimensat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::error::{Cause, Error};
use super::part;
use super::side::{Facts, FileKind, Guest, Side, blocking};
use crate::guest::sftp::{Attributes, flags};

/// A folder to put things into.
#[derive(Clone, Debug)]
pub(super) enum Folder {
    Host { open: Arc<OwnedFd>, path: PathBuf },
    Guest { guest: Guest, path: PathBuf },
}

impl Folder {
    /// The folder at `path`, which the user named: links lead where they lead.
    pub async fn open(side: &Side, path: &Path) -> Result<Folder, Error> {
        let path = match path.as_os_str().is_empty() {
            true => Path::new("."),
            false => path,
        };
        if side.facts(path, true).await?.kind != FileKind::Folder {
            return Err(Error::NotAFolder(side.shown(path)));
        }
        let path = path.to_path_buf();
        match side {
            Side::Guest(guest) => Ok(Folder::Guest {
                guest: guest.clone(),
                path,
            }),
            Side::Host => {
                let opened = File::open(&path);
                let file = opened.map_err(|error| side.failed("open", &path, error))?;
                Ok(Folder::Host {
                    open: Arc::new(file.into()),
                    path,
                })
            }
        }
    }

    pub fn side(&self) -> Side {
        match self {
            Folder::Host { .. } => Side::Host,
            Folder::Guest { guest, .. } => Side::Guest(guest.clone()),
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Folder::Host { path, .. } | Folder::Guest { path, .. } => path,
        }
    }

    /// Something in it as a person reads it.
    pub fn shown(&self, name: &Path) -> String {
        self.side().shown(&self.path().join(name))
    }

    pub fn failed(&self, act: &'static str, name: &Path, source: impl Into<Cause>) -> Error {
        self.side().failed(act, &self.path().join(name), source)
    }

    /// The folder of that name in it, and whether it had to be made.
    pub async fn sub(&self, name: &Path) -> Result<(Folder, bool), Error> {
        let path = self.path().join(name);
        match self {
            Folder::Host { open, .. } => {
                let (open, name_there) = (open.clone(), name.to_path_buf());
                let made = blocking(move || -> Result<(OwnedFd, bool), Cause> {
                    let made = match mkdirat(&*open, &name_there, Mode::S_IRWXU) {
                        Ok(()) => true,
                        Err(Errno::EEXIST) => false,
                        Err(error) => return Err(error.into()),
                    };
                    let how = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    Ok((openat(&*open, &name_there, how, Mode::empty())?, made))
                });
                match made.await {
                    Ok((open, made)) => Ok((
                        Folder::Host {
                            open: Arc::new(open),
                            path,
                        },
                        made,
                    )),
                    Err(cause) => Err(match Side::Host.facts(&path, false).await {
                        Ok(Facts {
                            kind: FileKind::Link,
                            ..
                        }) => Error::ThroughLink(self.shown(name)),
                        Ok(Facts {
                            kind: FileKind::Folder,
                            ..
                        })
                        | Err(_) => self.failed("make the folder", name, cause),
                        Ok(_) => Error::NotAFolder(self.shown(name)),
                    }),
                }
            }
            Folder::Guest { guest, .. } => {
                let made = guest.sftp.make_folder(&path).await;
                let folder = |path| Folder::Guest {
                    guest: guest.clone(),
                    path,
                };
                let Err(error) = made else {
                    return Ok((folder(path), true));
                };
                match self.side().facts(&path, true).await {
                    Ok(Facts {
                        kind: FileKind::Folder,
                        ..
                    }) => Ok((folder(path), false)),
                    Ok(_) => Err(Error::NotAFolder(self.shown(name))),
                    Err(_) => Err(self.failed("make the folder", name, error)),
                }
            }
        }
    }

    /// Makes a link in it, in the place of whatever file or link has that name.
    pub async fn link(&self, name: &Path, target: &Path, facts: &Facts) -> Result<(), Error> {
        let part = part::plain(name);
        let facts = *facts;
        let linked: Result<(), Cause> = match self {
            Folder::Host { open, .. } => {
                let (open, target, name) = (open.clone(), target.to_path_buf(), name.to_path_buf());
                let link = move || -> Result<(), Cause> {
                    let place = match symlinkat(&target, &*open, &name) {
                        Ok(()) => &name,
                        Err(Errno::EEXIST) => {
                            let _ = unlinkat(&*open, &part, UnlinkatFlags::NoRemoveDir);
                            symlinkat(&target, &*open, &part)?;
                            &part
                        }
                        Err(error) => return Err(error.into()),
                    };
                    let times = utimensat(
                        &*open,
                        place,
                        &facts.accessed,
                        &facts.modified,
                        UtimensatFlags::NoFollowSymlink,
                    );
                    // A file system without such times keeps the link.
                    let _ = times;
                    if place == &part {
                        part::publish(&open, &part, &name)?;
                    }
                    Ok(())
                };
                blocking(link).await
            }
            Folder::Guest { guest, path } => {
                let (sftp, link) = (&guest.sftp, path.join(name));
                let part = path.join(part);
                let linking = async {
                    let place = match sftp.make_link(target, &link).await {
                        Ok(()) => &link,
                        Err(error) if error.is_end() => return Err(error),
                        Err(_) => {
                            let _ = sftp.remove(&part).await;
                            sftp.make_link(target, &part).await?;
                            &part
                        }
                    };
                    let times = sftp.set_link_times(place, facts.seconds());
                    if place == &part {
                        let renamed = sftp.rename(&part, &link).await;
                        if renamed.is_err() {
                            let _ = sftp.remove(&part).await;
                        }
                        renamed?;
                    }
                    let _ = times.await;
                    Ok(())
                };
                linking.await.map_err(Cause::from)
            }
        };
        linked.map_err(|cause| self.failed("make the link", name, cause))
    }

    /// Writes a small file: all of it under the name `part`, and then in the place of whatever has its own.
    pub async fn put(
        &self,
        name: &Path,
        part: &Path,
        data: Bytes,
        facts: &Facts,
    ) -> Result<(), Error> {
        let facts = *facts;
        let put: Result<(), Cause> = match self {
            Folder::Host { open, .. } => {
                let (open, name, part) = (open.clone(), name.to_path_buf(), part.to_path_buf());
                let put = move || -> Result<(), Cause> {
                    use std::os::unix::fs::FileExt;
                    let (file, _) = part::open(&open, &part)?;
                    let written = file
                        .write_all_at(&data, 0)
                        .and_then(|()| file.set_len(data.len() as u64))
                        .map_err(Cause::from)
                        .and_then(|()| dress(&file, &facts))
                        .and_then(|()| part::publish(&open, &part, &name));
                    if written.is_err() {
                        let _ = unlinkat(&*open, &part, UnlinkatFlags::NoRemoveDir);
                    }
                    written
                };
                blocking(put).await
            }
            Folder::Guest { guest, path } => {
                let sftp = &guest.sftp;
                let (name, part) = (path.join(name), path.join(part));
                let putting = async {
                    let handle = sftp.open(&part, flags::WRITE | flags::CREATE).await?;
                    // Sent together, and carried out one after the other.
                    let attributes = dressed(&facts, data.len() as u64);
                    let written = sftp.write(&handle, 0, &data);
                    let dressed = sftp.set_file_attributes(&handle, &attributes);
                    let closed = sftp.close(&handle);
                    let written = match (written.await, dressed.await, closed.await) {
                        (Ok(()), Ok(()), Ok(())) => sftp.rename(&part, &name).await,
                        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
                    };
                    if written.is_err() {
                        let _ = sftp.remove(&part).await;
                    }
                    written
                };
                putting.await.map_err(Cause::from)
            }
        };
        put.map_err(|cause| self.failed("write", name, cause))
    }

    /// Gives the folder itself the permissions and times of its original.
    pub async fn settle(&self, facts: &Facts) -> Result<(), Error> {
        let facts = *facts;
        let settled: Result<(), Cause> = match self {
            Folder::Host { open, .. } => {
                let open = open.clone();
                blocking(move || dress(&*open, &facts)).await
            }
            Folder::Guest { guest, path } => {
                let attributes = Attributes {
                    size: None,
                    ..dressed(&facts, 0)
                };
                let set = guest.sftp.set_attributes(path, &attributes).await;
                set.map_err(Cause::from)
            }
        };
        settled.map_err(|cause| {
            self.side()
                .failed("set the permissions of", self.path(), cause)
        })
    }

    /// Removes what copies of other versions of these files left, which nobody goes on with.
    pub async fn sweep(&self, names: &[PathBuf]) {
        let side = self.side();
        let Ok(mut listing) = side.list(self.path()).await else {
            return;
        };
        while let Ok((entries, more)) = listing.next(&side, self.path()).await {
            for entry in entries {
                if part::is_any(&entry.name)
                    && names.iter().any(|name| part::is_of(&entry.name, name))
                {
                    self.remove(&entry.name).await;
                }
            }
            match more {
                Some(more) => listing = more,
                None => return,
            }
        }
    }

    /// Removes a file that may be there.
    pub async fn remove(&self, name: &Path) {
        match self {
            Folder::Host { open, .. } => {
                let _ = unlinkat(&**open, name, UnlinkatFlags::NoRemoveDir);
            }
            Folder::Guest { guest, path } => {
                let _ = guest.sftp.remove(&path.join(name)).await;
            }
        }
    }
}

/// Gives an open file or folder the permissions and times of its original.
pub(super) fn dress(file: &impl AsFd, facts: &Facts) -> Result<(), Cause> {
    fchmod(file, Mode::from_bits_truncate(facts.permissions()))?;
    futimens(file, &facts.accessed, &facts.modified)?;
    Ok(())
}

/// The same as a request.
pub(super) fn dressed(facts: &Facts, size: u64) -> Attributes {
    Attributes {
        size: Some(size),
        mode: Some(facts.permissions()),
        times: Some(facts.seconds()),
    }
}
