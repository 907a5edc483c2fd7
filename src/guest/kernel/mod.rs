//! The kernels that guests boot: taken from a package or the host, kept ready for both hypervisors.
//!
//! ```text
//! <data>/kernels/
//!   current -> RELEASE
//!   RELEASE/
//!     vmlinuz        as the distribution ships it (QEMU)
//!     vmlinux        the ELF file inside it (Firecracker)
//!     boot/          modules that the initramfs needs, uncompressed, and `order`
//!     modules.img    all modules, with depmod's indexes, as a read-only ext4 image; missing when there are none
//!     initramfs-…    see `initramfs`
//! ```
//!
//! A kernel is put together in a temporary directory beside the others and renamed when it is complete, so that what is
//! there is whole.

mod bzimage;
mod fetch;
mod modules;
mod modules_image;
mod package;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[cfg(test)]
pub(crate) mod test_kernel;

pub use self::fetch::{commands, fetch};
use crate::error::Advice;

const CURRENT: &str = "current";

/// A failure to get a kernel ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A package could not be unpacked.
    #[error("cannot unpack {}", package.display())]
    Unpack {
        package: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is no Linux kernel for x86-64.
    #[error("not a Linux kernel image")]
    NotAKernel,
    /// The kernel is compressed in a way that is not known.
    #[error("the kernel is compressed in an unknown way (it begins with {magic:02x?})")]
    UnknownCompression { magic: [u8; 6] },
    /// Kernel or module could not be decompressed.
    #[error("cannot decompress the kernel or a module of it")]
    Decompress(#[source] io::Error),
    /// A tree holds no kernel.
    #[error("there is no kernel in {}", path.display())]
    NoKernel { path: PathBuf },
    /// The kernel cannot run a machine.
    #[error("the kernel has no {name}, built in or as a module")]
    ModuleMissing { name: &'static str },
    /// A program failed.
    #[error("{tool} failed: {text}")]
    Tool { tool: &'static str, text: String },
    /// A program of the package manager failed.
    #[error("cannot fetch a kernel package")]
    Fetch(#[source] crate::host::command::Error),
    /// The package manager gave no package.
    #[error("the package manager knows no kernel package {meta}")]
    NoPackage { meta: String },
    /// This host has no kernel of its own that could be used.
    #[error("this host's own kernel {release} cannot be used: {} cannot be read", missing.display())]
    HostKernel { release: String, missing: PathBuf },
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Fetch(error) => error.hint(),
            Error::Tool { tool, .. } => {
                Some(format!("check that {tool} is installed: sistemo doctor"))
            }
            Error::NoPackage { .. } | Error::HostKernel { .. } | Error::NoKernel { .. } => Some(
                "name a kernel file, package or unpacked tree: sistemo config set kernel PATH"
                    .into(),
            ),
            Error::NotAKernel | Error::UnknownCompression { .. } | Error::ModuleMissing { .. } => {
                Some("use another kernel: sistemo config set kernel PATH".into())
            }
            _ => None,
        }
    }
}

/// A kernel that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// `uname -r` of a guest that runs it.
    pub release: String,
    dir: PathBuf,
}

impl Kernel {
    /// As the distribution ships it.
    pub fn bzimage(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The ELF file inside it.
    pub fn elf(&self) -> PathBuf {
        self.dir.join("vmlinux")
    }

    /// All its modules as an ext4 image whose top directory is the content of `/lib/modules/RELEASE`; `None` when the
    /// kernel has none.
    pub fn modules_image(&self) -> Option<PathBuf> {
        let path = self.dir.join("modules.img");
        path.exists().then_some(path)
    }

    /// The directory that holds it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was installed from: a path, or the names of packages.
    pub fn origin(&self) -> String {
        fs::read_to_string(self.dir.join("origin")).unwrap_or_default()
    }

    /// The modules that the initramfs loads, in order: names without suffix, and files.
    pub fn boot_modules(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let boot = self.dir.join("boot");
        let order = boot.join("order");
        let text = fs::read_to_string(&order).map_err(|source| Error::Read {
            path: order,
            source,
        })?;
        Ok(text
            .lines()
            .map(|name| (name.to_string(), boot.join(format!("{name}.ko"))))
            .collect())
    }
}

/// The store of kernels.
#[derive(Clone, Debug)]
pub struct Kernels {
    dir: PathBuf,
}

impl Kernels {
    /// The store in a data directory; nothing is made until a kernel is installed.
    pub fn new(data_dir: &Path) -> Self {
        Kernels {
            dir: data_dir.join("kernels"),
        }
    }

    /// The kernel that new machines boot, if one has been installed.
    pub fn current(&self) -> Option<Kernel> {
        let target = fs::read_link(self.dir.join(CURRENT)).ok()?;
        self.get(target.to_str()?)
    }

    /// The kernel of that release, if it is installed.
    pub fn get(&self, release: &str) -> Option<Kernel> {
        let dir = self.dir.join(release);
        dir.join("vmlinuz").exists().then(|| Kernel {
            release: release.into(),
            dir,
        })
    }

    /// Installs from a package file, an unpacked tree (with `boot/vmlinuz-RELEASE` and `lib/modules/RELEASE`), or a
    /// kernel image, whose modules are then those of the host for that release, if any. Makes it the current one.
    /// Blocks for some seconds.
    pub fn install(&self, from: &Path) -> Result<Kernel, Error> {
        self.install_from(&[from.to_path_buf()], &from.display().to_string())
    }

    /// As [`Kernels::install`], from package files that together make up one kernel.
    pub fn install_all(&self, packages: &[PathBuf]) -> Result<Kernel, Error> {
        let names: Vec<String> = (packages.iter())
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        self.install_from(packages, &names.join(", "))
    }

    fn install_from(&self, from: &[PathBuf], origin: &str) -> Result<Kernel, Error> {
        let write = |source| Error::Write {
            path: self.dir.clone(),
            source,
        };
        let temporary = self.workspace()?;
        let tree = temporary.path().join("tree");
        let mut parts = Parts::default();
        for source in from {
            if source.is_dir() {
                parts = Parts::of_tree(source)?;
            } else if is_package(source) {
                package::unpack(source, &tree)?;
            } else {
                parts = Parts::of_image(source)?;
            }
        }
        if tree.exists() {
            parts = Parts::of_tree(&tree)?;
        }
        let release = parts.release.clone();
        let ready = temporary.path().join("ready");
        assemble(&parts, temporary.path(), &ready)?;
        fs::write(ready.join("origin"), origin).map_err(write)?;
        let kernel = self.put(&ready, &release)?;
        self.make_current(&release)?;
        Ok(kernel)
    }

    /// Installs the kernel that this host runs.
    pub fn install_host(&self) -> Result<Kernel, Error> {
        self.install(&host_image()?)
    }

    /// Moves a complete kernel into its place. One of the same release that is there is replaced; a machine that runs
    /// from it keeps the files that it has open.
    fn put(&self, ready: &Path, release: &str) -> Result<Kernel, Error> {
        let place = self.dir.join(release);
        let write = |source| Error::Write {
            path: place.clone(),
            source,
        };
        if place.exists() {
            let old = self.dir.join(format!(".old-{}", uuid::Uuid::new_v4()));
            fs::rename(&place, &old).map_err(write)?;
            fs::rename(ready, &place).map_err(write)?;
            fs::remove_dir_all(&old).map_err(write)?;
        } else {
            fs::rename(ready, &place).map_err(write)?;
        }
        Ok(Kernel {
            release: release.into(),
            dir: place,
        })
    }

    fn make_current(&self, release: &str) -> Result<(), Error> {
        let link = self.dir.join(CURRENT);
        let fresh = self.dir.join(format!(".current-{}", uuid::Uuid::new_v4()));
        symlink(release, &fresh)
            .and_then(|()| fs::rename(&fresh, &link))
            .map_err(|source| Error::Write { path: link, source })
    }

    /// What installations that were killed have left behind; also what one that is under way needs.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                [".new-", ".old-", ".current-"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            })
            .map(|entry| entry.path())
            .collect()
    }

    /// Removes [`Kernels::leftovers`]. Call it when no other installs.
    pub fn sweep(&self) -> Result<(), Error> {
        for path in self.leftovers() {
            let gone = match path.is_symlink() {
                true => fs::remove_file(&path),
                false => fs::remove_dir_all(&path),
            };
            gone.map_err(|source| Error::Write { path, source })?;
        }
        Ok(())
    }

    /// A fresh directory for packages, swept like the rest when its user is killed.
    pub fn workspace(&self) -> Result<tempfile::TempDir, Error> {
        let write = |source| Error::Write {
            path: self.dir.clone(),
            source,
        };
        fs::create_dir_all(&self.dir).map_err(write)?;
        tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&self.dir)
            .map_err(write)
    }
}

