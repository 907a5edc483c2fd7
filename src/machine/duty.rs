//! Duties: what one process at a time does for all machines of a data directory.
//!
//! A duty is a lock on a file in `locks`, which says whose it is. The kernel gives it back when its holder dies. It is a
//! lock of the open file (fcntl(2), `F_OFD_SETLK`), not `flock(2)`: whether such a one is held can be asked without taking
//! it, so that whoever asks is in nobody's way who is about to take it.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::{Error, Paths};

/// How often one that is to be had soon is asked for.
const PAUSE: Duration = Duration::from_millis(50);

/// A duty that this process has; given back when dropped.
#[derive(Debug)]
pub(super) struct Duty {
    file: File,
}

impl Drop for Duty {
    fn drop(&mut self) {
        // Not left to the file's closing: a process that was forked from this one and has not executed its program yet
        // has the file, too, and with it the lock.
        let _ = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&whole(libc::F_UNLCK)));
    }
}

impl Duty {
    /// Takes the duty `name`, unless another process has it.
    pub(super) fn try_take(paths: &Paths, name: &str) -> Result<Option<Duty>, Error> {
        let path = path(paths, name);
        let fail = |what: &'static str| {
            let path = path.clone();
            move |source| Error::File { what, path, source }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail("open"))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))) {
            Ok(_) => {}
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => return Ok(None),
            Err(errno) => return Err(fail("lock")(errno.into())),
        }
        // Over what is there, which takes no more space: it is to work on a full disk, too.
        let sign = |file: &mut File| {
            let text = format!("{}\n", std::process::id());
            file.rewind()?;
            file.write_all(text.as_bytes())?;
            file.set_len(text.len() as u64)
        };
        sign(&mut file).map_err(fail("write"))?;
        Ok(Some(Duty { file }))
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
        let mut held = whole(libc::F_RDLCK);
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut held)).ok()?;
        if i32::from(held.l_type) == libc::F_UNLCK {
            return None;
        }
        let signed = std::fs::read_to_string(&path).unwrap_or_default();
        Some(signed.trim().parse().unwrap_or(0))
    }
}

/// A lock of a whole file.
fn whole(kind: libc::c_int) -> libc::flock {
    // SAFETY: zeros are a valid value: from the beginning to the end, whatever that is.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(kind).unwrap_or_default();
    lock
}

fn path(paths: &Paths, name: &str) -> PathBuf {
    paths.locks().join(name)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn one_has_a_duty_and_whoever_asks_for_its_holder_is_in_nobody_s_way() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        std::fs::create_dir_all(paths.locks()).unwrap();
        assert_eq!(Duty::holder(&paths, "duty"), None);
        let own = Some(std::process::id());
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let asks = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let holder = Duty::holder(&paths, "duty");
                    assert!(holder.is_none() || holder == Some(0) || holder == own);
                }
            });
            let takes = scope.spawn(|| {
                for _ in 0..2000 {
                    let duty = Duty::try_take(&paths, "duty").unwrap();
                    assert!(duty.is_some(), "nobody has it");
                    assert_eq!(Duty::holder(&paths, "duty"), own);
                    assert!(Duty::try_take(&paths, "duty").unwrap().is_none());
                }
            });
            let taken = takes.join();
            over.store(true, Ordering::Relaxed);
            asks.join().unwrap();
            taken.unwrap();
        });
    }

    #[test]
    fn a_duty_is_given_back_also_while_a_process_that_was_forked_has_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        std::fs::create_dir_all(paths.locks()).unwrap();
        let duty = Duty::try_take(&paths, "duty").unwrap().unwrap();
        let copy = duty.file.try_clone().unwrap();
        drop(duty);
        assert_eq!(Duty::holder(&paths, "duty"), None);
        assert!(Duty::try_take(&paths, "duty").unwrap().is_some());
        drop(copy);
    }
}
