//! One file: a small one in a few requests, a large one with many under way, from where an earlier copy stopped.
//!
//! ```text
//!   reads under way, in order ─► zeros are left out ─► writes under way, in order ─► name
//! ```
//!
//! Writes are carried out in the order of the file, so what there is of it is its beginning.

use std::future::Future;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::unistd::Whence;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

use super::error::{Cause, Error};
use super::folder::{Folder, dress, dressed, open_part, publish};
use super::part;
use super::side::{Facts, FileKind, Guest, Side, blocking};
use super::{Input, Output, Tally};
use crate::guest::sftp::{self, Attributes, Handle, flags};

/// A file that goes into one request.
pub(super) const SMALL: usize = sftp::MOST_DATA;
/// What is read and written at once of a large file, in bytes.
const PIECE: usize = 128 << 10;
/// How many reads, and how many writes, are under way for a large file.
const AHEAD: usize = 8;

/// Where a file is to go.
pub(super) struct Place<'a> {
    pub folder: &'a Folder,
    pub name: &'a Path,
}

/// Copies the file at `path`, of which `facts` are known, to its place.
pub(super) async fn copy(
    side: &Side,
    path: &Path,
    facts: &Facts,
    to: &Place<'_>,
    tally: &Tally,
) -> Result<(), Error> {
    let part = part::of(to.name, side, path, facts);
    // A file of no size may have content all the same, as those of /proc have.
    if facts.size <= SMALL as u64 {
        let (data, more) = read_small(side, path, facts).await?;
        if !more {
            let length = data.len() as u64;
            to.folder.put(to.name, &part, data, facts).await?;
            tally.moved(length);
            return Ok(());
        }
    }
    let reader = Reader::open(side, path, facts).await?;
    let size = (facts.size > SMALL as u64).then_some(facts.size);
    let copied = large(&reader, size, &part, facts, to, tally).await;
    reader.close();
    copied
}

