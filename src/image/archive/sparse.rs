//! Sparse files: which parts of a file its archive holds. There are four forms (GNU tar manual, "Storing Sparse
//! Files"): the old GNU header, and PAX 0.0, 0.1 and 1.0.

use std::io::Read;

use tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header};

use super::pax::{self, Records};
use super::{Archive, BLOCK, Entry, Error, malformed, read_some};

/// The most parts a file may have.
const SEGMENTS_MAX: usize = 1 << 20;

/// A part of a file that its archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it belongs in the file, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
}

/// Fills in size, segments and, for sparse files, the real name.
pub fn describe<R: Read>(
    archive: &mut Archive<R>,
    header: &Header,
    records: &Records,
    entry: &mut Entry,
) -> Result<(), Error> {
    let (size, segments) = if header.entry_type() == EntryType::GNUSparse {
        old_gnu(archive, header)?
    } else if records.number("GNU.sparse.major")? == Some(1) {
        let size = records
            .number("GNU.sparse.realsize")?
            .ok_or_else(|| malformed("a sparse file has no size"))?;
        (size, version_1(archive)?)
    } else if let Some(size) = records.number("GNU.sparse.size")? {
        (size, version_0(records)?)
    } else {
        let length = archive.left;
        let segments = if length == 0 {
            Vec::new()
        } else {
            vec![Segment { offset: 0, length }]
        };
        (length, segments)
    };
    if let Some(name) = records.bytes("GNU.sparse.name") {
        entry.path = name;
    }
    check(&segments, size, archive.left)?;
    (entry.size, entry.segments) = (size, segments);
    Ok(())
}

/// Parts are in order, end within the file and are all there.
fn check(segments: &[Segment], size: u64, stored: u64) -> Result<(), Error> {
    let mut end = 0u64;
    let mut sum = 0u64;
    for segment in segments {
        if segment.offset < end {
            return Err(malformed("the parts of a sparse file overlap"));
        }
        end = segment
            .offset
            .checked_add(segment.length)
            .ok_or_else(|| malformed("a sparse file is too large"))?;
        sum += segment.length;
    }
    if end > size || sum != stored {
        return Err(malformed(
            "the parts of a sparse file do not make up its size",
        ));
    }
    Ok(())
}

fn push(segments: &mut Vec<Segment>, offset: u64, length: u64) -> Result<(), Error> {
    if segments.len() >= SEGMENTS_MAX {
        return Err(malformed("a sparse file has too many parts"));
    }
    if length > 0 {
        segments.push(Segment { offset, length });
    }
    Ok(())
}

/// Four parts in the header, 21 more in each block after it.
fn old_gnu<R: Read>(
    archive: &mut Archive<R>,
    header: &Header,
) -> Result<(u64, Vec<Segment>), Error> {
    let bad = |_| malformed("a sparse file's map is not made of numbers");
    let gnu = header
        .as_gnu()
        .ok_or_else(|| malformed("a sparse file without a GNU header"))?;
    let mut segments = Vec::new();
    let mut take = |parts: &[GnuSparseHeader]| -> Result<(), Error> {
        for part in parts.iter().filter(|p| !p.is_empty()) {
            push(
                &mut segments,
                part.offset().map_err(bad)?,
                part.length().map_err(bad)?,
            )?;
        }
        Ok(())
    };
    take(&gnu.sparse)?;
    let mut more = gnu.is_extended();
    while more {
        let mut extension = GnuExtSparseHeader::new();
        let mut bytes: &mut [u8] = extension.as_mut_bytes();
        while !bytes.is_empty() {
            match read_some(&mut archive.input, bytes)? {
                0 => return Err(Error::Truncated),
                n => bytes = &mut bytes[n..],
            }
        }
        take(extension.sparse())?;
        more = extension.is_extended();
    }
    Ok((gnu.real_size().map_err(bad)?, segments))
}

/// 0.0 has a record for every number, 0.1 one record with all numbers.
fn version_0(records: &Records) -> Result<Vec<Segment>, Error> {
    let odd = || malformed("a sparse file's map has an odd length");
    let numbers: Vec<u64> = match records.bytes("GNU.sparse.map") {
        Some(map) => map
            .split(|b| *b == b',')
            .map(pax::number)
            .collect::<Result<_, _>>()?,
        None => (records.iter())
            .filter(|(key, _)| *key == b"GNU.sparse.offset" || *key == b"GNU.sparse.numbytes")
            .map(|(_, value)| pax::number(value))
            .collect::<Result<_, _>>()?,
    };
    let mut segments = Vec::new();
    let (pairs, rest) = numbers.as_chunks::<2>();
    for [offset, length] in pairs {
        push(&mut segments, *offset, *length)?;
    }
    if rest.is_empty() {
        Ok(segments)
    } else {
        Err(odd())
    }
}

/// The map stands before the data: how many parts, then offset and length of each, one number per line, padded to a
/// whole block.
fn version_1<R: Read>(archive: &mut Archive<R>) -> Result<Vec<Segment>, Error> {
    let mut block = [0; BLOCK as usize];
    let mut at = block.len();
    let mut line = |archive: &mut Archive<R>| -> Result<u64, Error> {
        let mut digits = Vec::new();
        loop {
            if at == block.len() {
                archive.read_exact(&mut block)?;
                at = 0;
            }
            let byte = block[at];
            at += 1;
            match byte {
                b'\n' => return pax::number(&digits),
                _ if digits.len() > 20 => {
                    return Err(malformed("a sparse file's map is not made of numbers"));
                }
                _ => digits.push(byte),
            }
        }
    };
    let count = line(archive)?;
    let mut segments = Vec::new();
    for _ in 0..count {
        let (offset, length) = (line(archive)?, line(archive)?);
        push(&mut segments, offset, length)?;
    }
    Ok(segments)
}
