//! A large file: with many reads and writes under way, from where an earlier copy stopped.
//!
//! ```text
//!   reads under way, in order ─► zeros are left out ─► writes under way, in order ─► name
//! ```
//!
//! Writes are carried out in the order of the file, so what there is of it is its beginning.

use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use super::error::{Cause, Error};
use super::file::Place;
use super::reader::Reader;
use super::side::Facts;
use super::tally::Tally;
use super::writer::Writer;
use crate::guest::sftp;

/// What is read and written at once of a large file, in bytes. The fewer requests, the less a guest has to do.
pub(super) const PIECE: usize = sftp::MOST_DATA;
/// How many reads, and how many writes, are under way for a large file: enough that an emulated guest never waits for
/// the next. With 8 it does, and passes 3 % less.
pub(super) const AHEAD: usize = 16;

/// Copies a file of `size`, or until its end when that is not known, by way of `part`.
pub(super) async fn copy(
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
        Err(error) if tally.keeps_part(error) && size.is_some() => {}
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
pub(super) async fn pump(
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
