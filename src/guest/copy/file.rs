//! One file: a small one in a few requests, a large one piece by piece.

use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use super::error::{Cause, Error};
use super::folder::Folder;
use super::reader::{Reader, open_source};
use super::side::{Facts, Side, blocking};
use super::tally::Tally;
use super::{large, part};
use crate::guest::sftp::{self, flags};

/// A file that goes into one request.
pub(super) const SMALL: usize = sftp::MOST_DATA;

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
    let copied = large::copy(&reader, size, &part, facts, to, tally).await;
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
