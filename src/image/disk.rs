//! Making an ext4 disk of a folder, and telling whether a file is one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Error;

/// Where the superblock lies, and its magic number within (Documentation/filesystems/ext4/super.rst).
const SUPERBLOCK: u64 = 1024;
const MAGIC: (usize, [u8; 2]) = (0x38, [0x53, 0xef]);
/// The incompatible-features word, and the bit for extents, which sets ext4 apart from ext2 and ext3.
const FEATURES: usize = 0x60;
const EXTENTS: u32 = 0x40;

/// Writes the content of `root` into a new ext4 file system in `disk`, with room to spare; it grows to the machine's
/// disk when it is first mounted.
pub(super) fn make(root: &Path, disk: &Path) -> Result<(), Error> {
    let (bytes, files) = measure(root)?;
    // An eighth more for metadata, 64 MiB to start with, and inodes for half as many files again.
    let size = (bytes + bytes / 8 + (64 << 20)).next_multiple_of(4 << 20);
    let inodes = (files + files / 2).max(size / 16384) + 1024;
    let file = File::create(disk)
        .and_then(|file| file.set_len(size).map(|()| file))
        .map_err(|source| Error::File {
            what: "write",
            path: disk.into(),
            source,
        })?;
    drop(file);
    let mut mkfs = Command::new("mkfs.ext4");
    // Reserved for growing online to a thousand times the size: mke2fs's own default for resize_inode.
    mkfs.args([
        "-q",
        "-F",
        "-b",
        "4096",
        "-m",
        "1",
        "-L",
        "sistemo-root",
        "-N",
    ])
    .arg(inodes.to_string())
    .args([
        "-E",
        "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0",
        "-d",
    ])
    .arg(root)
    .arg(disk);
    run(&mut mkfs, "mkfs.ext4")
}

/// Bytes in blocks of 4 KiB and number of files under a folder. A file with several names counts once.
fn measure(root: &Path) -> Result<(u64, u64), Error> {
    let mut seen = std::collections::HashSet::new();
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let fail = |source| Error::File {
            what: "read",
            path: folder.clone(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let meta = entry.metadata().map_err(fail)?;
            files += 1;
            if meta.is_dir() {
                bytes += 4096;
                folders.push(entry.path());
            } else if meta.nlink() == 1 || seen.insert(meta.ino()) {
                bytes += (meta.blocks() * 512).min(meta.len()).next_multiple_of(4096);
            }
        }
    }
    Ok((bytes, files))
}

/// Refuses what is not an ext4 file system, or one that is damaged.
pub(super) fn check(disk: &Path) -> Result<(), Error> {
    let no = |why: &str| Error::NotExt4 {
        path: disk.into(),
        why: why.into(),
    };
    let fail = |source| Error::File {
        what: "read",
        path: disk.into(),
        source,
    };
    let file = File::open(disk).map_err(fail)?;
    let mut superblock = [0; 1024];
    match file.read_exact_at(&mut superblock, SUPERBLOCK) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(no("it is too short"));
        }
        other => other.map_err(fail)?,
    }
    let (at, magic) = MAGIC;
    if superblock[at..at + 2] != magic {
        return Err(no("it has no ext4 superblock"));
    }
    let features = superblock[FEATURES..FEATURES + 4]
        .try_into()
        .map_or(0, u32::from_le_bytes);
    if features & EXTENTS == 0 {
        return Err(no("it is an older ext2 or ext3 file system"));
    }
    let mut fsck = Command::new("e2fsck");
    run(fsck.args(["-fn"]).arg(disk), "e2fsck")
        .map_err(|_| no("its file system is damaged (e2fsck -fn finds errors)"))
}

/// `sha256:` and the digest of a file's bytes.
pub(super) fn digest(path: &Path) -> Result<String, Error> {
    let fail = |source| Error::File {
        what: "read",
        path: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(fail)?;
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(written(&hash.finalize()))
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
    fn a_disk_made_of_a_folder_passes_the_check_and_others_do_not() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/hostname"), "x").unwrap();
        let disk = dir.path().join("disk");
        make(&root, &disk).unwrap();
        check(&disk).unwrap();
        assert_eq!(digest(&disk).unwrap().len(), 71);

        let why = |path: &Path| check(path).unwrap_err().to_string();
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
