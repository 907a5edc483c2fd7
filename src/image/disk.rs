//! Disks that come from elsewhere: telling whether a file is one, copying it, and digests.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::pipe::Pipe;

/// Where the superblock lies, and its magic number within (Documentation/filesystems/ext4/super.rst).
const SUPERBLOCK: usize = 1024;
const MAGIC: (usize, [u8; 2]) = (0x38, [0x53, 0xef]);
/// The incompatible-features word, and the bit for extents, which sets ext4 apart from ext2 and ext3.
const FEATURES: usize = 0x60;
const EXTENTS: u32 = 0x40;
/// As much of a file as shows what it is.
pub(super) const HEAD: usize = SUPERBLOCK + 1024;
/// What is copied at once; a piece that is all zeros becomes a hole.
const PIECE: usize = 64 << 10;

/// Whether the first [`HEAD`] bytes have the superblock of an ext2, ext3 or ext4 file system.
pub(super) fn has_superblock(head: &[u8]) -> bool {
    let at = SUPERBLOCK + MAGIC.0;
    head.get(at..at + 2) == Some(&MAGIC.1)
}

/// Refuses what is not an ext4 file system, or one that is damaged.
pub(super) fn check(disk: &Path, shown: &Path) -> Result<(), Error> {
    let no = |why: &str| Error::NotExt4 {
        path: shown.into(),
        why: why.into(),
    };
    let mut head = [0; HEAD];
    let read = File::open(disk).and_then(|file| file.read_exact_at(&mut head, 0));
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(no("it is too short"));
        }
        other => other.map_err(|source| Error::File {
            what: "read",
            path: disk.into(),
            source,
        })?,
    }
    if !has_superblock(&head) {
        return Err(no("it has no ext4 superblock"));
    }
    let features = &head[SUPERBLOCK + FEATURES..][..4];
    if features.try_into().map_or(0, u32::from_le_bytes) & EXTENTS == 0 {
        return Err(no("it is an older ext2 or ext3 file system"));
    }
    let mut fsck = Command::new("e2fsck");
    run(fsck.arg("-fn").arg(disk), "e2fsck").map_err(|error| match error {
        Error::Tool { said, .. } if !said.is_empty() => no(&format!("it is damaged: {said}")),
        other => other,
    })
}

/// Copies a disk, compressed or not, into a new file. Holes stay holes, and more are made.
pub(super) fn copy(from: File, to: &Path, cancel: &CancellationToken) -> Result<(), Error> {
    let fail = |source| Error::File {
        what: "write",
        path: to.into(),
        source,
    };
    let mut pipe = Pipe::of_file(from).map_err(Error::Damaged)?;
    let file = File::create_new(to).map_err(fail)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let mut filled = 0;
        while filled < piece.len() {
            match pipe.read(&mut piece[filled..]).map_err(Error::Damaged)? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            return file.set_len(at).map_err(fail);
        }
        if piece[..filled].iter().any(|byte| *byte != 0) {
            file.write_all_at(&piece[..filled], at).map_err(fail)?;
        }
        at += filled as u64;
    }
}

/// The digest of a file's bytes.
pub(super) fn digest(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::File {
        what: "read",
        path: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(fail)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(written(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// A digest as it is written.
pub(super) fn written(hash: &[u8]) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Runs a tool and keeps its last words.
pub(super) fn run(command: &mut Command, program: &'static str) -> Result<(), Error> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Tool {
            program,
            said: error.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<_> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let said = last[last.len().saturating_sub(3)..].join("; ");
    Err(Error::Tool { program, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_ext4_disk_passes_the_check() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let disk = dir.path().join("disk");
        File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        run(Command::new("mkfs.ext4").arg("-qF").arg(&disk), "mkfs.ext4").unwrap();
        check(&disk, &disk).unwrap();
        assert_eq!(digest(&disk).unwrap().len(), 71);
        let copied = dir.path().join("copied");
        copy(
            File::open(&disk).unwrap(),
            &copied,
            &CancellationToken::new(),
        )
        .unwrap();
        assert_eq!(digest(&copied).unwrap(), digest(&disk).unwrap());

        let why = |path: &Path| check(path, path).unwrap_err().to_string();
        let text = dir.path().join("text");
        std::fs::write(&text, "no disk").unwrap();
        assert!(why(&text).contains("too short"));
        std::fs::write(&text, vec![7; 1 << 20]).unwrap();
        assert!(why(&text).contains("no ext4 superblock"));
        // A disk whose tables are overwritten.
        let file = File::options().write(true).open(&disk).unwrap();
        file.write_all_at(&vec![0xff; 1 << 20], 4096).unwrap();
        assert!(why(&disk).contains("damaged"));
        let old = dir.path().join("old");
        File::create(&old).unwrap().set_len(8 << 20).unwrap();
        run(Command::new("mkfs.ext2").arg("-qF").arg(&old), "mkfs.ext4").unwrap();
        assert!(why(&old).contains("older"));
    }
}