/// Where a kernel's parts lie before they are installed.
#[derive(Debug, Default)]
struct Parts {
    release: String,
    image: PathBuf,
    /// The content of `/lib/modules/RELEASE`.
    modules: Option<PathBuf>,
}

impl Parts {
    /// Parts of an unpacked package. Of several releases the last counts, by name.
    fn of_tree(tree: &Path) -> Result<Self, Error> {
        let none = || Error::NoKernel { path: tree.into() };
        let mut found: Vec<Parts> = Vec::new();
        let modules = ["lib/modules", "usr/lib/modules"]
            .iter()
            .filter_map(|place| fs::read_dir(tree.join(place)).ok())
            .flat_map(|entries| entries.flatten());
        for entry in modules {
            let release = entry.file_name().to_string_lossy().into_owned();
            let flavour = release.rsplit('-').next().unwrap_or_default();
            let image = [
                tree.join(format!("boot/vmlinuz-{release}")),
                entry.path().join("vmlinuz"),
                // Alpine names the image after the flavour alone.
                tree.join(format!("boot/vmlinuz-{flavour}")),
            ]
            .into_iter()
            .find(|path| path.is_file());
            if let Some(image) = image {
                found.push(Parts {
                    release,
                    image,
                    modules: Some(entry.path()),
                });
            }
        }
        found.sort_by(|a, b| a.release.cmp(&b.release));
        found.pop().ok_or_else(none)
    }

