//! File systems: the kernel's own, the image's root, the user's volumes on top of it, and all of them at the end.

mod end;
mod kernel;
mod modules;
mod root;
mod volume;

use std::io;
use std::path::{Path, PathBuf};

pub use self::end::settle;
pub use self::kernel::{cgroups, early, late};
pub use self::modules::offer_modules;
pub use self::root::{empty, hand_down, root, switch_root};
pub use self::volume::{stand_in, volume, volume_place};

/// Why a file system is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("cannot make the folder {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot mount {what} at {place}")]
    Mount {
        what: String,
        place: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("{disk} holds no ext4 file system that can be mounted at {place}")]
    Disk {
        disk: PathBuf,
        place: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("{disk} holds no file system that this kernel knows, so its modules are not offered")]
    Modules {
        disk: PathBuf,
        #[source]
        source: nix::Error,
    },
    #[error("cannot make {place} the root")]
    Root {
        place: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Whether a folder holds anything.
fn is_furnished(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn make_folder(path: &Path) -> Result<(), MountError> {
    // Asked first: on a read-only root, making a folder that is there fails all the same.
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(|source| MountError::Folder {
        path: path.to_owned(),
        source,
    })
}
