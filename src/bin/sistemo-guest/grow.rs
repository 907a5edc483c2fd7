//! Growing a mounted ext4 file system to its disk's size, by the kernel itself: no `resize2fs` needed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Why a file system keeps its size.
#[derive(Debug, thiserror::Error)]
#[error("cannot grow the file system at {place} to its disk")]
pub struct GrowError {
    place: PathBuf,
    #[source]
    source: io::Error,
}

// `EXT4_IOC_RESIZE_FS` (linux/fs/ext4/ext4.h): the new size in blocks.
nix::ioctl_write_ptr!(resize_fs, b'f', 16, u64);

/// Where the superblock begins on the disk, and how much of it is read here (ext4(5), kernel's ext4/super.rst).
const SUPERBLOCK: u64 = 1024;
const SUPERBLOCK_LENGTH: usize = 1024;

/// Grows what is mounted at `place` from `disk`; does nothing if it fills the disk already.
pub fn to_disk(disk: &Path, place: &Path) -> Result<(), GrowError> {
    let failed = |source| GrowError {
        place: place.to_owned(),
        source,
    };
    let (now, possible) = sizes(disk).map_err(failed)?;
    if possible <= now {
        return Ok(());
    }
    let mounted = File::open(place).map_err(failed)?;
    // SAFETY: the descriptor is open, and `possible` is a number that the kernel reads.
    unsafe { resize_fs(mounted.as_raw_fd(), &raw const possible) }
        .map_err(|error| failed(error.into()))?;
    Ok(())
}

/// Blocks of the file system, and blocks that its disk could hold.
fn sizes(disk: &Path) -> io::Result<(u64, u64)> {
    let mut disk = File::open(disk)?;
    let bytes = disk.seek(SeekFrom::End(0))?;
    disk.seek(SeekFrom::Start(SUPERBLOCK))?;
    let mut superblock = [0; SUPERBLOCK_LENGTH];
    disk.read_exact(&mut superblock)?;
    let (blocks, block_size) = geometry(&superblock).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "its superblock is not ext4's")
    })?;
    Ok((blocks, bytes / block_size))
}

/// Number of blocks, and their size in bytes.
fn geometry(superblock: &[u8; SUPERBLOCK_LENGTH]) -> Option<(u64, u64)> {
    let word = |at: usize| {
        u32::from_le_bytes([
            superblock[at],
            superblock[at + 1],
            superblock[at + 2],
            superblock[at + 3],
        ])
    };
    // s_magic.
    if superblock[0x38..0x3a] != [0x53, 0xef] {
        return None;
    }
    // s_log_block_size: 1 KiB shifted by it.
    let block_size = 1024_u64
        .checked_shl(word(0x18))
        .filter(|size| *size <= 65_536 && *size != 0)?;
    // s_feature_incompat, INCOMPAT_64BIT: the count has an upper half, s_blocks_count_hi.
    let wide = word(0x60) & 0x80 != 0;
    let high = if wide { word(0x150) } else { 0 };
    Some((u64::from(word(0x4)) | u64::from(high) << 32, block_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_geometry_is_what_mkfs_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("fs");
        File::create(&image).unwrap().set_len(48 << 20).unwrap();
        let made = std::process::Command::new("mkfs.ext4")
            .args(["-q", "-b", "4096"])
            .arg(&image)
            .arg("32M")
            .status()
            .unwrap();
        assert!(made.success());
        assert_eq!(sizes(&image).unwrap(), (32 << 20 >> 12, 48 << 20 >> 12));
    }

    #[test]
    fn anything_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("fs");
        std::fs::write(&image, [0; 4096]).unwrap();
        assert!(
            sizes(&image)
                .unwrap_err()
                .to_string()
                .contains("superblock")
        );
    }
}
