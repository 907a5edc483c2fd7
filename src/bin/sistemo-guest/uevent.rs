//! The kernel's news of devices (netlink family KOBJECT_UEVENT), so that waiting for one needs no polling.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

/// How long a device may take to appear. Virtio devices are there when their module has loaded; the rest is margin
/// for software emulation on a busy host.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open subscription. What happens from then on is not missed.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

impl Uevents {
    pub fn open() -> io::Result<Uevents> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        // Group 1: the kernel's own events; udev's come in group 2.
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 1))?;
        Ok(Uevents(socket))
    }

    /// Asks `find` now and after each event until it finds something; `None` when that takes too long.
    pub fn wait_for<T>(&self, mut find: impl FnMut() -> Option<T>) -> io::Result<Option<T>> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find() {
                return Ok(Some(found));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(
                &mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)],
                timeout,
            ) {
                Ok(_) | Err(Errno::EINTR) => self.discard()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn discard(&self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                // Lost events are events too: the caller looks again anyway.
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
