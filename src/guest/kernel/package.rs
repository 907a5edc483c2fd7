//! Takes a kernel and its modules out of a distribution's package, without installing it.
//!
//! Only what lies under `boot/vmlinuz*`, `boot/config-*` and `lib/modules/` is written, to a directory of ours; scripts are not run, and
//! a path that leads elsewhere is passed over.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use super::Error;

/// Unpacks `package` (`.deb`, `.rpm`, `.pkg.tar.zst`, `.apk`) into `into`.
pub(super) fn unpack(package: &Path, into: &Path) -> Result<(), Error> {
    let fail = |source| Error::Unpack {
        package: package.into(),
        source,
    };
    let name = package.to_string_lossy();
    let open = || File::open(package).map(BufReader::new).map_err(fail);
    if name.ends_with(".deb") {
        let tool = Tool::run("dpkg-deb", &["--fsys-tarfile"], package).map_err(fail)?;
        tool.read(|stdout| tar(stdout, into)).map_err(fail)
    } else if name.ends_with(".rpm") {
        let tool = Tool::run("rpm2cpio", &[], package).map_err(fail)?;
        tool.read(|stdout| cpio(stdout, into)).map_err(fail)
    } else if name.ends_with(".tar.zst") {
        let reader = zstd::Decoder::with_buffer(open()?).map_err(fail)?;
        tar(reader, into).map_err(fail)
    } else if name.ends_with(".tar.xz") {
        tar(lzma_rust2::XzReader::new(open()?, true), into).map_err(fail)
    } else if name.ends_with(".apk") || name.ends_with(".tar.gz") {
        tar(flate2::read::MultiGzDecoder::new(open()?), into).map_err(fail)
    } else {
        Err(fail(io::Error::new(
            io::ErrorKind::Unsupported,
            "not a kind of package that is known",
        )))
    }
}

/// A program whose standard output is an archive.
struct Tool {
    name: &'static str,
    child: std::process::Child,
}

impl Tool {
    fn run(name: &'static str, arguments: &[&str], package: &Path) -> io::Result<Self> {
        let child = Command::new(name)
            .args(arguments)
            .arg(package)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("cannot run {name}: {e}")))?;
        Ok(Tool { name, child })
    }

    fn read(mut self, read: impl FnOnce(ChildStdout) -> io::Result<()>) -> io::Result<()> {
        let stdout = self.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let done = read(stdout);
        let status = self.child.wait()?;
        done?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{} failed: {status}", self.name)))
    }
}

fn tar(reader: impl Read, into: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(reader);
    // An .apk is several archives in a row.
    archive.set_ignore_zeros(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(path) = wanted(&entry.path()?) else {
            continue;
        };
        let kind = entry.header().entry_type();
        if kind.is_file() {
            file(&into.join(path), &mut entry)?;
        } else if kind.is_symlink() {
            let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
            link(&into.join(path), &target)?;
        }
    }
    Ok(())
}

fn cpio(mut reader: impl Read, into: &Path) -> io::Result<()> {
    const KIND: u32 = 0o170_000;
    loop {
        let mut entry = cpio::NewcReader::new(reader)?;
        if entry.entry().is_trailer() {
            // What follows is padding; it is read so that the tool does not see a broken pipe.
            io::copy(&mut entry.finish()?, &mut io::sink())?;
            return Ok(());
        }
        let mode = entry.entry().mode() & KIND;
        if let Some(path) = wanted(Path::new(entry.entry().name())) {
            match mode {
                0o100_000 => file(&into.join(path), &mut entry)?,
                0o120_000 => {
                    let mut target = String::new();
                    entry.read_to_string(&mut target)?;
                    link(&into.join(path), Path::new(&target))?;
                }
                _ => {}
            }
        }
        reader = entry.finish()?;
    }
}

