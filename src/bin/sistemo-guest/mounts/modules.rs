//! The running kernel's modules, for an image that does not bring them.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::{MountError, is_furnished, make_folder};

/// File systems that a disk of modules may have.
const MODULES_TYPES: [&str; 3] = ["ext4", "squashfs", "erofs"];

/// Mounts the kernel's modules at `/lib/modules/RELEASE`, unless the image brings its own.
pub fn offer_modules(disk: &Path) -> Result<(), MountError> {
    let release = nix::sys::utsname::uname()
        .map_err(|source| MountError::Modules {
            disk: disk.to_owned(),
            source,
        })?
        .release()
        .to_owned();
    let place = Path::new("/lib/modules").join(release);
    if is_furnished(&place) {
        return Ok(());
    }
    make_folder(&place)?;
    let mut failure = Errno::ENODEV;
    for kind in MODULES_TYPES {
        match mount(
            Some(disk),
            &place,
            Some(kind),
            MsFlags::MS_RDONLY | MsFlags::MS_NODEV,
            None::<&str>,
        ) {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(MountError::Modules {
        disk: disk.to_owned(),
        source: failure,
    })
}
