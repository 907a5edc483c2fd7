//! The guest kernel: the distribution's own, unpacked into the data directory and never installed.
//!
//! ```text
//! kernels/current             the release that guests boot
//! kernels/RELEASE/vmlinuz     bzImage, for QEMU
//! kernels/RELEASE/modules     what lies at /lib/modules/RELEASE
//! kernels/RELEASE/modules.img the same as a read-only disk, for guests
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Advice, Kind};

/// A failure around the guest kernel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no guest kernel yet")]
    None,
    #[error("the kernel {} is not there", .0.display())]
    Missing(PathBuf),
    #[error("{} holds no kernel with its modules", .0.display())]
    NotAKernel(PathBuf),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{program} failed: {said}")]
    Tool { program: &'static str, said: String },
    #[error("kernel {release} has no module {name}, nor is it built in")]
    Module { release: String, name: String },
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Missing(_) => Kind::Usage,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::None => "fetch one: sistemo setup".into(),
            Error::Missing(_) => {
                "the setting kernel wants a folder with boot/vmlinuz-RELEASE and lib/modules/RELEASE".into()
            }
            Error::NotAKernel(_) => {
                "it should hold boot/vmlinuz-RELEASE and lib/modules/RELEASE, as a kernel package does".into()
            }
            Error::Tool { .. } => "see what is missing: sistemo doctor".into(),
            Error::Module { .. } => "take another kernel: sistemo setup".into(),
            Error::File { .. } => return None,
        })
    }
}

/// A kernel that guests can boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` has it.
    pub release: String,
    /// The folder that holds it all.
    pub folder: PathBuf,
    /// bzImage (Documentation/arch/x86/boot.rst).
    pub image: PathBuf,
    /// The content of `/lib/modules/RELEASE`.
    pub modules: PathBuf,
    /// The same as an ext4 disk.
    pub modules_image: Option<PathBuf>,
}

/// The kernel that guests boot: the one in `configured`, an unpacked kernel package, else the one that setup took.
pub fn current(kernels: &Path, configured: Option<&Path>) -> Result<Kernel, Error> {
    if let Some(configured) = configured {
        if !configured.exists() {
            return Err(Error::Missing(configured.into()));
        }
        let found = find(configured)?;
        return match open(kernels, &found.release) {
            Some(kernel) => Ok(kernel),
            None => adopt(kernels, configured),
        };
    }
    let release = std::fs::read_to_string(kernels.join("current")).map_err(|_| Error::None)?;
    open(kernels, release.trim()).ok_or(Error::None)
}

fn open(kernels: &Path, release: &str) -> Option<Kernel> {
    let folder = kernels.join(release);
    let modules_image = folder.join("modules.img");
    let kernel = Kernel {
        release: release.into(),
        image: folder.join("vmlinuz"),
        modules: folder.join("modules"),
        modules_image: modules_image.exists().then_some(modules_image),
        folder,
    };
    (!release.is_empty() && kernel.image.exists() && kernel.modules.exists()).then_some(kernel)
}

/// Where a kernel and its modules lie in an unpacked package or in the host's own file system.
struct Found {
    release: String,
    image: PathBuf,
    modules: PathBuf,
}

/// Looks for the newest kernel under `root`. Debian and Alpine have it in `/boot`, Fedora and Arch beside its modules.
fn find(root: &Path) -> Result<Found, Error> {
    let mut found = Vec::new();
    for place in ["lib/modules", "usr/lib/modules"] {
        let Ok(entries) = std::fs::read_dir(root.join(place)) else {
            continue;
        };
        for entry in entries.flatten() {
            let release = entry.file_name().to_string_lossy().into_owned();
            let modules = entry.path();
            let images = [
                root.join(format!("boot/vmlinuz-{release}")),
                modules.join("vmlinuz"),
                root.join("boot/vmlinuz-virt"),
            ];
            if let Some(image) = images.into_iter().find(|image| image.is_file()) {
                found.push(Found {
                    release,
                    image,
                    modules,
                });
            }
        }
    }
    found.sort_by(|a, b| a.release.cmp(&b.release));
    found.pop().ok_or_else(|| Error::NotAKernel(root.into()))
}

/// Takes a kernel out of an unpacked package (or of `/`, the host's own) and makes it the current one.
pub fn adopt(kernels: &Path, root: &Path) -> Result<Kernel, Error> {
    let found = find(root)?;
    let folder = kernels.join(&found.release);
    let partial = kernels.join(format!("{}.partial", found.release));
    let fail = |what, path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::File { what, path, source }
    };
    match std::fs::remove_dir_all(&partial) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(fail("remove", &partial)(source));
        }
        _ => {}
    }
    // depmod wants the layout of a root file system.
    let modules = partial.join("lib/modules").join(&found.release);
    std::fs::create_dir_all(partial.join("lib/modules")).map_err(fail("make", &partial))?;
    tool(
        Command::new("cp")
            .arg("-a")
            .arg(&found.modules)
            .arg(&modules),
        "cp",
    )?;
    for link in ["build", "source"] {
        // They lead to the kernel's headers, which are not there.
        let _ = std::fs::remove_file(modules.join(link));
    }
    std::fs::copy(&found.image, partial.join("vmlinuz")).map_err(fail("copy", &found.image))?;
    tool(
        Command::new("depmod")
            .arg("-b")
            .arg(&partial)
            .arg(&found.release),
        "depmod",
    )?;
    let flat = partial.join("modules");
    std::fs::rename(&modules, &flat).map_err(fail("move", &modules))?;
    std::fs::remove_dir_all(partial.join("lib")).map_err(fail("remove", &partial))?;
    make_disk(&flat, &partial.join("modules.img"))?;
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(&partial, &folder).map_err(fail("move", &partial))?;
    let current = kernels.join("current");
    let next = kernels.join("current.partial");
    std::fs::write(&next, &found.release).map_err(fail("write", &next))?;
    std::fs::rename(&next, &current).map_err(fail("move", &next))?;
    open(kernels, &found.release).ok_or_else(|| Error::NotAKernel(root.into()))
}

/// Makes a disk of the modules. It is never written, so it needs neither a journal nor spare room.
fn make_disk(modules: &Path, disk: &Path) -> Result<(), Error> {
    let output = Command::new("du").arg("-sk").arg(modules).output();
    let output = output.map_err(|source| Error::File {
        what: "measure",
        path: modules.into(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kib: u64 = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(262_144);
    let size = format!("{}k", kib + kib / 8 + 16_384);
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args([
        "-q",
        "-F",
        "-O",
        "^has_journal",
        "-m",
        "0",
        "-L",
        "modules",
        "-d",
    ]);
    tool(mkfs.arg(modules).arg(disk).arg(size), "mkfs.ext4")
}

/// Runs a tool and keeps its last words.
fn tool(command: &mut Command, program: &'static str) -> Result<(), Error> {
    // Tools for administrators are not on every user's path.
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| Error::Tool {
            program,
            said: error.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().last().unwrap_or("it said nothing").to_string();
    Err(Error::Tool { program, said })
}
