//! Waiting for a socket that another program makes, without asking again and again.
//!
//! The directory is watched first (inotify(7)), then a connection is tried; after one that failed the next is tried when
//! anything in the directory has been made or written. What happens between a try and the wait is an event that is
//! waiting already.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use crate::vmm::run_dir::RunDir;

/// A directory in which a socket is to appear.
pub(super) struct Arrival(AsyncFd<Watch>);

struct Watch(Inotify);

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Arrival {
    /// Begins to watch.
    pub(super) fn watch(directory: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let flags =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_MODIFY;
        inotify.add_watch(directory, flags)?;
        // SAFETY: the watch owns its descriptor, which stays the same for its life.
        Ok(Arrival(unsafe { AsyncFd::register(Watch(inotify)) }?))
    }

    /// Connects to the socket called `name` as soon as something listens there.
    pub(super) async fn connect(&self, run_dir: &RunDir, name: &str) -> io::Result<UnixStream> {
        loop {
            match run_dir.connect(name) {
                // It has no name yet, or has one and does not listen yet.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                    ) => {}
                connected => return connected,
            }
            let mut ready = self.0.readable().await?;
            // All of it: the descriptor is said to be readable once.
            while ready.get_inner().0.read_events().is_ok() {}
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn a_socket_is_connected_to_as_soon_as_it_listens() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::prepare(dir.path()).unwrap();
        let arrival = Arrival::watch(dir.path()).unwrap();
        let connect = arrival.connect(&run_dir, "socket");
        tokio::pin!(connect);
        // Nothing is there.
        assert!(futures_util::poll!(&mut connect).is_pending());
        std::fs::write(dir.path().join("other"), "").unwrap();
        assert!(futures_util::poll!(&mut connect).is_pending());
        // A socket that is bound and does not listen refuses connections, as between Firecracker's bind and listen.
        let path = dir.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let refused = run_dir.connect("socket").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(futures_util::poll!(&mut connect).is_pending());
        std::fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        // As Firecracker's log does.
        std::fs::write(dir.path().join("log"), "Listening on API socket").unwrap();
        connect.await.unwrap();
    }
}
