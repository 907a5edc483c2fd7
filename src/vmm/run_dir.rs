//! The directory in which one hypervisor runs: its control socket, what it prints, and a lock that it holds by living.
//!
//! The lock (`alive`) is taken by the program that launches and inherited by the hypervisor from before it is executed,
//! so it is held exactly as long as a hypervisor exists or comes into being, whoever started it and whether or not that
//! one still lives (flock(2): the lock belongs to the open file, not to the process).

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::libc;

use super::error::{Error, HypervisorLog};
use crate::host::untrusted;

const ALIVE: &str = "alive";
const PRINTED: &str = "hypervisor.log";
/// How much of the end of the hypervisor's output an error shows, in bytes.
const SHOWN: u64 = 1000;

/// The directory, opened.
pub(super) struct RunDir {
    path: PathBuf,
    handle: File,
}

impl RunDir {
    /// Opens the directory, making it when missing.
    pub(super) fn prepare(path: &Path) -> Result<Self, Error> {
        let fail = |act| {
            move |source| Error::RunDir {
                act,
                path: path.into(),
                source,
            }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(fail("make the directory"))?;
        RunDir::open(path).map_err(fail("open the directory"))
    }

    /// Opens the directory.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(RunDir {
            path: path.into(),
            handle: File::open(path)?,
        })
    }

    /// Takes the lock that the hypervisor will hold.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.path.join(ALIVE);
        let fail = |source| Error::RunDir {
            act: "lock",
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::AlreadyRunning {
                run_dir: self.path.clone(),
            }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }

    /// Listens on a fresh socket called `name`.
    pub(super) fn listen(&self, name: &str) -> io::Result<UnixListener> {
        let path = self.short(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => UnixListener::bind(path),
        }
    }

    /// Connects to the socket called `name`. A link is not followed: in a hypervisor's own folder it may lead anywhere.
    pub(super) fn connect(&self, name: &str) -> io::Result<UnixStream> {
        let socket = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(self.short(name))?;
        if !socket.metadata()?.file_type().is_socket() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd()))
    }

    /// The path of `name`.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A short path to `name`: a socket's path has at most 107 bytes (unix(7)), a data directory's may have more.
    fn short(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd())).join(name)
    }

    /// An empty file for what the hypervisor prints.
    pub(super) fn output(&self) -> Result<File, Error> {
        let path = self.path.join(PRINTED);
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| Error::RunDir {
                act: "write",
                path,
                source,
            })
    }

    /// The last lines of what the hypervisor printed.
    pub(super) fn printed(&self) -> HypervisorLog {
        let text = tail(&self.path.join(PRINTED), SHOWN).unwrap_or_default();
        HypervisorLog(text.trim().into())
    }
}

/// The path of the lock in a run directory.
pub(super) fn lock_path(run_dir: &Path) -> PathBuf {
    run_dir.join(ALIVE)
}

/// The last `most` bytes of a file, as text.
pub(super) fn tail(path: &Path, most: u64) -> io::Result<String> {
    let mut file = untrusted::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
