//! The requests. Each is sent when its method is called.

use std::future::Future;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::error::Error;
use super::session::{Sftp, UNEXPECTED};
use super::wire::{Attributes, Packet, Reader, kind};

/// The most that one read or write carries, in bytes: less than OpenSSH's limit for a packet.
pub const MOST_DATA: usize = 255 << 10;

/// How a file is opened (§6.3).
pub mod flags {
    pub const READ: u32 = 0x1;
    pub const WRITE: u32 = 0x2;
    pub const CREATE: u32 = 0x8;
}

/// An open file or folder of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle(Vec<u8>);

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: PathBuf,
    /// Of the entry itself, also when it is a link.
    pub attributes: Attributes,
}

impl Sftp {
    fn handle(&self, packet: Packet) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        let asked = self.ask(packet);
        async move {
            match asked.await? {
                (kind::HANDLE, body) => Ok(Handle(Reader(&body).string()?.to_vec())),
                _ => Err(UNEXPECTED),
            }
        }
    }

    /// Opens a file; a new one is its user's alone until its mode is set.
    pub fn open(
        &self,
        path: &Path,
        flags: u32,
    ) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        let attributes = Attributes {
            mode: (flags & flags::CREATE != 0).then_some(0o600),
            ..Attributes::default()
        };
        self.handle(
            Packet::new(kind::OPEN, 256)
                .path(path)
                .number(flags)
                .attributes(&attributes),
        )
    }

    pub fn close(&self, handle: &Handle) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::CLOSE, 0).string(&handle.0))
    }

    /// Reads at most `length` bytes, which are fewer at the end of the file and none behind it.
    pub fn read(
        &self,
        handle: &Handle,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send + use<> {
        let length = length.min(MOST_DATA);
        let asked = self.ask(
            Packet::new(kind::READ, 0)
                .string(&handle.0)
                .long(offset)
                .number(u32::try_from(length).unwrap_or(u32::MAX)),
        );
        async move {
            match asked.await {
                Ok((kind::DATA, body)) => {
                    let data = Reader(&body).string()?;
                    if data.len() > length {
                        return Err(Error::Protocol("more than was asked for"));
                    }
                    Ok(body.slice_ref(data))
                }
                Ok(_) => Err(UNEXPECTED),
                Err(Error::Status { code: 1, .. }) => Ok(Bytes::new()),
                Err(error) => Err(error),
            }
        }
    }

    /// Writes all of `data`, at most [`MOST_DATA`] bytes.
    pub fn write(
        &self,
        handle: &Handle,
        offset: u64,
        data: &[u8],
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::WRITE, data.len())
                .string(&handle.0)
                .long(offset)
                .string(data),
        )
    }

    /// What `path` is; what it leads to, with `follow`.
    pub fn attributes(
        &self,
        path: &Path,
        follow: bool,
    ) -> impl Future<Output = Result<Attributes, Error>> + Send + use<> {
        let kind = if follow { kind::STAT } else { kind::LSTAT };
        let asked = self.ask(Packet::new(kind, 256).path(path));
        async move {
            match asked.await? {
                (kind::ATTRS, body) => Reader(&body).attributes(),
                _ => Err(UNEXPECTED),
            }
        }
    }

    pub fn set_attributes(
        &self,
        path: &Path,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::SETSTAT, 256)
                .path(path)
                .attributes(attributes),
        )
    }

    pub fn set_file_attributes(
        &self,
        handle: &Handle,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::FSETSTAT, 0)
                .string(&handle.0)
                .attributes(attributes),
        )
    }

    pub fn open_folder(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<Handle, Error>> + Send + use<> {
        self.handle(Packet::new(kind::OPENDIR, 256).path(path))
    }

    /// The next entries of a folder, `.` and `..` left out; nothing when there are no more.
    pub fn read_folder(
        &self,
        handle: &Handle,
    ) -> impl Future<Output = Result<Option<Vec<Entry>>, Error>> + Send + use<> {
        let asked = self.ask(Packet::new(kind::READDIR, 0).string(&handle.0));
        async move {
            match asked.await {
                Ok((kind::NAME, body)) => names(&body).map(Some),
                Ok(_) => Err(UNEXPECTED),
                Err(Error::Status { code: 1, .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }

    /// Makes a folder that is its user's alone.
    pub fn make_folder(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let attributes = Attributes {
            mode: Some(0o700),
            ..Attributes::default()
        };
        self.tell(
            Packet::new(kind::MKDIR, 256)
                .path(path)
                .attributes(&attributes),
        )
    }

    pub fn remove(&self, path: &Path) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::REMOVE, 256).path(path))
    }

    /// Renames, in the place of what is there (OpenSSH PROTOCOL §4.3).
    pub fn rename(
        &self,
        from: &Path,
        to: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(
            Packet::new(kind::EXTENDED, 512)
                .string(b"posix-rename@openssh.com")
                .path(from)
                .path(to),
        )
    }

    /// Sets the times of `path` itself, also if it is a link (OpenSSH PROTOCOL §4.9).
    pub fn set_link_times(
        &self,
        path: &Path,
        times: (u32, u32),
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let attributes = Attributes {
            times: Some(times),
            ..Attributes::default()
        };
        self.tell(
            Packet::new(kind::EXTENDED, 256)
                .string(b"lsetstat@openssh.com")
                .path(path)
                .attributes(&attributes),
        )
    }

    pub fn read_link(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        self.one_path(kind::READLINK, path)
    }

    /// The path without links and dots; its last part need not exist.
    pub fn resolve(
        &self,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        self.one_path(kind::REALPATH, path)
    }

    fn one_path(
        &self,
        kind: u8,
        path: &Path,
    ) -> impl Future<Output = Result<PathBuf, Error>> + Send + use<> {
        let asked = self.ask(Packet::new(kind, 256).path(path));
        async move {
            match asked.await? {
                (kind::NAME, body) => {
                    let mut reader = Reader(&body);
                    match reader.number()? {
                        0 => Err(UNEXPECTED),
                        _ => reader.path(),
                    }
                }
                _ => Err(UNEXPECTED),
            }
        }
    }

    /// Makes a link. The target goes first: OpenSSH's order, against the draft's (PROTOCOL §4.1).
    pub fn make_link(
        &self,
        target: &Path,
        link: &Path,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        self.tell(Packet::new(kind::SYMLINK, 512).path(target).path(link))
    }
}

fn names(body: &[u8]) -> Result<Vec<Entry>, Error> {
    let mut reader = Reader(body);
    let mut entries = Vec::new();
    for _ in 0..reader.number()? {
        let name = reader.path()?;
        reader.string()?;
        let attributes = reader.attributes()?;
        if name != Path::new(".") && name != Path::new("..") {
            entries.push(Entry { name, attributes });
        }
    }
    Ok(entries)
}
