//! Duties: what one process at a time does for all machines of a data directory.
//!
//! A duty is `flock(2)` on a file in `locks`, which says whose it is. The kernel gives it back when its holder dies.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::{Error, Paths};

/// How often one that is to be had soon is asked for.
const PAUSE: Duration = Duration::from_millis(50);

/// A duty that this process has; given back when dropped.
#[derive(Debug)]
pub(super) struct Duty {
    _file: Flock<File>,
}

impl Duty {
    /// Takes the duty `name`, unless another process has it.
    pub(super) fn try_take(paths: &Paths, name: &str) -> Result<Option<Duty>, Error> {
        let path = path(paths, name);
        let fail = |what: &'static str| {
            let path = path.clone();
            move |source| Error::File { what, path, source }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail("open"))?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, nix::Error::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(fail("lock")(errno.into())),
        };
        let sign = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        sign(&mut file).map_err(fail("write"))?;
        Ok(Some(Duty { _file: file }))
    }

    /// Waits until no other process has the duty `name`, and takes it.
    pub(super) async fn take(paths: &Paths, name: &str) -> Result<Duty, Error> {
        loop {
            match Duty::try_take(paths, name)? {
                Some(duty) => return Ok(duty),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The process that has the duty `name`, if one has; 0 while it has not signed yet.
    pub(super) fn holder(paths: &Paths, name: &str) -> Option<u32> {
        let path = path(paths, name);
        let file = File::open(&path).ok()?;
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Err((_, nix::Error::EWOULDBLOCK)) => {
                let signed = std::fs::read_to_string(&path).unwrap_or_default();
                Some(signed.trim().parse().unwrap_or(0))
            }
            _ => None,
        }
    }
}

fn path(paths: &Paths, name: &str) -> PathBuf {
    paths.locks().join(name)
}
