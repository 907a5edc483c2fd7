//! A file that is read in pieces, wherever it lies.

use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nix::errno::Errno;
use nix::libc;
use nix::unistd::Whence;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use super::Input;
use super::error::{Cause, Error};
use super::side::{Facts, Guest, Side, blocking};
use crate::guest::sftp::{Handle, flags};

/// Opens a file of the host to be read. What has become a pipe meanwhile does not hang the copy.
pub(super) fn open_source(path: &Path) -> Result<std::fs::File, Cause> {
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Errno::ESTALE.into()),
    }
}

/// A file that is read in pieces.
pub(super) enum Reader {
    Host {
        file: Arc<std::fs::File>,
        sparse: bool,
        shown: (Side, PathBuf),
    },
    Guest {
        guest: Guest,
        handle: Handle,
        path: PathBuf,
    },
    Stream(Arc<Mutex<Input>>),
}

impl Reader {
    pub async fn open(side: &Side, path: &Path, facts: &Facts) -> Result<Reader, Error> {
        let failed = |cause| side.failed("read", path, cause);
        match side {
            Side::Host => {
                let owned = path.to_path_buf();
                let file = blocking(move || open_source(&owned)).await;
                Ok(Reader::Host {
                    file: Arc::new(file.map_err(failed)?),
                    sparse: facts.sparse,
                    shown: (side.clone(), path.to_path_buf()),
                })
            }
            Side::Guest(guest) => {
                let handle = guest.sftp.open(path, flags::READ).await;
                Ok(Reader::Guest {
                    guest: guest.clone(),
                    handle: handle.map_err(|error| failed(error.into()))?,
                    path: path.to_path_buf(),
                })
            }
        }
    }

    /// At most `length` bytes from `offset`; none at the end.
    pub fn read(&self, offset: u64, length: usize) -> BoxFuture<'static, Result<Bytes, Error>> {
        match self {
            Reader::Host { file, shown, .. } => {
                let (file, shown) = (file.clone(), shown.clone());
                let read = move || {
                    let mut data = vec![0; length];
                    let count = file.read_at(&mut data, offset)?;
                    data.truncate(count);
                    Ok(Bytes::from(data))
                };
                // It begins now, as a guest's does.
                let reading = tokio::spawn(blocking(read));
                Box::pin(async move {
                    let read = reading.await.map_err(std::io::Error::other);
                    read.and_then(|read| read)
                        .map_err(|error| shown.0.failed("read", &shown.1, error))
                })
            }
            Reader::Guest {
                guest,
                handle,
                path,
            } => {
                let reading = guest.sftp.read(handle, offset, length);
                let (guest, path) = (guest.clone(), path.clone());
                Box::pin(async move {
                    reading
                        .await
                        .map_err(|error| Side::Guest(guest).failed("read", &path, error))
                })
            }
            Reader::Stream(stream) => {
                let stream = stream.clone();
                Box::pin(async move {
                    let mut data = vec![0; length];
                    let mut stream = stream.lock().await;
                    let mut count = 0;
                    // A pipe gives little at a time.
                    while count < length {
                        match stream.read(&mut data[count..]).await {
                            Ok(0) => break,
                            Ok(more) => count += more,
                            Err(source) => {
                                return Err(Error::Act {
                                    act: "read",
                                    place: "standard input".into(),
                                    source: source.into(),
                                });
                            }
                        }
                    }
                    data.truncate(count);
                    Ok(data.into())
                })
            }
        }
    }

    /// Where there is something next, at `offset` or behind it, in a file with holes.
    pub fn skip_hole(&self, offset: u64, size: u64) -> u64 {
        let Reader::Host {
            file, sparse: true, ..
        } = self
        else {
            return offset;
        };
        let Ok(from) = i64::try_from(offset) else {
            return offset;
        };
        match nix::unistd::lseek(&**file, from, Whence::SeekData) {
            Ok(next) => u64::try_from(next).unwrap_or(offset).min(size),
            // Only a hole follows.
            Err(Errno::ENXIO) => size,
            Err(_) => offset,
        }
    }

    pub fn shown(&self) -> String {
        match self {
            Reader::Host { shown, .. } => shown.0.shown(&shown.1),
            Reader::Guest { guest, path, .. } => Side::Guest(guest.clone()).shown(path),
            Reader::Stream(_) => "standard input".into(),
        }
    }

    pub fn close(&self) {
        if let Reader::Guest { guest, handle, .. } = self {
            drop(guest.sftp.close(handle));
        }
    }
}
