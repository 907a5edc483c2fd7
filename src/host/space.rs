//! Space on this computer's disks.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Advice, Kind};
use crate::value::ByteSize;

/// There is too little, or it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read how much space is free in {}", path.display())]
    Unknown { path: PathBuf, source: nix::Error },
    #[error(
        "{} has {free} free, and this needs {needed} and leaves {kept} free", path.display()
    )]
    Full {
        path: PathBuf,
        free: ByteSize,
        needed: ByteSize,
        kept: ByteSize,
    },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown { .. } => Kind::Failed,
            Error::Full { .. } => Kind::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Unknown { .. } => None,
            Error::Full { .. } => Some(
                "free some space (sistemo image prune, sistemo volume list), or lower the setting min_disk_free"
                    .into(),
            ),
        }
    }
}

/// Refuses when writing `needed` bytes into `dir` would leave less than `keep` free.
pub fn check(dir: &Path, needed: ByteSize, keep: ByteSize) -> Result<(), Error> {
    let stat = nix::sys::statvfs::statvfs(dir).map_err(|source| Error::Unknown {
        path: dir.into(),
        source,
    })?;
    let free = ByteSize::bytes(stat.blocks_available() * stat.fragment_size());
    if free.as_u64() < needed.as_u64().saturating_add(keep.as_u64()) {
        return Err(Error::Full {
            path: dir.into(),
            free,
            needed,
            kept: keep,
        });
    }
    Ok(())
}

/// What a file, or a folder with all that is in it, takes of its disk, in bytes. What cannot be read counts for nothing.
pub fn used(path: &Path) -> u64 {
    let Ok(meta) = path.symlink_metadata() else {
        return 0;
    };
    // st_blocks counts units of 512 bytes whatever the file system's block size (stat(3type)).
    let own = meta.blocks() * 512;
    if !meta.is_dir() {
        return own;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| used(&entry.path())).sum::<u64>()
}
