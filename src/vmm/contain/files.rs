//! Whose a machine's files are: its user's while its hypervisor runs, this program's else.
//!
//! Nothing depends on the giving back: the folders that files lie in are open to nobody but this program, a hypervisor
//! sees only what is mounted for it, and the next launch gives them to whom they belong then. So a command that is killed
//! in between does no harm, and whoever sees the machine off gives back what is left.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

use super::enclosure::{Access, Enclosure};
use super::error::Error;
use super::group;

/// Gives the hypervisor's user what it is to read and write.
pub(super) fn give(enclosure: &Enclosure) -> Result<(), Error> {
    for (path, access) in &enclosure.files {
        let facts = fs::metadata(path).map_err(Error::path("look at", path))?;
        if facts.file_type().is_block_device() {
            // It gets a node of its own.
            continue;
        }
        match access {
            // What machines share is the kernel and its modules, which are no secret; they lie in a folder that nobody
            // else enters.
            Access::Shared => {
                let mode = facts.permissions().mode();
                if facts.is_file() && mode & 0o004 == 0 {
                    let readable = Permissions::from_mode(mode & 0o7777 | 0o444);
                    fs::set_permissions(path, readable).map_err(Error::path("share", path))?;
                }
            }
            Access::Private | Access::Writable => {
                let number = enclosure.owner.number();
                if facts.uid() != number {
                    chown(path, Some(number), Some(number))
                        .map_err(Error::path("give away", path))?;
                }
            }
        }
    }
    Ok(())
}

/// Takes away what a machine's hypervisor had, which has ended: its control group, and the files in `folder` and at
/// `disks`, which are this program's again. What is not there is passed over.
///
/// # Errors
///
/// When the kernel refuses; the rest is taken back all the same.
pub fn release(machine: &str, folder: &Path, disks: &[PathBuf]) -> Result<(), Error> {
    let mut outcome = group::remove(machine);
    if nix::unistd::Uid::effective().is_root() {
        outcome = outcome.and(take_back_folder(folder));
        for disk in disks {
            outcome = outcome.and(take_back(disk).map_err(Error::path("take back", disk)));
        }
    }
    outcome
}

fn take_back_folder(folder: &Path) -> Result<(), Error> {
    let failed = Error::path("take back", folder);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(&failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(&failed)?;
        let path = entry.path();
        // Links are not followed: what is at their other end may be anybody's.
        take_back(&path).map_err(Error::path("take back", &path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            take_back_folder(&path)?;
        }
    }
    Ok(())
}

fn take_back(path: &Path) -> io::Result<()> {
    let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid());
    let taken = fs::symlink_metadata(path).and_then(|facts| {
        let foreign = facts.uid() != user && !facts.file_type().is_block_device();
        match foreign {
            true => lchown(path, Some(user), Some(group.as_raw())),
            false => Ok(()),
        }
    });
    match taken {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        taken => taken,
    }
}
