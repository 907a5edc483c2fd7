//! The requests, carried out on files and folders.

use std::collections::HashMap;
use std::fs::{File, ReadDir};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::statvfs::{FsFlags, Statvfs, fstatvfs, statvfs};

use super::attributes::{self, Attributes};
use super::listing;
use super::wire::{MAXIMUM_DATA, MAXIMUM_PACKET, Reader, Reply, Status};

/// OpenSSH's extensions that are served, with their versions.
pub const EXTENSIONS: [(&str, &str); 8] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
];

/// Packet types of replies.
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

/// Most files that one session may hold open; below the usual limit of 1024 descriptors.
const MAXIMUM_HANDLES: usize = 1000;
/// Names of a folder in one reply; OpenSSH's number.
const NAMES: u32 = 100;

#[derive(Debug)]
enum Handle {
    File { file: File, append: bool },
    Folder { path: PathBuf, entries: ReadDir },
}

/// The open files of a session.
#[derive(Debug, Default)]
pub struct Files {
    handles: HashMap<u32, Handle>,
    next: u32,
}

type Answer = Result<Reply, Status>;

impl Files {
    /// Carries out a request of this type; types as in draft-ietf-secsh-filexfer-02 §3.
    pub fn handle(&mut self, kind: u8, id: u32, request: &mut Reader<'_>) -> Answer {
        match kind {
            3 => self.open(id, request),
            4 => self.close(id, request),
            5 => self.read(id, request),
            6 => self.write(id, request),
            7 => attributes_of(id, request.path()?.symlink_metadata()?),
            8 => attributes_of(id, self.metadata(request)?),
            9 => {
                let path = request.path()?;
                done(id, Attributes::read(request)?.apply(&path))
            }
            10 => self.set_attributes(id, request),
            11 => self.open_folder(id, request),
            12 => self.read_folder(id, request),
            13 => done(id, std::fs::remove_file(request.path()?)),
            14 => {
                let path = request.path()?;
                let mode = Attributes::read(request)?.mode_or(0o777);
                done(id, std::fs::DirBuilder::new().mode(mode).create(path))
            }
            15 => done(id, std::fs::remove_dir(request.path()?)),
            16 => one_name(id, &resolve(&request.path()?)?),
            17 => attributes_of(id, request.path()?.metadata()?),
            18 => {
                let (from, to) = (request.path()?, request.path()?);
                done(id, rename_without_replacing(&from, &to))
            }
            19 => one_name(id, &std::fs::read_link(request.path()?)?),
            20 => {
                // Target first: OpenSSH's order (PROTOCOL §4.1), against the draft's, and what clients send.
                let (target, link) = (request.path()?, request.path()?);
                done(id, std::os::unix::fs::symlink(target, link))
            }
            200 => self.extended(id, request),
            _ => Err(Status::UNSUPPORTED),
        }
    }

