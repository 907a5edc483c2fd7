//! The initramfs: two concatenated cpio archives (Documentation/driver-api/early-userspace/buffer-format.rst), one
//! shared by all machines with the guest program and a few modules, and a small one per machine with its configuration.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cpio::NewcBuilder;
use cpio::newc::{ModeFileType, trailer};

use super::kernel::{Error, Kernel};
use super::modules;
use super::words::{self, Config};

/// The kernel runs this first.
const INIT: &str = "/init";
/// Folders that the guest program mounts on.
const FOLDERS: &[&str] = &[
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/root",
    "/newroot",
    "/sistemo",
    words::MODULES_DIR,
];

/// The shared archive for this kernel and this guest program, made when it is not there yet.
pub fn shared(kernel: &Kernel, guest_program: &Path) -> Result<PathBuf, Error> {
    let fail = |source| Error::File {
        what: "read",
        path: guest_program.into(),
        source,
    };
    let meta = std::fs::metadata(guest_program).map_err(fail)?;
    // A program that was built or installed anew has another size or time.
    let stamp = format!(
        "{:x}-{:x}-{:x}",
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec()
    );
    let path = kernel.folder.join(format!("initramfs-{stamp}.cpio"));
    if path.exists() {
        return Ok(path);
    }
    let program = std::fs::read(guest_program).map_err(fail)?;
    let modules = modules::needed(kernel)?;
    let mut archive = Archive(Vec::with_capacity(program.len() + (8 << 20)));
    let write = |archive: &mut Archive| -> io::Result<()> {
        for folder in FOLDERS {
            archive.add(folder, ModeFileType::Directory, 0o755, &[])?;
        }
        archive.add(words::PROGRAM_PATH, ModeFileType::Regular, 0o755, &program)?;
        archive.add(
            INIT,
            ModeFileType::Symlink,
            0o777,
            words::PROGRAM_PATH.as_bytes(),
        )?;
        let mut order = String::new();
        for module in &modules {
            order += &format!("{}.ko\n", module.name);
            let path = format!("{}/{}.ko", words::MODULES_DIR, module.name);
            archive.add(&path, ModeFileType::Regular, 0o644, &module.bytes)?;
        }
        archive.add(
            words::MODULES_ORDER,
            ModeFileType::Regular,
            0o644,
            order.as_bytes(),
        )?;
        archive.device("/dev/console", 5, 1)?;
        archive.end()
    };
    let into = |source| Error::File {
        what: "write",
        path: path.clone(),
        source,
    };
    write(&mut archive).map_err(into)?;
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    std::fs::write(&partial, &archive.0)
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(into)?;
    Ok(path)
}

/// Writes a machine's initramfs: the shared archive and one with `config`. It holds a private key, so nobody else may
/// read it.
pub fn write(shared: &Path, config: &Config, out: &Path) -> Result<(), Error> {
    let into = |source| Error::File {
        what: "write",
        path: out.to_path_buf(),
        source,
    };
    let text = serde_json::to_vec(config).map_err(|error| into(error.into()))?;
    let mut own = Archive(Vec::new());
    own.add(words::CONFIG_PATH, ModeFileType::Regular, 0o600, &text)
        .and_then(|()| own.end())
        .map_err(into)?;
    let partial = out.with_extension("partial");
    let write = || -> io::Result<()> {
        let _ = std::fs::remove_file(&partial);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)?;
        io::copy(&mut File::open(shared)?, &mut file)?;
        file.write_all(&own.0)?;
        std::fs::rename(&partial, out)
    };
    write().map_err(into)
}

/// A cpio archive in memory, in the `newc` form.
struct Archive(Vec<u8>);

impl Archive {
    fn add(&mut self, path: &str, kind: ModeFileType, mode: u32, data: &[u8]) -> io::Result<()> {
        let entry = NewcBuilder::new(relative(path))
            .mode(mode)
            .set_mode_file_type(kind);
        let size = u32::try_from(data.len()).map_err(io::Error::other)?;
        let mut writer = entry.write(&mut self.0, size);
        writer.write_all(data)?;
        writer.finish()?;
        Ok(())
    }

    fn device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        let entry = NewcBuilder::new(relative(path))
            .mode(0o600)
            .rdev_major(major)
            .rdev_minor(minor)
            .set_mode_file_type(ModeFileType::Char);
        entry.write(&mut self.0, 0).finish()?;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        trailer(&mut self.0)?;
        // The kernel looks for the next archive at a multiple of four bytes.
        while !self.0.len().is_multiple_of(4) {
            self.0.push(0);
        }
        Ok(())
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_back_by_cpio() {
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive(Vec::new());
        archive
            .add("/a", ModeFileType::Directory, 0o755, &[])
            .unwrap();
        archive
            .add("/a/file", ModeFileType::Regular, 0o640, b"text")
            .unwrap();
        archive
            .add("/init", ModeFileType::Symlink, 0o777, b"/a/file")
            .unwrap();
        archive.end().unwrap();
        let shared = dir.path().join("shared");
        std::fs::write(&shared, &archive.0).unwrap();
        let listed = std::process::Command::new("cpio")
            .args(["-tv", "--quiet", "-F"])
            .arg(&shared)
            .output()
            .unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(
            text.contains("drwxr-xr-x") && text.contains("-rw-r-----"),
            "{text}"
        );
        assert!(text.contains("init -> /a/file"), "{text}");
    }
}
