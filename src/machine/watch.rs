//! Waiting for files of a folder to change (inotify(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
use tokio::io::unix::AsyncFd;

/// An inotify instance that the runtime can wait for.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Inotify);

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Watches nothing yet.
pub(super) fn nothing() -> io::Result<AsyncFd<Watch>> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    // SAFETY: the watch owns its descriptor, which stays the same for its life.
    Ok(unsafe { AsyncFd::register(Watch(inotify)) }?)
}

/// Watches the files of `path`, those that appear later included, for being made, written and removed.
pub(super) fn folder(path: &Path) -> io::Result<AsyncFd<Watch>> {
    let watch = nothing()?;
    let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE;
    watch.get_ref().0.add_watch(path, flags)?;
    Ok(watch)
}

/// What has happened to what is watched, once something has.
pub(super) async fn events(watch: &AsyncFd<Watch>) -> io::Result<Vec<InotifyEvent>> {
    let mut ready = watch.readable().await?;
    let mut found = Vec::new();
    // All of it: the descriptor is said to be readable once.
    while let Ok(events) = ready.get_inner().0.read_events() {
        found.extend(events);
    }
    ready.clear_ready();
    Ok(found)
}

/// Whether the folder itself is gone.
pub(super) fn is_gone(event: &InotifyEvent) -> bool {
    event.mask.contains(AddWatchFlags::IN_IGNORED)
}