    fn add(&mut self, id: u32, handle: Handle) -> Answer {
        if self.handles.len() >= MAXIMUM_HANDLES {
            return Err(io::Error::from_raw_os_error(nix::libc::EMFILE).into());
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.handles.insert(number, handle);
        let mut reply = Reply::to(id, HANDLE);
        reply.string(&number.to_be_bytes());
        Ok(reply)
    }

    fn number(request: &mut Reader<'_>) -> Result<u32, Status> {
        let bytes: [u8; 4] = request
            .string()?
            .try_into()
            .map_err(|_| Status::BAD_HANDLE)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn file(&self, request: &mut Reader<'_>) -> Result<(&File, bool), Status> {
        match self.handles.get(&Self::number(request)?) {
            Some(Handle::File { file, append }) => Ok((file, *append)),
            _ => Err(Status::BAD_HANDLE),
        }
    }

    fn open(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let path = request.path()?;
        let flags = request.number()?;
        let mode = Attributes::read(request)?.mode_or(0o666);
        let has = |flag: u32| flags & flag != 0;
        let (read, write, append, create, truncate, exclusive) =
            (has(0x1), has(0x2), has(0x4), has(0x8), has(0x10), has(0x20));
        let file = File::options()
            .read(read)
            .write(write && !append)
            .append(write && append)
            .create(create && !exclusive)
            .create_new(create && exclusive)
            .truncate(truncate && !append)
            .mode(mode)
            .custom_flags(nix::libc::O_NOCTTY)
            .open(path)?;
        self.add(id, Handle::File { file, append })
    }

    fn close(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        self.handles
            .remove(&Self::number(request)?)
            .ok_or(Status::BAD_HANDLE)?;
        Ok(Reply::status(id, &Status::OK))
    }

    fn read(&self, id: u32, request: &mut Reader<'_>) -> Answer {
        let (file, _) = self.file(request)?;
        let offset = request.long()?;
        let length = request.number()?.min(MAXIMUM_DATA);
        let mut reply = Reply::to(id, DATA);
        let count = reply.string_from(length as usize, |buffer| file.read_at(buffer, offset))?;
        if count == 0 && length != 0 {
            return Err(Status::END_OF_FILE);
        }
        Ok(reply)
    }

    fn write(&self, id: u32, request: &mut Reader<'_>) -> Answer {
        let (mut file, append) = self.file(request)?;
        let offset = request.long()?;
        let data = request.string()?;
        done(
            id,
            if append {
                io::Write::write_all(&mut file, data)
            } else {
                file.write_all_at(data, offset)
            },
        )
    }

    fn metadata(&self, request: &mut Reader<'_>) -> Result<std::fs::Metadata, Status> {
        match self.handles.get(&Self::number(request)?) {
            Some(Handle::File { file, .. }) => Ok(file.metadata()?),
            Some(Handle::Folder { path, .. }) => Ok(path.metadata()?),
            None => Err(Status::BAD_HANDLE),
        }
    }

    fn set_attributes(&self, id: u32, request: &mut Reader<'_>) -> Answer {
        let number = Self::number(request)?;
        let attributes = Attributes::read(request)?;
        match self.handles.get(&number) {
            Some(Handle::File { file, .. }) => done(id, attributes.apply_to_file(file)),
            Some(Handle::Folder { path, .. }) => done(id, attributes.apply(path)),
            None => Err(Status::BAD_HANDLE),
        }
    }

    fn open_folder(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let path = request.path()?;
        let entries = std::fs::read_dir(&path)?;
        self.add(id, Handle::Folder { path, entries })
    }

    fn read_folder(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let Some(Handle::Folder { entries, .. }) = self.handles.get_mut(&Self::number(request)?)
        else {
            return Err(Status::BAD_HANDLE);
        };
        let mut reply = Reply::to(id, NAME);
        let (place, mut count) = (reply.length(), 0);
        reply.number(0);
        while count < NAMES && reply.length() < MAXIMUM_DATA as usize / 2 {
            let Some(entry) = entries.next() else { break };
            let entry = entry?;
            // It may have been removed since.
            let Ok(meta) = entry.metadata() else { continue };
            let name = entry.file_name();
            reply.string(name.as_bytes());
            reply.string(&listing::line(name.as_bytes(), &meta));
            attributes::write(&mut reply, &meta);
            count += 1;
        }
        if count == 0 {
            return Err(Status::END_OF_FILE);
        }
        reply.set_number(place, count);
        Ok(reply)
    }

    /// OpenSSH PROTOCOL §4.
    fn extended(&self, id: u32, request: &mut Reader<'_>) -> Answer {
        match request.string()? {
            b"posix-rename@openssh.com" => {
                let (from, to) = (request.path()?, request.path()?);
                done(id, std::fs::rename(from, to))
            }
            b"hardlink@openssh.com" => {
                let (from, to) = (request.path()?, request.path()?);
                done(id, std::fs::hard_link(from, to))
            }
            b"fsync@openssh.com" => done(id, self.file(request)?.0.sync_all()),
            b"statvfs@openssh.com" => Ok(space(id, &statvfs(&request.path()?)?)),
            b"fstatvfs@openssh.com" => Ok(space(id, &fstatvfs(self.file(request)?.0.as_fd())?)),
            b"lsetstat@openssh.com" => {
                let path = request.path()?;
                done(id, Attributes::read(request)?.apply_to_link(&path))
            }
            b"limits@openssh.com" => {
                let mut reply = Reply::to(id, EXTENDED_REPLY);
                let handles = u64::try_from(MAXIMUM_HANDLES).unwrap_or(u64::MAX);
                for limit in [
                    MAXIMUM_PACKET.into(),
                    MAXIMUM_DATA.into(),
                    MAXIMUM_DATA.into(),
                    handles,
                ] {
                    reply.long(limit);
                }
                Ok(reply)
            }
            b"expand-path@openssh.com" => one_name(id, &resolve(&expand(&request.path()?)?)?),
            _ => Err(Status::UNSUPPORTED),
        }
    }
}

fn done(id: u32, result: io::Result<()>) -> Answer {
    result?;
    Ok(Reply::status(id, &Status::OK))
}

fn attributes_of(id: u32, meta: std::fs::Metadata) -> Answer {
    let mut reply = Reply::to(id, ATTRS);
    attributes::write(&mut reply, &meta);
    Ok(reply)
}

/// A reply of one name, without attributes, as `realpath` and `readlink` want it.
fn one_name(id: u32, path: &Path) -> Answer {
    let mut reply = Reply::to(id, NAME);
    reply.number(1);
    for _ in 0..2 {
        reply.string(path.as_os_str().as_bytes());
    }
    reply.number(0);
    Ok(reply)
}

/// The path without links and dots; its last part need not exist, so that a client may ask for what it will make.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(folder), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            Ok(folder.canonicalize()?.join(name))
        }
        (resolved, ..) => resolved,
    }
}

/// `~` and `~/…` are below the user's home. Other users' homes are not looked up.
fn expand(path: &Path) -> io::Result<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => {
            let home = std::env::var_os("HOME").ok_or(io::ErrorKind::NotFound)?;
            Ok(Path::new(&home).join(rest))
        }
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// Version 3 says that a rename replaces nothing. Where the file system cannot promise it, it is looked up first.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) if to.symlink_metadata().is_err() => {
            std::fs::rename(from, to)
        }
        Err(nix::Error::EINVAL | nix::Error::ENOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
        result => Ok(result?),
    }
}

fn space(id: u32, space: &Statvfs) -> Reply {
    let mut reply = Reply::to(id, EXTENDED_REPLY);
    let flags = space.flags();
    let read_only = u64::from(flags.contains(FsFlags::ST_RDONLY));
    let no_setuid = u64::from(flags.contains(FsFlags::ST_NOSUID)) << 1;
    for value in [
        space.block_size(),
        space.fragment_size(),
        space.blocks(),
        space.blocks_free(),
        space.blocks_available(),
        space.files(),
        space.files_free(),
        space.files_available(),
        space.filesystem_id(),
        read_only | no_setuid,
        space.name_max(),
    ] {
        reply.long(value);
    }
    reply
}
