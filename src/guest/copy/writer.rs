//! A file that is written in pieces, wherever it goes.

use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::error::{Cause, Error};
use super::file::Place;
use super::folder::{Folder, dress, dressed};
use super::large::{AHEAD, PIECE};
use super::side::{Facts, FileKind, Guest, blocking};
use super::{Output, part};
use crate::guest::sftp::{Attributes, Handle, flags};

/// A file that is written in pieces.
pub(super) enum Writer {
    Host(Arc<Flock<std::fs::File>>),
    Guest(Guest, Handle),
    Stream(Arc<Mutex<Output>>),
}

impl Writer {
    /// Opens a part and says how much of it is there.
    pub async fn open(to: &Place<'_>, part: &Path) -> Result<(Writer, u64), Error> {
        let failed = |cause: Cause| to.folder.failed("write", to.name, cause);
        match to.folder {
            Folder::Host { open, .. } => {
                let (open, part) = (open.clone(), part.to_path_buf());
                let opened = blocking(move || part::open(&open, &part)).await;
                let (file, has) = opened.map_err(failed)?;
                match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                    Ok(file) => Ok((Writer::Host(Arc::new(file)), has)),
                    Err((_, Errno::EWOULDBLOCK)) => Err(Error::Busy(to.folder.shown(to.name))),
                    Err((_, error)) => Err(failed(error.into())),
                }
            }
            Folder::Guest { guest, path } => {
                let path = path.join(part);
                let has = match to.folder.side().facts(&path, false).await {
                    Ok(facts) if facts.kind == FileKind::File => facts.size,
                    Ok(_) => return Err(failed(Errno::EEXIST.into())),
                    Err(error) if error.is_lost() => return Err(error),
                    Err(_) => 0,
                };
                let how = flags::READ | flags::WRITE | flags::CREATE;
                let handle = guest.sftp.open(&path, how).await;
                let handle = handle.map_err(|error| failed(error.into()))?;
                Ok((Writer::Guest(guest.clone(), handle), has))
            }
        }
    }

    pub fn write(
        &self,
        offset: u64,
        data: Bytes,
    ) -> impl Future<Output = Result<(), Cause>> + Send + use<> {
        let writing: BoxFuture<'static, Result<(), Cause>> = match self {
            Writer::Host(file) => {
                let file = file.clone();
                Box::pin(blocking(move || {
                    file.write_all_at(&data, offset).map_err(Cause::from)
                }))
            }
            Writer::Guest(guest, handle) => {
                let writing = guest.sftp.write(handle, offset, &data);
                Box::pin(async move { Ok(writing.await?) })
            }
            Writer::Stream(stream) => {
                let stream = stream.clone();
                Box::pin(async move { Ok(stream.lock().await.write_all(&data).await?) })
            }
        };
        writing
    }

    /// How many writes may be under way. A guest carries them out one after the other; here it is the one that waits.
    pub fn ahead(&self) -> usize {
        match self {
            Writer::Guest(..) => AHEAD,
            Writer::Host(_) | Writer::Stream(_) => 1,
        }
    }

    /// Throws away what is there.
    pub async fn empty(&self) -> Result<(), Cause> {
        match self {
            Writer::Host(file) => Ok(file.set_len(0)?),
            Writer::Guest(guest, handle) => {
                let nothing = Attributes {
                    size: Some(0),
                    ..Attributes::default()
                };
                Ok(guest.sftp.set_file_attributes(handle, &nothing).await?)
            }
            Writer::Stream(_) => Ok(()),
        }
    }

    /// What is there before `end`, at most a piece.
    pub async fn last(&self, end: u64) -> Result<Bytes, Cause> {
        let begin = end.saturating_sub(PIECE as u64);
        let length = (end - begin) as usize;
        match self {
            Writer::Host(file) => {
                let file = file.clone();
                let read = move || -> Result<Bytes, Cause> {
                    let mut data = vec![0; length];
                    file.read_exact_at(&mut data, begin)?;
                    Ok(data.into())
                };
                blocking(read).await
            }
            Writer::Guest(guest, handle) => Ok(guest.sftp.read(handle, begin, length).await?),
            Writer::Stream(_) => Ok(Bytes::new()),
        }
    }

    /// Gives the file its size, permissions and times, and its name.
    pub async fn finish(
        &self,
        to: &Place<'_>,
        part: &Path,
        size: u64,
        facts: &Facts,
    ) -> Result<(), Cause> {
        match (self, to.folder) {
            (Writer::Host(file), Folder::Host { open, .. }) => {
                let (file, open, facts) = (file.clone(), open.clone(), *facts);
                let (part, name) = (part.to_path_buf(), to.name.to_path_buf());
                let finish = move || -> Result<(), Cause> {
                    file.set_len(size)?;
                    dress(&**file, &facts)?;
                    part::publish(&open, &part, &name)
                };
                blocking(finish).await
            }
            (Writer::Guest(guest, handle), Folder::Guest { path, .. }) => {
                let sftp = &guest.sftp;
                let dressed = sftp.set_file_attributes(handle, &dressed(facts, size));
                let closed = sftp.close(handle);
                dressed.await?;
                closed.await?;
                Ok(sftp.rename(&path.join(part), &path.join(to.name)).await?)
            }
            _ => Ok(()),
        }
    }
}
