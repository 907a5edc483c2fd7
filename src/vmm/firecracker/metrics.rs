//! The pipe that takes Firecracker's metrics: a line of JSON a minute (docs/metrics.md), for whoever reads it.
//!
//! A pipe that nobody reads is full after some ten lines, and Firecracker then says so in its log with every further
//! one. So the attendant takes what nobody has read; who reads all the time misses nothing.

use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use super::own_folder;
use crate::host::untrusted;

/// The pipe, in Firecracker's folder.
pub(super) const METRICS: &str = "firecracker.metrics";
/// How often a pipe is emptied, so that it is never full: a line has some 5 KiB.
pub const EMPTIED: Duration = Duration::from_secs(240);
/// What a pipe holds (pipe(7)).
const CAPACITY: u64 = 64 << 10;

/// Empties the pipe of the machine that runs in `run_dir`, at most of what a pipe holds: whoever writes all the time keeps
/// nobody here. Without a pipe there is nothing to do.
pub fn empty(run_dir: &Path) -> io::Result<()> {
    let pipe = match untrusted::open(&own_folder(run_dir).join(METRICS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if !pipe.metadata()?.file_type().is_fifo() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match io::copy(&mut pipe.take(CAPACITY), &mut io::sink()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, symlink};

    use nix::libc;
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_takes_more_once_it_is_emptied() {
        let run_dir = tempfile::tempdir().unwrap();
        empty(run_dir.path()).unwrap();
        let folder = own_folder(run_dir.path());
        fs::create_dir(&folder).unwrap();
        let path = folder.join(METRICS);
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        // A pipe that nobody writes to.
        empty(run_dir.path()).unwrap();
        let mut firecracker = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let line = [b'm'; 4 << 10];
        for _ in 0..2 {
            let mut lines = 0;
            while firecracker.write_all(&line).is_ok() {
                lines += 1;
            }
            assert!(lines > 1, "{lines}");
            empty(run_dir.path()).unwrap();
        }
    }

    #[test]
    fn what_is_put_in_the_place_of_a_pipe_is_refused() {
        let run_dir = tempfile::tempdir().unwrap();
        let folder = own_folder(run_dir.path());
        fs::create_dir(&folder).unwrap();
        let path = folder.join(METRICS);
        symlink("/dev/zero", &path).unwrap();
        assert!(empty(run_dir.path()).is_err());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(empty(run_dir.path()).is_err());
    }
}
