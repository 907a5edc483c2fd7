//! Unpacking tar archives into a folder, layers with whiteouts among them (OCI image-spec, layer.md).
//!
//! It happens on a thread that has made the folder its root: whatever links an archive holds, nothing outside can be
//! reached through them. An entry that tries by name (`..`) is an error all the same.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::time::TimeSpec;
use tar::{Archive, Entry, EntryType};

use super::Error;

/// Begins the name of a file that hides one of a lower layer; with [`OPAQUE`] it hides a folder's whole content.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// An archive to be unpacked, uncompressed.
pub(super) type Source = Box<dyn Read + Send>;

/// Unpacks archives into `root` one over another, the lowest first. Says how many entries there were. `next` gives the
/// archives; it is called on the thread that unpacks, whose paths begin at `root`, so it opens no file by its path.
pub(super) fn into_folder(
    root: &Path,
    next: impl FnMut() -> Option<Result<Source, Error>> + Send,
) -> Result<u64, Error> {
    let enter = |source| Error::File {
        what: "enter",
        path: root.into(),
        source,
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // The root folder of a thread that shares it with nobody is its own (unshare(2), CLONE_FS).
            unshare(CloneFlags::CLONE_FS).map_err(|errno| enter(errno.into()))?;
            nix::unistd::chroot(root).map_err(|errno| enter(errno.into()))?;
            std::env::set_current_dir("/").map_err(enter)?;
            nix::sys::stat::umask(Mode::empty());
            all(next)
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn all(mut next: impl FnMut() -> Option<Result<Source, Error>>) -> Result<u64, Error> {
    let mut count = 0;
    while let Some(source) = next() {
        count += Layer::default().unpack(source?)?;
    }
    Ok(count)
}

/// One archive on its way into the root.
#[derive(Default)]
struct Layer {
    /// What this archive has made: whiteouts hide only what was there before.
    made: HashSet<PathBuf>,
    /// Times of folders, set last, since making what is in them changes them.
    folders: Vec<(PathBuf, TimeSpec)>,
}

impl Layer {
    fn unpack(mut self, source: Source) -> Result<u64, Error> {
        let mut archive = Archive::new(source);
        let mut count = 0;
        for entry in archive.entries().map_err(Error::Damaged)? {
            let mut entry = entry.map_err(Error::Damaged)?;
            let named = entry.path_bytes().into_owned();
            let text = String::from_utf8_lossy(&named).into_owned();
            let path = inside(&named).ok_or_else(|| Error::Escapes {
                entry: text.clone(),
            })?;
            self.place(&mut entry, &path)
                .map_err(|source| match source.kind() {
                    // The archive ends in the middle of a file, or its compression is broken.
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                        Error::Damaged(source)
                    }
                    _ => Error::Unpack {
                        entry: text,
                        source,
                    },
                })?;
            count += 1;
        }
        for (path, time) in self.folders.iter().rev() {
            set_time(path, time).map_err(|source| Error::Unpack {
                entry: path.display().to_string(),
                source,
            })?;
        }
        Ok(count)
    }

    fn place(&mut self, entry: &mut Entry<'_, Source>, path: &Path) -> io::Result<()> {
        let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
        let parent = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        if name == OPAQUE {
            return self.hide_content(&parent);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            let hidden = parent.join(OsStr::from_bytes(hidden));
            return if self.made.contains(&hidden) {
                Ok(())
            } else {
                remove(&hidden)
            };
        }
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        if path == Path::new("/") {
            return self.describe(entry, path, kind);
        }
        fs::create_dir_all(&parent)?;
        self.make(entry, path, kind)?;
        self.made.insert(path.to_path_buf());
        if kind != EntryType::Link {
            self.describe(entry, path, kind)?;
        }
        Ok(())
    }

    /// Makes the file itself. What a lower layer has there goes, but a folder stays one.
    fn make(
        &mut self,
        entry: &mut Entry<'_, Source>,
        path: &Path,
        kind: EntryType,
    ) -> io::Result<()> {
        let there = fs::symlink_metadata(path);
        let stays = kind == EntryType::Directory && there.as_ref().is_ok_and(fs::Metadata::is_dir);
        if there.is_ok() && !stays {
            remove(path)?;
        }
        let device = |flag| -> io::Result<()> {
            let header = entry.header();
            let (major, minor) = (header.device_major()?, header.device_minor()?);
            let number = makedev(major.unwrap_or(0).into(), minor.unwrap_or(0).into());
            Ok(mknod(path, flag, Mode::from_bits_truncate(0o600), number)?)
        };
        match kind {
            EntryType::Directory if stays => Ok(()),
            EntryType::Directory => fs::create_dir(path),
            EntryType::Symlink => symlink(target(entry)?, path),
            EntryType::Link => {
                let target = inside(target(entry)?.as_os_str().as_bytes());
                let target = target.ok_or_else(|| io::Error::other("the link leads out"))?;
                fs::hard_link(target, path)
            }
            EntryType::Char => device(SFlag::S_IFCHR),
            EntryType::Block => device(SFlag::S_IFBLK),
            EntryType::Fifo => device(SFlag::S_IFIFO),
            _ => {
                let mut file = File::options().write(true).create_new(true).open(path)?;
                let size = entry.size();
                let copied = copy_sparse(entry, &mut file)?;
                match copied == size {
                    true => Ok(()),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        }
    }

    /// Sets owner, mode, extended attributes and time, in the order in which one does not undo another.
    fn describe(
        &mut self,
        entry: &mut Entry<'_, Source>,
        path: &Path,
        kind: EntryType,
    ) -> io::Result<()> {
        let header = entry.header();
        let id = |id: u64| u32::try_from(id).map_err(io::Error::other);
        let (uid, gid) = (id(header.uid()?)?, id(header.gid()?)?);
        let mode = header.mode()? & 0o7777;
        let mut seconds = i64::try_from(header.mtime()?).unwrap_or_default();
        let mut nanoseconds = 0;
        let mut attributes = Vec::new();
        for record in entry.pax_extensions()?.into_iter().flatten() {
            let record = record?;
            let key = record.key_bytes();
            if key == b"mtime" {
                (seconds, nanoseconds) = pax_time(record.value_bytes()).unwrap_or((seconds, 0));
            } else if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                attributes.push((name.to_vec(), record.value_bytes().to_vec()));
            }
        }
        if kind == EntryType::Symlink {
            lchown(path, Some(uid), Some(gid))?;
        } else {
            chown(path, Some(uid), Some(gid))?;
            fs::set_permissions(path, PermissionsExt::from_mode(mode))?;
        }
        for (name, value) in attributes {
            set_attribute(path, &name, &value)?;
        }
        let time = TimeSpec::new(seconds, nanoseconds);
        if kind == EntryType::Directory {
            self.folders.push((path.to_path_buf(), time));
            return Ok(());
        }
        set_time(path, &time)
    }

    /// Removes what lower layers have in a folder.
    fn hide_content(&self, folder: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if !self.made.iter().any(|made| made.starts_with(&path)) {
                remove(&path)?;
            } else if fs::symlink_metadata(&path)?.is_dir() {
                self.hide_content(&path)?;
            }
        }
        Ok(())
    }
}

/// An entry's name as a path from the root; `None` for one that climbs. A leading slash means the root.
fn inside(name: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::from("/");
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn target(entry: &Entry<'_, Source>) -> io::Result<PathBuf> {
    let name = entry
        .link_name_bytes()
        .ok_or_else(|| io::Error::other("a link to nowhere"))?;
    Ok(PathBuf::from(OsStr::from_bytes(&name)))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies a file and leaves holes where it is zero for a block.
fn copy_sparse(from: &mut impl Read, to: &mut File) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;
    const BLOCK: usize = 4096;
    let mut buffer = vec![0; 64 * BLOCK];
    let mut at = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match from.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            to.set_len(at)?;
            return Ok(at);
        }
        for (index, block) in buffer[..filled].chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                to.write_all_at(block, at + (index * BLOCK) as u64)?;
            }
        }
        at += filled as u64;
    }
}

/// `SECONDS.FRACTION` (POSIX pax, "mtime").
fn pax_time(text: &[u8]) -> Option<(i64, i64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    Some((whole.parse().ok()?, digits.parse().ok()?))
}

fn set_time(path: &Path, time: &TimeSpec) -> io::Result<()> {
    let flags = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
    nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, path, time, time, flags)?;
    Ok(())
}

fn set_attribute(path: &Path, name: &[u8], value: &[u8]) -> io::Result<()> {
    let name = OsStr::from_bytes(name);
    match rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()) {
        // Attributes that this host's file system cannot hold, such as a label of another security module.
        Err(rustix::io::Errno::NOTSUP) => Ok(()),
        other => Ok(other?),
    }
}
