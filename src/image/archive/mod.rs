//! Reads tar archives as a stream: ustar, GNU and PAX, with sparse files and extended attributes.
//!
//! The fields of a header are taken by the `tar` crate. Its iteration over entries is not used, because it splits PAX
//! records at line ends, which loses every file name and every binary attribute (`security.capability`) that has a
//! line end in it, and because it reads none of the three PAX forms of sparse files.
//!
//! Formats: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar
//! Format" and "Storing Sparse Files".

mod field;
mod pax;
mod sparse;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

use tar::{EntryType, Header};

use crate::image::ext4::{Attribute, Time};
use field::{number, owner, padding, size};
use pax::Records;
pub use sparse::Segment;

const BLOCK: u64 = 512;
/// The longest extension (long name, PAX records) that is read into memory.
const EXTENSION_MAX: u64 = 1 << 20;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ends in the middle of an entry.
    #[error("the archive is cut short")]
    Truncated,
    /// What was read is not a tar archive, or not any more.
    #[error("the archive is malformed: {what}")]
    Malformed { what: &'static str },
    /// The bytes could not be had.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink { target: Vec<u8> },
    HardLink { target: Vec<u8> },
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Fifo,
}

/// One member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it stands in the archive.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub attributes: Vec<Attribute>,
    /// Size of the file with its holes, in bytes.
    pub size: u64,
    /// Which parts of the file the archive holds, in growing order; the rest is zeros.
    pub segments: Vec<Segment>,
}

/// A tar archive being read.
pub struct Archive<R> {
    input: R,
    /// What is left of the current entry's data, and the padding after it.
    left: u64,
    padding: u64,
    global: Records,
}

/// What stood before an entry and belongs to it.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Records,
}

impl<R: Read> Archive<R> {
    /// Reads from `input`, which begins with the first header.
    pub fn new(input: R) -> Self {
        Archive {
            input,
            left: 0,
            padding: 0,
            global: Records::default(),
        }
    }

    /// The next entry; what was not read of the last one's data is skipped.
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut extensions = Extensions::default();
        let mut extended = false;
        loop {
            self.skip(self.left)?;
            self.skip(self.padding)?;
            (self.left, self.padding) = (0, 0);
            let Some(header) = self.header()? else {
                // What an extension describes is missing.
                return if extended {
                    Err(Error::Truncated)
                } else {
                    Ok(None)
                };
            };
            extended = true;
            let size = size(&header)?;
            match header.entry_type() {
                EntryType::GNULongName => extensions.path = Some(self.long_name(size)?),
                EntryType::GNULongLink => extensions.link = Some(self.long_name(size)?),
                EntryType::XHeader => extensions.records = Records::parse(self.extension(size)?)?,
                EntryType::XGlobalHeader => {
                    let records = Records::parse(self.extension(size)?)?;
                    self.global.replace_with(records);
                    if self.global.size() > EXTENSION_MAX as usize {
                        return Err(malformed("the global headers are larger than 1 MiB"));
                    }
                    extended = false;
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    /// Reads on in the data of the current entry; 0 at its end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let want = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let got = read_some(&mut self.input, &mut buffer[..want])?;
        if got == 0 {
            return Err(Error::Truncated);
        }
        self.left -= got as u64;
        Ok(got)
    }

    /// Reads exactly as much as `buffer` holds of the data of the current entry.
    pub fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), Error> {
        while !buffer.is_empty() {
            let got = self.read(buffer)?;
            if got == 0 {
                return Err(malformed("an entry has less data than it says"));
            }
            buffer = &mut buffer[got..];
        }
        Ok(())
    }

    /// The next header; `None` at the end: a block of zeros, or nothing more.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header::new_old();
        let bytes = header.as_mut_bytes();
        let mut filled = 0;
        while filled < bytes.len() {
            match read_some(&mut self.input, &mut bytes[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(Error::Truncated),
                n => filled += n,
            }
        }
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum: u32 = (bytes.iter().enumerate())
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        match header.cksum() {
            Ok(expected) if expected == sum => Ok(Some(header)),
            _ => Err(malformed("a header has a wrong checksum")),
        }
    }

    fn skip(&mut self, mut count: u64) -> Result<(), Error> {
        let mut buffer = [0; 16 << 10];
        while count > 0 {
            let want = count.min(buffer.len() as u64) as usize;
            match read_some(&mut self.input, &mut buffer[..want])? {
                0 => return Err(Error::Truncated),
                n => count -= n as u64,
            }
        }
        Ok(())
    }

    /// All data of an extension.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > EXTENSION_MAX {
            return Err(malformed("an extended header is larger than 1 MiB"));
        }
        (self.left, self.padding) = (size, padding(size));
        let mut bytes = vec![0; size as usize];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        let mut name = self.extension(size)?;
        if let Some(end) = name.iter().position(|b| *b == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    fn entry(&mut self, header: &Header, extensions: Extensions) -> Result<Entry, Error> {
        let Extensions {
            path,
            link,
            mut records,
        } = extensions;
        records.default_to(&self.global);
        let fields = header.as_old();
        let path = (path.or_else(|| records.bytes("path")))
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = (link.or_else(|| records.bytes("linkpath")))
            .or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
            .unwrap_or_default();
        let device = || -> Result<(u32, u32), Error> {
            let bad = |_| malformed("a device number is not a number");
            let (major, minor) = (
                header.device_major().map_err(bad)?,
                header.device_minor().map_err(bad)?,
            );
            Ok((major.unwrap_or(0), minor.unwrap_or(0)))
        };
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Directory,
            // Archives older than ustar have no type for directories.
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Symlink => Kind::Symlink { target: link },
            EntryType::Link => Kind::HardLink { target: link },
            EntryType::Char => {
                let (major, minor) = device()?;
                Kind::Character { major, minor }
            }
            EntryType::Block => {
                let (major, minor) = device()?;
                Kind::Block { major, minor }
            }
            EntryType::Fifo => Kind::Fifo,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            // POSIX: a type that is not known is taken as a regular file.
            _ => Kind::File,
        };
        let mtime = match records.time("mtime")? {
            Some(time) => time,
            None => Time::seconds(number(&fields.mtime)?),
        };
        let mut entry = Entry {
            path,
            mode: (number(&fields.mode)? & 0o7777) as u16,
            uid: owner(records.number("uid")?, &fields.uid)?,
            gid: owner(records.number("gid")?, &fields.gid)?,
            mtime,
            attributes: records.attributes(),
            size: 0,
            segments: Vec::new(),
            kind,
        };
        if entry.kind == Kind::File {
            let stored = match records.number("size")? {
                Some(size) => size,
                None => size(header)?,
            };
            (self.left, self.padding) = (stored, padding(stored));
            sparse::describe(self, header, &records, &mut entry)?;
        }
        Ok(entry)
    }
}

fn malformed(what: &'static str) -> Error {
    Error::Malformed { what }
}

fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Error> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Error::Truncated);
            }
            result => return result.map_err(Error::Read),
        }
    }
}
