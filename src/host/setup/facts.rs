//! What setup has to know of a host before it can say what the host lacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Firecracker, Hypervisors, KernelSource};
use crate::guest::kernel::{self, Kernels};
use crate::host::packages::{PackageManager, Tool};

/// Package lists that are older are brought up to date before anything is fetched: mirrors drop what has been replaced.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// A host, as far as setup cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether this program runs as root.
    pub root: bool,
    /// The host's package manager.
    pub manager: Option<PackageManager>,
    /// Whether its lists are missing or old.
    pub lists_old: bool,
    /// Tools that are not installed.
    pub missing: Vec<Tool>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// Whether it exists.
    pub data_dir_exists: bool,
    /// Whether this user can make or fill it.
    pub data_dir_writable: bool,
    /// Firecracker.
    pub firecracker: Firecracker,
    /// What the kernel that new machines boot was installed from, when there is one.
    pub kernel_origin: Option<String>,
    /// The `kernel` setting.
    pub kernel_setting: Option<PathBuf>,
    /// Whether the kernel that this host runs could be used.
    pub host_kernel: bool,
    /// The private key by which machines are entered.
    pub key_file: PathBuf,
    /// Whether it exists.
    pub has_keys: bool,
}

impl Facts {
    /// Looks at this host. Reads only, but for the probe's answer, which is remembered.
    pub fn gather(
        data_dir: &Path,
        kernel_setting: Option<&Path>,
        key_file: &Path,
        hypervisors: &Hypervisors,
    ) -> Self {
        let manager = PackageManager::detect();
        let kernel = Kernels::new(data_dir).current();
        Facts {
            root: nix::unistd::geteuid().is_root(),
            manager,
            lists_old: manager.is_some_and(|manager| lists_old(manager, Path::new("/"))),
            missing: Tool::ALL
                .into_iter()
                .filter(|tool| tool.find().is_none())
                .collect(),
            data_dir: data_dir.into(),
            data_dir_exists: data_dir.is_dir(),
            data_dir_writable: writable(data_dir),
            firecracker: hypervisors.firecracker(data_dir),
            kernel_origin: kernel.map(|kernel| kernel.origin()),
            kernel_setting: kernel_setting.map(Into::into),
            host_kernel: kernel::host_image().is_ok(),
            key_file: key_file.into(),
            has_keys: key_file.exists(),
        }
    }

    /// Where a kernel is to come from; `None` when the host has the one it should have.
    pub(super) fn kernel_source(&self) -> Option<KernelSource> {
        match (&self.kernel_setting, &self.kernel_origin) {
            (Some(path), Some(origin)) if path.display().to_string() == *origin => None,
            (Some(path), _) => Some(KernelSource::Path(path.clone())),
            (None, Some(_)) => None,
            (None, None) => Some(match self.manager {
                Some(manager) => KernelSource::Packages(manager),
                None => KernelSource::Host,
            }),
        }
    }

    pub(super) fn kernel_from_packages(&self) -> bool {
        matches!(self.kernel_source(), Some(KernelSource::Packages(_)))
    }
}

/// Whether the lists of packages under `root` are missing or old. dnf and zypper see to that themselves.
pub(super) fn lists_old(manager: PackageManager, root: &Path) -> bool {
    let (directory, mark) = match manager {
        PackageManager::Apt => ("var/lib/apt/lists", "_Packages"),
        PackageManager::Pacman => ("var/lib/pacman/sync", ".db"),
        PackageManager::Apk => ("var/cache/apk", "APKINDEX"),
        PackageManager::Dnf | PackageManager::Zypper => return false,
    };
    let newest = fs::read_dir(root.join(directory))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(mark))
        .filter_map(|entry| entry.metadata().ok())
        // When it was fetched; the time of modification is the mirror's.
        .filter_map(|facts| changed(&facts))
        .max();
    newest.is_none_or(|time| time.elapsed().is_ok_and(|age| age > OLD))
}

fn changed(facts: &fs::Metadata) -> Option<SystemTime> {
    let seconds = std::os::unix::fs::MetadataExt::ctime(facts);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Whether this user may write in the directory, or in the nearest one above it that exists.
fn writable(path: &Path) -> bool {
    let existing = path.ancestors().find(|p| p.exists());
    existing.is_some_and(|p| nix::unistd::access(p, nix::unistd::AccessFlags::W_OK).is_ok())
}
