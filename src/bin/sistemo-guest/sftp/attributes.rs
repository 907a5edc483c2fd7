//! File attributes on the wire (draft-ietf-secsh-filexfer-02 §5) and on disk.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmodat, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};

use super::wire::{Reader, Reply, Status};

/// Which attributes are present.
const SIZE: u32 = 0x1;
const OWNER: u32 = 0x2;
const PERMISSIONS: u32 = 0x4;
const TIMES: u32 = 0x8;
const EXTENDED: u32 = 0x8000_0000;

/// Attributes that a client sends; those absent stay as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    pub owner: Option<(u32, u32)>,
    /// Mode bits, file type included if the client sends it.
    pub mode: Option<u32>,
    /// Access and modification, seconds since 1970 UTC.
    pub times: Option<(u32, u32)>,
}

/// Permission, set-user-id, set-group-id and sticky bits.
const MODE_BITS: u32 = 0o7777;

impl Attributes {
    pub fn read(reader: &mut Reader<'_>) -> Result<Attributes, Status> {
        let flags = reader.number()?;
        let mut attributes = Attributes::default();
        if flags & SIZE != 0 {
            attributes.size = Some(reader.long()?);
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((reader.number()?, reader.number()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.mode = Some(reader.number()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((reader.number()?, reader.number()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..reader.number()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(attributes)
    }

    /// Mode bits for a new file.
    pub fn mode_or(&self, default: u32) -> u32 {
        self.mode.unwrap_or(default) & MODE_BITS
    }

    /// Applies them to what `path` leads to. The owner goes before the mode: changing it clears set-user-id.
    pub fn apply(&self, path: &Path) -> io::Result<()> {
        if let Some(size) = self.size {
            File::options().write(true).open(path)?.set_len(size)?;
        }
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
        }
        if let Some(mode) = self.mode {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & MODE_BITS))?;
        }
        if let Some((accessed, modified)) = self.times {
            utimensat(
                AT_FDCWD,
                path,
                &time(accessed),
                &time(modified),
                UtimensatFlags::FollowSymlink,
            )?;
        }
        Ok(())
    }

    /// Applies them to `path` itself, even if it is a link (`lsetstat@openssh.com`).
    pub fn apply_to_link(&self, path: &Path) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            fchownat(
                AT_FDCWD,
                path,
                Some(uid),
                Some(gid),
                AtFlags::AT_SYMLINK_NOFOLLOW,
            )?;
        }
        // A link has no mode of its own on Linux; for anything else the flag makes no difference.
        if let Some(mode) = self.mode.filter(|_| !path.is_symlink()) {
            let mode = Mode::from_bits_truncate(mode & MODE_BITS);
            fchmodat(AT_FDCWD, path, mode, FchmodatFlags::FollowSymlink)?;
        }
        if let Some((accessed, modified)) = self.times {
            utimensat(
                AT_FDCWD,
                path,
                &time(accessed),
                &time(modified),
                UtimensatFlags::NoFollowSymlink,
            )?;
        }
        Ok(())
    }

    /// Applies them to an open file.
    pub fn apply_to_file(&self, file: &File) -> io::Result<()> {
        if let Some(size) = self.size {
            file.set_len(size)?;
        }
        if let Some((uid, gid)) = self.owner {
            fchown(file, Some(uid), Some(gid))?;
        }
        if let Some(mode) = self.mode {
            file.set_permissions(std::fs::Permissions::from_mode(mode & MODE_BITS))?;
        }
        if let Some((accessed, modified)) = self.times {
            futimens(file, &time(accessed), &time(modified))?;
        }
        Ok(())
    }
}

fn time(seconds: u32) -> TimeSpec {
    TimeSpec::new(i64::from(seconds), 0)
}

/// Appends all that is known of a file.
pub fn write(reply: &mut Reply, meta: &Metadata) {
    reply.number(SIZE | OWNER | PERMISSIONS | TIMES);
    reply.long(meta.size());
    reply.number(meta.uid());
    reply.number(meta.gid());
    reply.number(meta.mode());
    // Version 3 ends in 2106; times before 1970 have no form in it at all.
    for seconds in [meta.atime(), meta.mtime()] {
        reply.number(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX));
    }
}
