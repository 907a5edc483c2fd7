//! Reading the image's small text files, whatever lies in their place.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Largest file that is read, in bytes: fifty times what a large `/etc/passwd` has.
const LIMIT: u64 = 16 << 20;

/// The text of a file. One that is not there reads as empty, and so does what is no file at all: the server has one
/// thread, and a FIFO without a writer would stop it for everyone, a folder lock everyone out.
pub fn read(path: &Path) -> io::Result<String> {
    let opened = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Nothing there: neither a file nor a way to one, such as a link that leads nowhere or in a circle.
fn is_absence(error: &io::Error) -> bool {
    use nix::libc::{ELOOP, ENODEV, ENOENT, ENOTDIR, ENXIO};
    error
        .raw_os_error()
        .is_some_and(|number| [ENOENT, ENOTDIR, ELOOP, ENXIO, ENODEV].contains(&number))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_file_reads_as_empty_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), b"a\xffb").unwrap();
        nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        symlink(path("circle"), path("circle")).unwrap();
        symlink(path("file"), path("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for nothing in ["fifo", "dangling", "circle", "socket", "file/below", "."] {
            assert_eq!(read(&path(nothing)).unwrap(), "", "{nothing}");
        }
        assert_eq!(read(&path("link")).unwrap(), "a\u{fffd}b");
    }
}
