//! All modules of a kernel as a read-only ext4 image, so that a guest whose image brings none has them all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

const BLOCK: u64 = 4096;
const INODE: u64 = 256;

/// Makes `image` from the tree `root`, which becomes the image's top directory.
pub(super) fn make(root: &Path, image: &Path) -> Result<(), Error> {
    let read = |source| Error::Read {
        path: root.into(),
        source,
    };
    let mut need = Need::default();
    need.count(root).map_err(read)?;
    let write = |source| Error::Write {
        path: image.into(),
        source,
    };
    let size = need.blocks() * BLOCK;
    (File::create(image).and_then(|file| file.set_len(size))).map_err(write)?;
    let fail = |text: String| Error::Tool {
        tool: "mkfs.ext4",
        text,
    };
    // No journal: it is never written.
    let output = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-b", "4096", "-m", "0", "-L", "modules"])
        .args(["-O", "^has_journal,^resize_inode", "-I", &INODE.to_string()])
        .args(["-N", &need.inodes().to_string()])
        .args(["-E", "root_owner=0:0"])
        .arg("-d")
        .arg(root)
        .arg(image)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| fail(e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(fail(
        String::from_utf8_lossy(&output.stderr).trim().to_string(),
    ))
}

/// What a tree takes up.
#[derive(Default)]
struct Need {
    data: u64,
    entries: u64,
}

impl Need {
    fn count(&mut self, path: &Path) -> io::Result<()> {
        let facts = fs::symlink_metadata(path)?;
        self.entries += 1;
        self.data += facts.size().div_ceil(BLOCK).max(1);
        if facts.is_dir() {
            for entry in fs::read_dir(path)? {
                self.count(&entry?.path())?;
            }
        }
        Ok(())
    }

    fn inodes(&self) -> u64 {
        self.entries + 64
    }

    /// The content, inodes, block maps and group descriptors, with a little to spare; holes cost nothing.
    fn blocks(&self) -> u64 {
        let inodes = (self.inodes() * INODE).div_ceil(BLOCK);
        self.data + self.data / 32 + inodes * 2 + 1024
    }
}