/// Where an entry goes, relative to the tree: `boot/vmlinuz…` or `lib/modules/…`, whether or not the distribution has
/// merged `/lib` into `/usr/lib`. `None` for what is not wanted, or not safe.
fn wanted(path: &Path) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    if parts.first() == Some(&"usr") {
        parts.remove(0);
    }
    let good = match parts[..] {
        ["boot", file] => file.starts_with("vmlinuz") || file.starts_with("config-"),
        ["lib", "modules", _, ..] => true,
        _ => false,
    };
    good.then(|| parts.iter().collect())
}

fn file(path: &Path, content: &mut impl Read) -> io::Result<()> {
    parent(path)?;
    // A link planted by an earlier entry is replaced, not followed.
    remove(path)?;
    io::copy(content, &mut File::create_new(path)?)?;
    Ok(())
}

/// Links inside the tree only; those to the distribution's sources (`build`) lead outside and are of no use here.
fn link(path: &Path, target: &Path) -> io::Result<()> {
    let inside = target
        .components()
        .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Ok(());
    }
    parent(path)?;
    remove(path)?;
    symlink(target, path)
}

/// Makes the directories above `path`. A link among them was made by [`link`], and so leads further down the tree.
fn parent(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(parent)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kernels_modules_and_configurations_are_taken() {
        let take = |path: &str| wanted(Path::new(path)).map(|p| p.display().to_string());
        assert_eq!(
            take("./boot/vmlinuz-6.1").as_deref(),
            Some("boot/vmlinuz-6.1")
        );
        assert_eq!(
            take("./boot/config-6.1").as_deref(),
            Some("boot/config-6.1")
        );
        assert_eq!(
            take("/usr/lib/modules/6.1/kernel/a.ko").as_deref(),
            Some("lib/modules/6.1/kernel/a.ko")
        );
        for not in [
            "etc/passwd",
            "lib/modules",
            "lib/modules/../../etc/x",
            "boot/System.map-6.1",
        ] {
            assert_eq!(take(not), None, "{not}");
        }
    }

    #[test]
    fn every_kind_of_archive_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("usr/lib/modules/6.1/kernel")).unwrap();
        fs::write(tree.join("usr/lib/modules/6.1/vmlinuz"), "kernel").unwrap();
        fs::write(tree.join("usr/lib/modules/6.1/kernel/a.ko"), "module").unwrap();
        symlink("/usr/src/linux", tree.join("usr/lib/modules/6.1/build")).unwrap();
        fs::write(tree.join("secret"), "x").unwrap();
        let shell = "tar -C tree -cf - . | zstd -q -o a.pkg.tar.zst; \
            tar -C tree -czf a.apk .; (cd tree && find . | cpio -o -H newc) > a.cpio 2>/dev/null";
        let made = Command::new("sh")
            .args(["-ec", shell])
            .current_dir(dir.path())
            .status();
        assert!(made.unwrap().success());
        let check = |out: &Path| {
            assert_eq!(
                fs::read(out.join("lib/modules/6.1/vmlinuz")).unwrap(),
                b"kernel"
            );
            assert_eq!(
                fs::read(out.join("lib/modules/6.1/kernel/a.ko")).unwrap(),
                b"module"
            );
            assert!(!out.join("secret").exists());
            assert!(!out.join("lib/modules/6.1/build").is_symlink());
        };
        for name in ["a.pkg.tar.zst", "a.apk"] {
            let out = dir.path().join(format!("{name}.out"));
            unpack(&dir.path().join(name), &out).unwrap();
            check(&out);
        }
        let out = dir.path().join("cpio.out");
        cpio(File::open(dir.path().join("a.cpio")).unwrap(), &out).unwrap();
        check(&out);
    }

    #[test]
    fn a_truncated_package_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("a.apk");
        fs::write(&package, [0x1f, 0x8b, 8, 0, 0, 0]).unwrap();
        assert!(unpack(&package, dir.path()).is_err());
        let deb = dir.path().join("a.deb");
        fs::write(&deb, "not a package").unwrap();
        assert!(unpack(&deb, dir.path()).is_err());
    }
}
