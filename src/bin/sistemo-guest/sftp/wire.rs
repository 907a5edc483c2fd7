//! The protocol's building blocks: numbers, strings, statuses (draft-ietf-secsh-filexfer-02 §3, §7).

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The largest packet taken or sent, in bytes without its length; OpenSSH's own limit (sftp-common.h).
pub const MAXIMUM_PACKET: u32 = 256 * 1024;
/// The most data in one read or write: a packet less its frame.
pub const MAXIMUM_DATA: u32 = MAXIMUM_PACKET - 1024;

/// Packet types of replies.
const STATUS: u8 = 101;

/// What a request came to, if not a reply with data.
#[derive(Debug)]
pub struct Status {
    code: u32,
    text: Cow<'static, str>,
}

impl Status {
    pub const OK: Status = Status {
        code: 0,
        text: Cow::Borrowed("Success"),
    };
    pub const END_OF_FILE: Status = Status {
        code: 1,
        text: Cow::Borrowed("End of file"),
    };
    pub const BAD_MESSAGE: Status = Status {
        code: 5,
        text: Cow::Borrowed("Bad message"),
    };
    pub const UNSUPPORTED: Status = Status {
        code: 8,
        text: Cow::Borrowed("Operation unsupported"),
    };
    pub const BAD_HANDLE: Status = Status {
        code: 4,
        text: Cow::Borrowed("No such handle"),
    };
}

impl From<io::Error> for Status {
    fn from(error: io::Error) -> Status {
        let code = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => 2,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => 3,
            _ => 4,
        };
        // The kernel's word for it; OpenSSH's client shows it.
        let text = match error.raw_os_error() {
            Some(number) => Errno::from_raw(number).desc().into(),
            None => error.to_string().into(),
        };
        Status { code, text }
    }
}

impl From<Errno> for Status {
    fn from(error: Errno) -> Status {
        io::Error::from(error).into()
    }
}

/// A request being taken apart.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(packet: &'a [u8]) -> Reader<'a> {
        Reader(packet)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Status> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Status::BAD_MESSAGE)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Status> {
        Ok(self.take(1)?[0])
    }

    pub fn number(&mut self) -> Result<u32, Status> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn long(&mut self) -> Result<u64, Status> {
        Ok(u64::from(self.number()?) << 32 | u64::from(self.number()?))
    }

    pub fn string(&mut self) -> Result<&'a [u8], Status> {
        let length = self.number()?;
        self.take(length as usize)
    }

    /// A path; the empty one is where the session began.
    pub fn path(&mut self) -> Result<PathBuf, Status> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = self.string()?;
        if bytes.contains(&0) {
            return Err(Status::BAD_MESSAGE);
        }
        let bytes = if bytes.is_empty() { b"." } else { bytes };
        Ok(Path::new(std::ffi::OsStr::from_bytes(bytes)).to_path_buf())
    }
}

/// A reply being put together.
#[derive(Debug)]
pub struct Reply(Vec<u8>);

impl Reply {
    /// Begins a packet of this type; its length is filled in at the end.
    pub fn new(kind: u8) -> Reply {
        Reply(vec![0, 0, 0, 0, kind])
    }

    /// Begins a packet that answers request `id`.
    pub fn to(id: u32, kind: u8) -> Reply {
        let mut reply = Reply::new(kind);
        reply.number(id);
        reply
    }

    pub fn status(id: u32, status: &Status) -> Reply {
        let mut reply = Reply::to(id, STATUS);
        reply.number(status.code);
        reply.string(status.text.as_bytes());
        reply.string(b"en");
        reply
    }

    pub fn number(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn long(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn string(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    /// Appends a string that `fill` reads into at most `length` bytes; its result is how many.
    pub fn string_from(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let start = self.0.len();
        self.0.resize(start + 4 + length, 0);
        let count = fill(&mut self.0[start + 4..])?;
        self.0.truncate(start + 4 + count);
        self.0[start..start + 4]
            .copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        Ok(count)
    }

    /// How long the packet is by now, in bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Overwrites the number at `place`, which was a placeholder until its value was known.
    pub fn set_number(&mut self, place: usize, value: u32) {
        self.0[place..place + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// The packet with its length.
    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.set_number(0, length);
        self.0
    }
}
