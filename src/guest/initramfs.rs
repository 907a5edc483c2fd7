//! The initramfs: a shared archive with the guest program and the modules that reach the root disk, followed by a small
//! one for each machine with its configuration.
//!
//! The kernel unpacks concatenated archives one after another, each beginning at a multiple of four bytes
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Neither is compressed: under software
//! emulation, where unpacking costs the guest most, no compression changed the time until init runs by more than the
//! measurement's noise, and a plain archive is put together by copying.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cpio::NewcBuilder;
use cpio::newc::{ModeFileType, trailer};
use sha2::{Digest, Sha256};

use super::kernel::{self, Kernel};
use super::words::{CONFIG_PATH, Config, MODULES_DIR, MODULES_ORDER, PROGRAM_PATH};
use crate::error::{self, Advice};

/// Directories of the initramfs, parents first.
const DIRECTORIES: [&str; 7] = [
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/newroot",
    "/sistemo",
    MODULES_DIR,
];

/// A failure to make an initramfs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The guest program could not be read.
    #[error("cannot read the guest program {}", path.display())]
    Program {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The guest program is not an executable for this machine.
    #[error("{} is not a program", path.display())]
    NotAProgram { path: PathBuf },
    /// The kernel's part could not be read.
    #[error("cannot read the kernel's modules")]
    Kernel(#[from] kernel::Error),
    /// A part could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Program { .. } | Error::NotAProgram { .. } => {
                Some("sistemo-guest belongs beside the sistemo program: install both again".into())
            }
            Error::Kernel(error) => error.hint(),
            Error::Read { source, .. } | Error::Write { source, .. } => error::way_out_of(source),
        }
    }
}

/// The shared archive for a kernel and a guest program: the one made before for the same two, else a new one. It lies
/// in the kernel's directory and is named by the program's digest.
pub fn shared(kernel: &Kernel, program: &Path) -> Result<PathBuf, Error> {
    let bytes = fs::read(program).map_err(|source| Error::Program {
        path: program.into(),
        source,
    })?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Error::NotAProgram {
            path: program.into(),
        });
    }
    let digest = Sha256::digest(&bytes);
    let name: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let path = kernel.dir().join(format!("initramfs-{name}.cpio"));
    if !path.exists() {
        let modules = kernel.boot_modules()?;
        place(&path, 0o644, |file| {
            let mut archive = Archive::new(BufWriter::new(file));
            fill(&mut archive, &bytes, &modules)?;
            archive.finish()?.flush()
        })?;
        forget_others(kernel.dir(), &path);
    }
    Ok(path)
}

/// Removes the shared archives of guest programs that have been replaced. One that stays costs nothing but its space.
fn forget_others(dir: &Path, current: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("initramfs-") && name.ends_with(".cpio") && entry.path() != current {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes the whole initramfs of a machine to `out`: `shared`, and the configuration. Only its owner can read it, since
/// it holds the guest's host key.
pub fn write(shared: &Path, config: &Config, out: &Path) -> Result<(), Error> {
    let json = serde_json::to_vec(config).map_err(|e| Error::Write {
        path: out.into(),
        source: e.into(),
    })?;
    let mut from = File::open(shared).map_err(|source| Error::Read {
        path: shared.into(),
        source,
    })?;
    place(out, 0o600, |file| {
        // A clone of the blocks where the file system can, else a copy inside the kernel.
        io::copy(&mut from, file)?;
        let length = file.stream_position()?;
        file.write_all(&[0; 4][..padding(length)])?;
        let mut archive = Archive::new(file);
        archive.file(CONFIG_PATH, 0o600, &json)?;
        archive.finish().map(drop)
    })
}

fn fill(
    archive: &mut Archive<impl Write>,
    program: &[u8],
    modules: &[(String, PathBuf)],
) -> io::Result<()> {
    for directory in DIRECTORIES {
        archive.directory(directory)?;
    }
    // The kernel opens it as the first process's standard input, output and error.
    archive.character_device("/dev/console", 5, 1)?;
    archive.file(PROGRAM_PATH, 0o755, program)?;
    archive.link("/init", PROGRAM_PATH)?;
    let mut order = String::new();
    for (name, path) in modules {
        archive.file(&format!("{MODULES_DIR}/{name}.ko"), 0o644, &fs::read(path)?)?;
        order.push_str(&format!("{name}\n"));
    }
    archive.file(MODULES_ORDER, 0o644, order.as_bytes())
}

/// Makes a file under a temporary name and renames it once `fill` has filled it.
fn place(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), Error> {
    let write = |source| Error::Write {
        path: path.into(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".initramfs-")
        .make_in(directory, |path| {
            OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(mode)
                .open(path)
        })
        .map_err(write)?;
    fill(file.as_file_mut()).map_err(write)?;
    file.persist(path).map_err(|e| write(e.error))?;
    Ok(())
}

/// An archive being written. Owner and times are zero, so that the same content gives the same bytes.
struct Archive<W: Write> {
    writer: W,
    inode: u32,
}

impl<W: Write> Archive<W> {
    fn new(writer: W) -> Self {
        Archive { writer, inode: 0 }
    }

    fn entry(&mut self, path: &str, kind: ModeFileType, mode: u32) -> NewcBuilder {
        self.inode += 1;
        NewcBuilder::new(path.trim_start_matches('/'))
            .ino(self.inode)
            .mode(mode)
            .set_mode_file_type(kind)
    }

    fn put(&mut self, entry: NewcBuilder, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        let mut writer = entry.write(&mut self.writer, length);
        writer.write_all(content)?;
        writer.finish().map(drop)
    }

    fn directory(&mut self, path: &str) -> io::Result<()> {
        let entry = self.entry(path, ModeFileType::Directory, 0o755);
        self.put(entry, &[])
    }

    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let entry = self.entry(path, ModeFileType::Regular, mode);
        self.put(entry, content)
    }

    fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let entry = self.entry(path, ModeFileType::Symlink, 0o777);
        self.put(entry, target.as_bytes())
    }

    fn character_device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        let entry = self.entry(path, ModeFileType::Char, 0o600);
        self.put(entry.rdev_major(major).rdev_minor(minor), &[])
    }

    fn finish(self) -> io::Result<W> {
        trailer(self.writer)
    }
}

/// Bytes from `length` to the next multiple of four.
fn padding(length: u64) -> usize {
    (length.next_multiple_of(4) - length) as usize
}

#[cfg(test)]
#[path = "initramfs_tests.rs"]
mod tests;
