//! The requests of the protocol itself, carried out on files and folders.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::attributes::{self, Attributes};
use super::handles::{Handle, Handles};
use super::wire::{MAXIMUM_DATA, Reader, Reply, Status};
use super::{extensions, listing};

/// Packet types of replies.
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;

/// Names of a folder in one reply; OpenSSH's number.
const NAMES: u32 = 100;

/// A session's way to files: what it asks for, done with what it holds open.
#[derive(Debug, Default)]
pub struct Files(Handles);

/// What a request comes to: a reply with data, or a status.
pub(super) type Answer = Result<Reply, Status>;

impl Files {
    /// Carries out a request of this type; types as in draft-ietf-secsh-filexfer-02 §3.
    pub fn handle(&mut self, kind: u8, id: u32, request: &mut Reader<'_>) -> Answer {
        match kind {
            3 => self.open(id, request),
            4 => {
                self.0.close(request)?;
                Ok(Reply::status(id, &Status::OK))
            }
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
            200 => extensions::answer(&mut self.0, id, request),
            _ => Err(Status::UNSUPPORTED),
        }
    }

    fn opened(&mut self, id: u32, handle: Handle) -> Answer {
        let number = self.0.add(handle)?;
        let mut reply = Reply::to(id, HANDLE);
        reply.string(&number.to_be_bytes());
        Ok(reply)
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
        self.opened(id, Handle::File { file, append })
    }

    fn read(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let (file, _) = self.0.file(request)?;
        let offset = request.long()?;
        let length = request.number()?.min(MAXIMUM_DATA);
        let mut reply = Reply::to(id, DATA);
        let count = reply.string_from(length as usize, |buffer| file.read_at(buffer, offset))?;
        if count == 0 && length != 0 {
            return Err(Status::END_OF_FILE);
        }
        Ok(reply)
    }

    fn write(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let (mut file, append) = self.0.file(request)?;
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

    fn metadata(&mut self, request: &mut Reader<'_>) -> Result<std::fs::Metadata, Status> {
        Ok(match self.0.get(request)? {
            Handle::File { file, .. } => file.metadata()?,
            Handle::Folder { path, .. } => path.metadata()?,
        })
    }

    fn set_attributes(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let handle = self.0.get(request)?;
        let attributes = Attributes::read(request)?;
        match handle {
            Handle::File { file, .. } => done(id, attributes.apply_to_file(file)),
            Handle::Folder { path, .. } => done(id, attributes.apply(path)),
        }
    }

    fn open_folder(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let path = request.path()?;
        let entries = std::fs::read_dir(&path)?;
        self.opened(id, Handle::Folder { path, entries })
    }

    fn read_folder(&mut self, id: u32, request: &mut Reader<'_>) -> Answer {
        let Handle::Folder { entries, .. } = self.0.get(request)? else {
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
}

/// The reply to a request that asks for nothing back.
pub(super) fn done(id: u32, result: io::Result<()>) -> Answer {
    result?;
    Ok(Reply::status(id, &Status::OK))
}

fn attributes_of(id: u32, meta: std::fs::Metadata) -> Answer {
    let mut reply = Reply::to(id, ATTRS);
    attributes::write(&mut reply, &meta);
    Ok(reply)
}

/// A reply of one name, without attributes, as `realpath` and `readlink` want it.
pub(super) fn one_name(id: u32, path: &Path) -> Answer {
    let mut reply = Reply::to(id, NAME);
    reply.number(1);
    for _ in 0..2 {
        reply.string(path.as_os_str().as_bytes());
    }
    reply.number(0);
    Ok(reply)
}

/// The path without links and dots; its last part need not exist, so that a client may ask for what it will make.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
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
