//! Unfinished files: `.NAME.0123456789abcdef.sistemo-part`, beside the file itself.
//!
//! The number speaks of the source: where it is, its size and when it was last changed. A copy that is run again finds
//! what there is of the same source, and nothing else.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use sha2::{Digest, Sha256};

use super::error::Cause;
use super::side::{Facts, Side};

const END: &[u8] = b".sistemo-part";
/// The longest name in a folder, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;
const NUMBER: usize = 16;

/// What there is of `name` while it is copied from `path`.
pub(super) fn of(name: &Path, side: &Side, path: &Path, facts: &Facts) -> PathBuf {
    let mut digest = Sha256::new();
    digest.update(side.identity());
    digest.update([0]);
    // On the host a file is known by its number, however it is called.
    match side {
        Side::Host => digest.update(format!("{:?}", facts.number)),
        Side::Guest(_) => digest.update(path.as_os_str().as_bytes()),
    }
    let modified = (facts.modified.tv_sec(), facts.modified.tv_nsec());
    digest.update(format!("\0{} {modified:?}", facts.size));
    build(name, &hexadecimal(&digest.finalize()))
}

/// A passing name for what is no file.
pub(super) fn plain(name: &Path) -> PathBuf {
    build(name, &"0".repeat(NUMBER))
}

/// Whether `entry` is an unfinished file of some name.
pub(super) fn is_any(entry: &Path) -> bool {
    entry.as_os_str().as_bytes().ends_with(END)
}

/// Whether `entry` is an unfinished `name`.
pub(super) fn is_of(entry: &Path, name: &Path) -> bool {
    let entry = entry.as_os_str().as_bytes();
    let Some(rest) = entry.strip_suffix(END) else {
        return false;
    };
    let Some((rest, number)) = rest.split_at_checked(rest.len().saturating_sub(NUMBER)) else {
        return false;
    };
    let wanted = build(name, &String::from_utf8_lossy(number));
    !rest.is_empty()
        && number.iter().all(u8::is_ascii_hexdigit)
        && wanted.as_os_str().as_bytes() == entry
}

/// Opens a part, an unfinished file, on the host; how much of it is there.
pub(super) fn open(folder: &OwnedFd, part: &Path) -> Result<(File, u64), Cause> {
    let how = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = File::from(openat(folder, part, how, Mode::S_IRUSR | Mode::S_IWUSR)?);
    let meta = file.metadata().map_err(Cause::from)?;
    if !meta.is_file() {
        return Err(Errno::EEXIST.into());
    }
    Ok((file, meta.len()))
}

/// Gives a finished part its name, in the place of a file or a link, but of nothing else.
pub(super) fn publish(folder: &OwnedFd, part: &Path, name: &Path) -> Result<(), Cause> {
    match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(there) if kind(&there) == SFlag::S_IFDIR => return Err(Errno::EISDIR.into()),
        Ok(there) if ![SFlag::S_IFREG, SFlag::S_IFLNK].contains(&kind(&there)) => {
            return Err(Errno::EEXIST.into());
        }
        _ => {}
    }
    Ok(renameat(folder, part, folder, name)?)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn build(name: &Path, number: &str) -> PathBuf {
    let name = name.as_os_str().as_bytes();
    let mut bytes = vec![b'.'];
    let room = NAME_MAX - 2 - NUMBER - END.len();
    if name.len() <= room {
        bytes.extend(name);
    } else {
        // Two long names that begin alike are told apart.
        let digest = hexadecimal(&Sha256::digest(name));
        bytes.extend(&name[..room - NUMBER - 1]);
        bytes.push(b'~');
        bytes.extend(digest.as_bytes());
    }
    bytes.push(b'.');
    bytes.extend(number.as_bytes());
    bytes.extend(END);
    PathBuf::from(OsString::from_vec(bytes))
}

fn hexadecimal(digest: &[u8]) -> String {
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    digits.take(NUMBER / 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_its_name_and_fits_into_a_folder() {
        let long = "x".repeat(NAME_MAX);
        for name in ["a", ".hidden", "a.sistemo-part", long.as_str()] {
            let part = plain(Path::new(name));
            assert!(part.as_os_str().len() <= NAME_MAX, "{part:?}");
            assert!(is_of(&part, Path::new(name)), "{part:?}");
            assert!(!is_of(&part, Path::new("other")));
            assert!(!is_of(Path::new(name), Path::new(name)));
        }
        let other = format!("{}y", &long[1..]);
        assert_ne!(plain(Path::new(&long)), plain(Path::new(&other)));
    }
}
