//! OpenSSH's extensions of the protocol (OpenSSH PROTOCOL §4).

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, Statvfs, fstatvfs, statvfs};

use super::attributes::Attributes;
use super::files::{Answer, done, one_name, resolve};
use super::handles::{Handles, MAXIMUM_HANDLES};
use super::wire::Status;
use super::wire::{MAXIMUM_DATA, MAXIMUM_PACKET, Reader, Reply};

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

/// The packet type of a reply whose form the extension says.
const EXTENDED_REPLY: u8 = 201;

/// Carries out the extension that the request names.
pub fn answer(handles: &mut Handles, id: u32, request: &mut Reader<'_>) -> Answer {
    match request.string()? {
        b"posix-rename@openssh.com" => {
            let (from, to) = (request.path()?, request.path()?);
            done(id, std::fs::rename(from, to))
        }
        b"hardlink@openssh.com" => {
            let (from, to) = (request.path()?, request.path()?);
            done(id, std::fs::hard_link(from, to))
        }
        b"fsync@openssh.com" => done(id, handles.file(request)?.0.sync_all()),
        b"statvfs@openssh.com" => Ok(space(id, &statvfs(&request.path()?)?)),
        b"fstatvfs@openssh.com" => Ok(space(id, &fstatvfs(handles.file(request)?.0.as_fd())?)),
        b"lsetstat@openssh.com" => {
            let path = request.path()?;
            done(id, Attributes::read(request)?.apply_to_link(&path))
        }
        b"limits@openssh.com" => {
            let mut reply = Reply::to(id, EXTENDED_REPLY);
            let most = u64::try_from(MAXIMUM_HANDLES).unwrap_or(u64::MAX);
            for limit in [
                MAXIMUM_PACKET.into(),
                MAXIMUM_DATA.into(),
                MAXIMUM_DATA.into(),
                most,
            ] {
                reply.long(limit);
            }
            Ok(reply)
        }
        b"expand-path@openssh.com" => one_name(id, &resolve(&expand(&request.path()?)?)?),
        _ => Err(Status::UNSUPPORTED),
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
