//! Making a machine's disk out of an image: a reflink where the file system can share blocks, otherwise a copy that
//! skips holes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::Error;
use crate::host::sparse;
use crate::value::ByteSize;

/// How a disk was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clone {
    /// Blocks are shared with the image until they are written.
    Reflink,
    /// Data was copied, holes were kept.
    SparseCopy,
}

/// Copies `image` to `disk` and makes it at least `size` long; the file system inside grows when the guest mounts it.
/// The disk appears under its name only when it is whole, so a killed copy leaves just `DISK.partial`, which
/// [`super::remove`] of that name, or the next copy, takes away. `cancelled` is asked between blocks.
///
/// The copy is not forced onto the host's disk. The first flush of the guest does that, and it comes early: mounting
/// the root for writing flushes. A host that loses power before has lost a machine that nobody has written to.
pub fn clone_image(
    image: &Path,
    disk: &Path,
    size: ByteSize,
    copied: &dyn Fn(u64),
    cancelled: &dyn Fn() -> bool,
) -> Result<Clone, Error> {
    let share = |from: &File, to: &File| sparse::share(from, to).is_ok();
    make(image, disk, size, copied, cancelled, &share)
}

/// The same with the way to share blocks.
fn make(
    image: &Path,
    disk: &Path,
    size: ByteSize,
    copied: &dyn Fn(u64),
    cancelled: &dyn Fn() -> bool,
    share: &dyn Fn(&File, &File) -> bool,
) -> Result<Clone, Error> {
    let fail = |source| Error::Copy {
        from: image.into(),
        to: disk.into(),
        source,
    };
    let partial = partial(disk);
    let outcome = write(image, &partial, size, copied, cancelled, share)
        .and_then(|how| std::fs::rename(&partial, disk).map(|()| how));
    outcome.map_err(|error| {
        // The copy is of no use; that it could not be removed matters less than why it failed.
        let _ = std::fs::remove_file(&partial);
        fail(error)
    })
}

/// The name that a disk has while it is being written.
pub fn partial(disk: &Path) -> PathBuf {
    let mut name = disk.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn write(
    image: &Path,
    partial: &Path,
    size: ByteSize,
    copied: &dyn Fn(u64),
    cancelled: &dyn Fn() -> bool,
    share: &dyn Fn(&File, &File) -> bool,
) -> io::Result<Clone> {
    let from = File::open(image)?;
    let to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)?;
    let length = from.metadata()?.len();
    let how = if share(&from, &to) {
        Clone::Reflink
    } else {
        copy_data(&from, &to, length, copied, cancelled)?;
        Clone::SparseCopy
    };
    to.set_len(length.max(size.as_u64()))?;
    Ok(how)
}

/// Copies what is not a hole.
fn copy_data(
    from: &File,
    to: &File,
    length: u64,
    copied: &dyn Fn(u64),
    cancelled: &dyn Fn() -> bool,
) -> io::Result<()> {
    const PIECE: usize = 8 << 20;
    let mut at = 0;
    while let Some(data) = sparse::data(from, at, length)? {
        let hole = data.end.cast_signed();
        let (mut source, mut target) = (data.start.cast_signed(), data.start.cast_signed());
        while source < hole {
            if cancelled() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled"));
            }
            let wanted = PIECE.min(usize::try_from(hole - source).unwrap_or(PIECE));
            let moved = match nix::fcntl::copy_file_range(
                from,
                Some(&mut source),
                to,
                Some(&mut target),
                wanted,
            ) {
                // Not between these file systems, or not in this one.
                Err(Errno::EXDEV | Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                    let moved = copy_piece(from, to, source.cast_unsigned(), wanted)?;
                    source += moved as i64;
                    target = source;
                    moved
                }
                moved => moved?,
            };
            if moved == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the image shrank",
                ));
            }
            copied(source.cast_unsigned());
        }
        at = data.end;
    }
    Ok(())
}

/// Copies at most `wanted` bytes at `at` through this program's memory, and says how many.
fn copy_piece(from: &File, to: &File, at: u64, wanted: usize) -> io::Result<usize> {
    let mut piece = vec![0; wanted.min(1 << 20)];
    let count = from.read_at(&mut piece, at)?;
    to.write_all_at(&piece[..count], at)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn image(dir: &Path) -> PathBuf {
        let path = dir.join("image");
        let file = File::create(&path).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"first", 0).unwrap();
        file.write_all_at(&[7; 4096], 32 << 20).unwrap();
        path
    }

    #[test]
    fn a_copy_has_the_data_keeps_the_holes_and_is_as_long_as_asked() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, disk) = (image(dir.path()), dir.path().join("disk"));
        clone_image(&image, &disk, ByteSize::mib(256), &|_| {}, &|| false).unwrap();
        let meta = std::fs::metadata(&disk).unwrap();
        assert_eq!(meta.len(), 256 << 20);
        assert!(meta.blocks() * 512 < 1 << 20, "holes were filled");
        let (a, b) = (
            std::fs::read(&image).unwrap(),
            std::fs::read(&disk).unwrap(),
        );
        assert!(a == b[..a.len()]);
        assert!(b[a.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_disk_is_never_smaller_than_its_image() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, disk) = (image(dir.path()), dir.path().join("disk"));
        clone_image(&image, &disk, ByteSize::mib(1), &|_| {}, &|| false).unwrap();
        assert_eq!(std::fs::metadata(&disk).unwrap().len(), 64 << 20);
    }

    /// As on a file system that cannot share blocks.
    fn copy(image: &Path, disk: &Path, cancelled: &dyn Fn() -> bool) -> Result<Clone, Error> {
        make(
            image,
            disk,
            ByteSize::mib(1),
            &|_| {},
            cancelled,
            &|_, _| false,
        )
    }

    #[test]
    fn without_shared_blocks_the_copy_is_the_same() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, disk) = (image(dir.path()), dir.path().join("disk"));
        assert_eq!(copy(&image, &disk, &|| false).unwrap(), Clone::SparseCopy);
        assert!(std::fs::read(&image).unwrap() == std::fs::read(&disk).unwrap());
        assert!(std::fs::metadata(&disk).unwrap().blocks() * 512 < 1 << 20);
    }

    #[test]
    fn images_may_lie_on_another_file_system() {
        // A tmpfs, which no file system shares blocks with.
        let there = tempfile::tempdir_in("/dev/shm").unwrap();
        let here = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, disk) = (image(there.path()), here.path().join("disk"));
        copy(&image, &disk, &|| false).unwrap();
        assert!(std::fs::read(&image).unwrap() == std::fs::read(&disk).unwrap());
        assert!(std::fs::metadata(&disk).unwrap().blocks() * 512 < 1 << 20);
    }

    #[test]
    fn a_cancelled_copy_leaves_nothing() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (image, disk) = (image(dir.path()), dir.path().join("disk"));
        let asked = std::cell::Cell::new(0);
        let error = copy(&image, &disk, &|| {
            asked.set(asked.get() + 1);
            // In the middle: the first piece is there.
            asked.get() == 2
        });
        assert!(error.is_err() && asked.get() == 2);
        assert!(!disk.exists() && !partial(&disk).exists());
    }
}
