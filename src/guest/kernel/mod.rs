//! The kernels that guests boot: taken from a package or the host, kept ready for both hypervisors.
//!
//! ```text
//! <data>/kernels/
//!   current -> RELEASE
//!   RELEASE/
//!     vmlinuz        as the distribution ships it (QEMU)
//!     vmlinux        the ELF file inside it (Firecracker)
//!     config         what it was built with; missing when that cannot be known
//!     boot/          modules that the initramfs needs, uncompressed, and `order`
//!     modules.img    all modules, with depmod's indexes, as a read-only ext4 image; missing when there are none
//!     initramfs-…    see `initramfs`
//! ```
//!
//! A kernel is put together in a temporary directory beside the others and renamed when it is complete, so that what is
//! there is whole.

mod bzimage;
mod config;
mod decompress;
mod error;
mod fetch;
mod modules;
mod modules_image;
mod package;
mod parts;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(crate) mod test_kernel;

pub use self::config::Needs;
pub use self::error::Error;
pub use self::fetch::{commands, fetch};
use self::parts::{Parts, assemble};

const CURRENT: &str = "current";

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

    /// Refuses it when it was built without what a machine needs. One of which that is not known is let through.
    ///
    /// # Errors
    ///
    /// [`Error::OptionMissing`] with the option's name.
    pub fn check(&self, needs: Needs) -> Result<(), Error> {
        let path = self.dir.join(config::FILE);
        match fs::read_to_string(&path) {
            Ok(text) => config::check(&text, needs),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Read { path, source }),
        }
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
