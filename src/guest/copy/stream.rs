//! Standard input and output as ends of a copy.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::sys::time::TimeSpec;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::error::Error;
use super::file::Place;
use super::reader::Reader;
use super::side::{Facts, FileKind, Side};
use super::tally::Tally;
use super::target::Target;
use super::writer::Writer;
use super::{From, Input, Output, large, part};

/// Copies standard input to a file.
pub(super) async fn from_stream(input: Input, target: &Target, tally: &Tally) -> Result<(), Error> {
    let Some(name) = &target.name else {
        return Err(Error::IsAFolder(target.shown()));
    };
    let now = jiff::Timestamp::now();
    let now = TimeSpec::new(now.as_second(), now.subsec_nanosecond().into());
    let facts = Facts {
        kind: FileKind::File,
        size: 0,
        mode: 0o644,
        accessed: now,
        modified: now,
        number: (0, 0),
        sparse: false,
    };
    let place = Place {
        folder: &target.folder,
        name,
    };
    let reader = Reader::Stream(Arc::new(Mutex::new(input)));
    large::copy(&reader, None, &part::plain(name), &facts, &place, tally).await?;
    tally.files.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Copies files to standard output, one after the other.
pub(super) async fn to_stream(
    from: Vec<From>,
    mut output: Output,
    tally: &Tally,
) -> Result<(), Error> {
    for from in from {
        let From::Paths { side, paths } = from else {
            continue;
        };
        for path in paths {
            let facts = side.facts(&path, true).await?;
            match facts.kind {
                FileKind::File => {}
                FileKind::Other(what) => {
                    let place = side.shown(&path);
                    return Err(Error::Special { place, what });
                }
                _ => return Err(Error::IsAFolder(side.shown(&path))),
            }
            tally.found((1, facts.size));
            output = one_to_stream(&side, &path, &facts, output, tally).await?;
            tally.files.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn one_to_stream(
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
    let written = large::pump(&reader, &writer, 0, size, &failed, tally).await;
    reader.close();
    drop(writer);
    written?;
    let flushed = output.lock().await.flush().await;
    flushed.map_err(|error| failed(error.into()))?;
    // Nothing else holds it by now.
    let output = Arc::try_unwrap(output).map(Mutex::into_inner);
    output.map_err(|_| Error::Cancelled)
}
