//! Packets of SFTP version 3, put together and taken apart (draft-ietf-secsh-filexfer-02). Paths are bytes.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::Error;

/// The largest packet that is taken, in bytes without its length: what OpenSSH's programs and our guest send at most,
/// and some more.
pub(super) const MOST: usize = 300 << 10;

/// Types of packets (§3).
pub(super) mod kind {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const SETSTAT: u8 = 9;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
}

// Which attributes are present (§5).
const SIZE: u32 = 0x1;
const OWNER: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const TIMES: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// What a file is, as far as the guest says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    /// Kind and permissions, as in `st_mode`.
    pub mode: Option<u32>,
    /// Access and modification, seconds since 1970.
    pub times: Option<(u32, u32)>,
}

/// A request being put together.
#[derive(Debug)]
pub(super) struct Packet(Vec<u8>);

impl Packet {
    /// Begins a packet of this type, with room for `expected` bytes; its length and number are filled in at the end.
    pub fn new(kind: u8, expected: usize) -> Packet {
        let mut bytes = Vec::with_capacity(expected + 64);
        bytes.extend([0, 0, 0, 0, kind, 0, 0, 0, 0]);
        Packet(bytes)
    }

    pub fn number(mut self, value: u32) -> Packet {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn long(mut self, value: u64) -> Packet {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn string(self, bytes: &[u8]) -> Packet {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut packet = self.number(length);
        packet.0.extend(bytes);
        packet
    }

    pub fn path(self, path: &Path) -> Packet {
        self.string(path.as_os_str().as_bytes())
    }

    pub fn attributes(self, attributes: &Attributes) -> Packet {
        let flag = |present: bool, flag: u32| if present { flag } else { 0 };
        let flags = flag(attributes.size.is_some(), SIZE)
            | flag(attributes.mode.is_some(), PERMISSIONS)
            | flag(attributes.times.is_some(), TIMES);
        let mut packet = self.number(flags);
        if let Some(size) = attributes.size {
            packet = packet.long(size);
        }
        if let Some(mode) = attributes.mode {
            packet = packet.number(mode);
        }
        if let Some((accessed, modified)) = attributes.times {
            packet = packet.number(accessed).number(modified);
        }
        packet
    }

    /// The packet with its length and number.
    pub fn numbered(mut self, number: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0[5..9].copy_from_slice(&number.to_be_bytes());
        self.0
    }
}

/// A reply being taken apart.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let short = Error::Protocol("a reply that is cut short");
        let (taken, rest) = self.0.split_at_checked(count).ok_or(short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub fn number(&mut self) -> Result<u32, Error> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn long(&mut self) -> Result<u64, Error> {
        Ok(u64::from(self.number()?) << 32 | u64::from(self.number()?))
    }

    pub fn string(&mut self) -> Result<&'a [u8], Error> {
        let length = self.number()?;
        self.take(length as usize)
    }

    pub fn path(&mut self) -> Result<PathBuf, Error> {
        let bytes = self.string()?.to_vec();
        Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
    }

    pub fn attributes(&mut self) -> Result<Attributes, Error> {
        let flags = self.number()?;
        let mut attributes = Attributes::default();
        if flags & SIZE != 0 {
            attributes.size = Some(self.long()?);
        }
        if flags & OWNER != 0 {
            self.take(8)?;
        }
        if flags & PERMISSIONS != 0 {
            attributes.mode = Some(self.number()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((self.number()?, self.number()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..self.number()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let all = Attributes {
            size: Some(1 << 40),
            mode: Some(0o100_644),
            times: Some((7, u32::MAX)),
        };
        let some = Attributes {
            mode: Some(0o755),
            ..Attributes::default()
        };
        for attributes in [all, some, Attributes::default()] {
            let packet = Packet::new(kind::ATTRS, 0)
                .attributes(&attributes)
                .numbered(1);
            assert_eq!(Reader(&packet[9..]).attributes().unwrap(), attributes);
        }
    }

    #[test]
    fn replies_that_are_cut_short_are_errors_and_no_panics() {
        let packet = Packet::new(kind::NAME, 0).string(b"name").numbered(1);
        for length in 9..packet.len() {
            assert!(Reader(&packet[9..length]).string().is_err());
        }
        assert!(Reader(&[0xff; 5]).string().is_err());
    }
}