    /// A kernel image by itself.
    fn of_image(image: &Path) -> Result<Self, Error> {
        let bytes = fs::read(image).map_err(|source| Error::Read {
            path: image.into(),
            source,
        })?;
        let release = match bzimage::release(&bytes) {
            Some(release) => release,
            None if bzimage::is_elf(&bytes) => "custom".into(),
            None => return Err(Error::NotAKernel),
        };
        let modules = PathBuf::from("/lib/modules").join(&release);
        Ok(Parts {
            release,
            image: image.into(),
            modules: modules.is_dir().then_some(modules),
        })
    }
}

/// Puts the parts together in `ready`; `scratch` is for what is thrown away.
fn assemble(parts: &Parts, scratch: &Path, ready: &Path) -> Result<(), Error> {
    let write = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Write { path, source }
    };
    let boot = ready.join("boot");
    fs::create_dir_all(&boot).map_err(write(&boot))?;
    let image = fs::read(&parts.image).map_err(|source| Error::Read {
        path: parts.image.clone(),
        source,
    })?;
    let elf = ready.join("vmlinux");
    fs::write(&elf, bzimage::elf(&image)?).map_err(write(&elf))?;
    let vmlinuz = ready.join("vmlinuz");
    fs::write(&vmlinuz, &image).map_err(write(&vmlinuz))?;
    let mut order = String::new();
    if let Some(modules) = &parts.modules {
        let tree = indexed(modules, &parts.release, scratch)?;
        for module in modules::to_load(&tree)? {
            let path = boot.join(format!("{}.ko", module.name));
            fs::write(&path, modules::uncompressed(&module.path)?).map_err(write(&path))?;
            order.push_str(&format!("{}\n", module.name));
        }
        modules_image::make(&tree, &ready.join("modules.img"))?;
    }
    let list = boot.join("order");
    fs::write(&list, order).map_err(write(&list))
}

/// The tree of modules with depmod's indexes, which a package does not bring when it is its installation that makes
/// them.
fn indexed(modules: &Path, release: &str, scratch: &Path) -> Result<PathBuf, Error> {
    if modules.join("modules.dep").exists() && modules.join("modules.alias.bin").exists() {
        return Ok(modules.into());
    }
    // depmod wants the tree under lib/modules, or usr/lib/modules, by how it was built.
    let base = scratch.join("depmod");
    let place = base.join("lib/modules");
    let fail = |source| Error::Write {
        path: base.clone(),
        source,
    };
    fs::create_dir_all(&place).map_err(fail)?;
    fs::create_dir_all(base.join("usr")).map_err(fail)?;
    symlink("../lib", base.join("usr/lib")).map_err(fail)?;
    let tree = place.join(release);
    if modules.starts_with(scratch) {
        fs::rename(modules, &tree).map_err(fail)?;
    } else {
        copy(modules, &tree).map_err(fail)?;
    }
    let tool = |text: String| Error::Tool {
        tool: "depmod",
        text,
    };
    let output = Command::new("depmod")
        .arg("-b")
        .arg(&base)
        .arg(release)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| tool(e.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(tool(text.trim().to_string()));
    }
    Ok(tree)
}

/// Copies a tree of files, directories and links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            // `build` and `source` lead to the host's kernel sources, which a guest does not have.
            let link = fs::read_link(entry.path())?;
            if link.is_relative() {
                symlink(link, target)?;
            }
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn is_package(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".deb", ".rpm", ".apk", ".tar.zst", ".tar.xz", ".tar.gz"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

/// The image of the kernel that this host runs.
pub fn host_image() -> Result<PathBuf, Error> {
    let release = host_release();
    let beside = PathBuf::from(format!("/lib/modules/{release}/vmlinuz"));
    let boot = PathBuf::from(format!("/boot/vmlinuz-{release}"));
    // Some distributions let only root read it.
    let readable = |path: &Path| fs::File::open(path).is_ok();
    match () {
        () if readable(&beside) => Ok(beside),
        () if readable(&boot) => Ok(boot),
        () => Err(Error::HostKernel {
            release,
            missing: boot,
        }),
    }
}

/// `uname -r` of this host.
pub fn host_release() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}