/// What a small file holds, and whether there is more than one request gives.
async fn read_small(side: &Side, path: &Path, facts: &Facts) -> Result<(Bytes, bool), Error> {
    let failed = |cause| side.failed("read", path, cause);
    let least = facts.size as usize;
    match side {
        Side::Host => {
            let owned = path.to_path_buf();
            let read = move || -> Result<(Bytes, bool), Cause> {
                let file = open_source(&owned)?;
                let mut data = vec![0; if least == 0 { SMALL } else { least }];
                let mut length = 0;
                while length < data.len() {
                    match file.read_at(&mut data[length..], length as u64) {
                        Ok(0) => break,
                        Ok(count) => length += count,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                let more = least == 0 && length == data.len();
                data.truncate(length);
                Ok((data.into(), more))
            };
            blocking(read).await.map_err(failed)
        }
        Side::Guest(guest) => {
            let sftp = &guest.sftp;
            let reading = async {
                let handle = sftp.open(path, flags::READ).await?;
                let mut data = sftp.read(&handle, 0, if least == 0 { SMALL } else { least });
                let mut whole: Vec<Bytes> = Vec::new();
                let mut length = 0;
                // Mostly one read is all, and the file is closed before its answer is there.
                let mut closing = (least > 0).then(|| sftp.close(&handle));
                let outcome = loop {
                    let piece = match data.await {
                        Ok(piece) => piece,
                        Err(error) => break Err(error),
                    };
                    length += piece.len();
                    let end = piece.is_empty();
                    whole.push(piece);
                    if end || (least > 0 && length >= least) || length >= SMALL {
                        break Ok(length >= SMALL && least == 0);
                    }
                    let handle = match closing.take() {
                        None => handle.clone(),
                        // It was shorter than it said.
                        Some(_) => break Ok(false),
                    };
                    data = sftp.read(&handle, length as u64, SMALL - length);
                };
                if least == 0 {
                    drop(sftp.close(&handle));
                }
                outcome.map(|more| match whole.as_slice() {
                    [one] => (one.clone(), more),
                    pieces => (pieces.concat().into(), more),
                })
            };
            reading
                .await
                .map_err(|error: sftp::Error| failed(error.into()))
        }
    }
}

/// Opens a file of the host to be read. What has become a pipe meanwhile does not hang the copy.
fn open_source(path: &Path) -> Result<std::fs::File, Cause> {
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
        shown: (Side, std::path::PathBuf),
    },
    Guest {
        guest: Guest,
        handle: Handle,
        path: std::path::PathBuf,
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
    fn read(&self, offset: u64, length: usize) -> BoxFuture<'static, Result<Bytes, Error>> {
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
    fn skip_hole(&self, offset: u64, size: u64) -> u64 {
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

    fn shown(&self) -> String {
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

/// A file that is written in pieces.
enum Writer {
    Host(Arc<Flock<std::fs::File>>),
    Guest(Guest, Handle),
    Stream(Arc<Mutex<Output>>),
}

impl Writer {
    /// Opens a part and says how much of it is there.
    async fn open(to: &Place<'_>, part: &Path) -> Result<(Writer, u64), Error> {
        let failed = |cause: Cause| to.folder.failed("write", to.name, cause);
        match to.folder {
            Folder::Host { open, .. } => {
                let (open, part) = (open.clone(), part.to_path_buf());
                let opened = blocking(move || open_part(&open, &part)).await;
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

    fn write(
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
    fn ahead(&self) -> usize {
        match self {
            Writer::Guest(..) => AHEAD,
            Writer::Host(_) | Writer::Stream(_) => 1,
        }
    }

    /// Throws away what is there.
    async fn empty(&self) -> Result<(), Cause> {
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
    async fn last(&self, end: u64) -> Result<Bytes, Cause> {
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
    async fn finish(
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
                    publish(&open, &part, &name)
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

/// Copies a file of `size`, or until its end when that is not known, by way of `part`.
async fn large(
    reader: &Reader,
    size: Option<u64>,
    part: &Path,
    facts: &Facts,
    to: &Place<'_>,
    tally: &Tally,
) -> Result<(), Error> {
    let _turn = tally.large.acquire().await;
    let (writer, has) = Writer::open(to, part).await?;
    let failed = |cause: Cause| to.folder.failed("write", to.name, cause);
    let writing = async {
        let begin = match size {
            Some(size) if has > 0 && has <= size => same_until(reader, &writer, has).await?,
            _ => 0,
        };
        if begin < has {
            writer.empty().await.map_err(failed)?;
        }
        tally.resumed.fetch_add(begin, Ordering::Relaxed);
        tally.moved(begin);
        let end = pump(reader, &writer, begin, size, &failed, tally).await?;
        if size.is_some_and(|size| end < size) {
            return Err(Error::Changed(reader.shown()));
        }
        let finished = writer.finish(to, part, end, facts).await;
        finished.map_err(failed)
    };
    let written = writing.await;
    match &written {
        Ok(()) => {}
        Err(error) if error.keeps_part() && size.is_some() => {}
        Err(_) => to.folder.remove(part).await,
    }
    written
}

/// How much of what is there may be kept: all of it if its end is the source's, else nothing.
async fn same_until(reader: &Reader, writer: &Writer, has: u64) -> Result<u64, Error> {
    let Ok(there) = writer.last(has).await else {
        return Ok(0);
    };
    if there.is_empty() {
        return Ok(0);
    }
    let source = reader.read(has - there.len() as u64, there.len()).await?;
    Ok(if source == there { has } else { 0 })
}

/// Copies from `begin` to the end, and says where that was.
async fn pump(
    reader: &Reader,
    writer: &Writer,
    begin: u64,
    size: Option<u64>,
    failed: &impl Fn(Cause) -> Error,
    tally: &Tally,
) -> Result<u64, Error> {
    let limit = size.unwrap_or(u64::MAX);
    // A file whose size is not known is read piece by piece.
    let ahead = if size.is_some() { AHEAD } else { 1 };
    let (mut reads, mut writes) = (FuturesOrdered::new(), FuturesOrdered::new());
    let (mut next, mut end) = (begin, begin);
    let mut at_end = false;
    loop {
        if tally.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        while !at_end && next < limit && reads.len() < ahead {
            let from = reader.skip_hole(next, limit);
            tally.moved(from - next);
            end = end.max(if from == limit { limit } else { end });
            next = from;
            if next == limit {
                break;
            }
            let length = usize::try_from(limit - next).unwrap_or(PIECE).min(PIECE);
            let reading = reader.read(next, length);
            let at = next;
            reads.push_back(async move { (at, length, reading.await) });
            next += length as u64;
        }
        if reads.is_empty() && writes.is_empty() {
            return Ok(end);
        }
        tokio::select! {
            biased;
            Some(written) = writes.next(), if !writes.is_empty() => {
                tally.moved(written?);
            }
            Some((at, asked, read)) = reads.next(), if !reads.is_empty() && writes.len() < writer.ahead() => {
                let data: Bytes = read?;
                let length = data.len() as u64;
                if data.is_empty() {
                    at_end = true;
                } else if data.len() < asked {
                    // The others were asked for the wrong places.
                    next = at + length;
                }
                if data.len() < asked {
                    reads = FuturesOrdered::new();
                }
                end = end.max(at + length);
                if is_zero(&data) && !matches!(writer, Writer::Stream(_)) {
                    tally.moved(length);
                } else {
                    let writing = writer.write(at, data);
                    writes.push_back(async move {
                        writing.await.map_err(failed)?;
                        Ok::<u64, Error>(length)
                    });
                }
            }
            () = tally.cancel.cancelled() => return Err(Error::Cancelled),
        }
    }
}

/// Whether it is all zeros, which need not be written.
fn is_zero(data: &[u8]) -> bool {
    let mut blocks = data.chunks(4096);
    blocks.all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
}

/// Copies standard input to a file.
pub(super) async fn from_stream(
    input: Input,
    to: &Place<'_>,
    facts: &Facts,
    tally: &Tally,
) -> Result<(), Error> {
    let reader = Reader::Stream(Arc::new(Mutex::new(input)));
    large(&reader, None, &part::plain(to.name), facts, to, tally).await
}

/// Copies a file to standard output.
pub(super) async fn to_stream(
    side: &Side,
    path: &Path,
    facts: &Facts,
    output: Output,
    tally: &Tally,
) -> Result<Output, Error> {
    let failed = |source| Error::Act {
        act: "write",
        place: "standard output".into(),
        source,
    };
    let output = Arc::new(Mutex::new(output));
    let reader = Reader::open(side, path, facts).await?;
    let size = (facts.size > 0).then_some(facts.size);
    let writer = Writer::Stream(output.clone());
    let written = pump(&reader, &writer, 0, size, &failed, tally).await;
    reader.close();
    drop(writer);
    written?;
    let flushed = output.lock().await.flush().await;
    flushed.map_err(|error| failed(error.into()))?;
    // Nothing else holds it by now.
    let output = Arc::try_unwrap(output).map(Mutex::into_inner);
    output.map_err(|_| Error::Cancelled)
}
