//! Files with holes, and files that share blocks.

use std::fs::File;
use std::io;
use std::ops::Range;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

/// Has `to` share all blocks of `from` until either is written to (`FICLONE` of ioctl_ficlone(2)).
///
/// # Errors
///
/// When the file system cannot, or they lie on two.
pub fn share(from: &File, to: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

/// Where the next data is, at `at` or behind it and before `length`, up to the hole behind it (`SEEK_DATA` and `SEEK_HOLE`
/// of lseek(2)). In bytes. Nothing when only a hole follows. The file's offset moves.
///
/// # Errors
///
/// As `lseek(2)`.
pub fn data(file: &File, at: u64, length: u64) -> io::Result<Option<Range<u64>>> {
    if at >= length {
        return Ok(None);
    }
    let begin = match lseek(file, at.cast_signed(), Whence::SeekData) {
        Ok(begin) => begin,
        Err(Errno::ENXIO) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let end = lseek(file, begin, Whence::SeekHole)?.cast_unsigned();
    let (begin, end) = (begin.cast_unsigned(), end.min(length));
    Ok((begin < end).then_some(begin..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn data_is_found_between_holes_and_up_to_a_length() {
        const MIB: u64 = 1 << 20;
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.set_len(8 * MIB).unwrap();
        assert_eq!(data(&file, 0, 8 * MIB).unwrap(), None);
        file.write_all_at(&[1; 4096], 2 * MIB).unwrap();
        file.write_all_at(&[1; 8192], 6 * MIB).unwrap();
        let (first, second) = (2 * MIB..2 * MIB + 4096, 6 * MIB..6 * MIB + 8192);
        let found = |at, length| data(&file, at, length).unwrap();
        assert_eq!(found(0, 8 * MIB), Some(first.clone()));
        assert_eq!(found(2 * MIB + 1, 8 * MIB), Some(2 * MIB + 1..first.end));
        assert_eq!(found(first.end, 8 * MIB), Some(second.clone()));
        assert_eq!(found(first.end, 6 * MIB + 10), Some(6 * MIB..6 * MIB + 10));
        assert_eq!(found(first.end, 6 * MIB), None);
        assert_eq!(found(second.end, 8 * MIB), None);
        assert_eq!(found(8 * MIB, 8 * MIB), None);
    }
}
