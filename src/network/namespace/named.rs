//! The names of machines' namespaces, made and taken away.
//!
//! A machine's namespace is named the way `ip netns` names them (ip-netns(8)): a bind mount of the namespace on a file
//! in `/run/netns`. It is furnished *before* it is mounted, so one that has a name is whole, and one that was cut off
//! half-way had no name and ended with the thread that made it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::is_network_namespace;
use crate::network::error::Error;
use crate::network::plan::is_short;

/// Where named namespaces are (`NETNS_RUN_DIR` of iproute2).
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "sistemo-";

/// The name of the namespace of the machine whose id begins with `short`.
pub(in crate::network) fn name(short: &str) -> String {
    format!("{PREFIX}{short}")
}

/// Where the namespace `name` is mounted.
pub(in crate::network) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Gives this thread's namespace a name.
pub(super) fn publish(name: &str) -> io::Result<()> {
    let _lock = prepare_directory()?;
    let path = path(name);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(&path)
    {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if is_network_namespace(&File::open(&path)?) {
                return Ok(());
            }
        }
        Err(error) => return Err(error),
    }
    let mine = Path::new("/proc/thread-self/ns/net");
    mount(
        Some(mine),
        &path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    Ok(())
}

/// Makes `/run/netns` a shared mount, as `ip netns` does, so that a namespace mounted or unmounted here is so in every
/// mount namespace; and locks it, as `ip netns` does, against others that do the same.
fn prepare_directory() -> io::Result<Flock<File>> {
    fs::create_dir_all(DIRECTORY)?;
    let lock = lock_directory()?;
    // Of the folder alone: nothing is mounted below a name, and there may be a thousand of them.
    let shared = MsFlags::MS_SHARED;
    match mount(None::<&str>, DIRECTORY, None::<&str>, shared, None::<&str>) {
        Ok(()) => {}
        // Not a mount point yet.
        Err(Errno::EINVAL) => {
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(DIRECTORY), DIRECTORY, None::<&str>, bind, None::<&str>)?;
            mount(None::<&str>, DIRECTORY, None::<&str>, shared, None::<&str>)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    Ok(lock)
}

fn lock_directory() -> io::Result<Flock<File>> {
    Flock::lock(File::open(DIRECTORY)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// See [`Namespace::remove`].
pub(in crate::network) fn remove(name: &str) -> Result<(), Error> {
    let failed = |source| Error::Namespace {
        act: "remove",
        name: name.into(),
        source,
    };
    let path = path(name);
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let _lock = lock_directory().map_err(failed)?;
    loop {
        match umount2(&path, MntFlags::MNT_DETACH) {
            // There may be more than one mount on the file.
            Ok(()) => {}
            // Not a mount point, or not there.
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Whether `name` is a file that nothing is mounted on, and nobody is about to.
pub(in crate::network) fn is_torn(name: &str) -> Result<bool, Error> {
    let looked = || {
        let _lock = lock_directory()?;
        File::open(path(name)).map(|file| !is_network_namespace(&file))
    };
    match looked() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map_err(|source| Error::Namespace {
            act: "look at",
            name: name.into(),
            source,
        }),
    }
}

/// The eight digits of every machine that has a file in `/run/netns`, in order.
pub(in crate::network) fn shorts() -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Namespace {
                act: "list",
                name: DIRECTORY.into(),
                source,
            });
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut shorts: Vec<_> = names
        .filter_map(|name| {
            name.strip_prefix(PREFIX)
                .filter(|rest| is_short(rest))
                .map(Into::into)
        })
        .collect();
    shorts.sort();
    Ok(shorts)
}
