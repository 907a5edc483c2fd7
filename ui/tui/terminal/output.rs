//! Where frames go: the terminal, a frame at a time, as long as it is ours.

use std::io::{self, ErrorKind, Write};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc;

use super::life;

/// How often to look whether a terminal that takes nothing is still ours, in milliseconds.
const LOOK: libc::c_int = 1000;

/// The writer for ratatui's backend. What is written goes out when it is flushed; while the terminal is not ours it goes
/// nowhere, and [`super::Input::Resumed`] tells when everything has to be drawn anew.
#[derive(Debug, Default)]
pub(crate) struct Output {
    held: Vec<u8>,
}

impl Output {
    pub(crate) fn new() -> Output {
        Output {
            // A full frame of a large terminal.
            held: Vec::with_capacity(64 << 10),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let sent = send(&self.held);
        self.held.clear();
        sent
    }
}

/// Writes to the terminal at once, if it is ours.
pub(super) fn send(bytes: &[u8]) -> io::Result<()> {
    match life::output() {
        Some(fd) => send_while(fd, bytes, life::is_ours),
        None => Ok(()),
    }
}

/// Looks before each part: a signal may come between, and what it gave back is not to be written on.
///
/// A terminal that takes nothing, as its output is held (Ctrl-S) or its link is dead, is waited for by poll(2): the system
/// goes on with an interrupted write after a signal, for ever, but never with a poll (signal(7)).
fn send_while(fd: RawFd, mut bytes: &[u8], ours: fn() -> bool) -> io::Result<()> {
    while !bytes.is_empty() && ours() {
        if !has_room(fd)? {
            continue;
        }
        // SAFETY: as many bytes are read as are there.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) => match Errno::last() {
                // The terminal may be one that another program left non-blocking, and use at the same time.
                Errno::EINTR | Errno::EAGAIN => {}
                error => return Err(error.into()),
            },
        }
    }
    Ok(())
}

/// Waits until the terminal takes something, or is gone, which writing tells. `false` if a signal came first, or none for
/// a while: one that came just before this began to wait does not end the waiting.
fn has_room(fd: RawFd) -> io::Result<bool> {
    let mut ready = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd is given.
    match unsafe { libc::poll(&raw mut ready, 1, LOOK) } {
        0 => Ok(false),
        1.. => Ok(true),
        _ => match Errno::last() {
            Errno::EINTR => Ok(false),
            error => Err(error.into()),
        },
    }
}

/// Whether an error of writing means that there is no terminal any more: the program ends, and has nobody to tell.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::EIO, Errno::ENXIO, Errno::EBADF, Errno::ENODEV].map(|errno| errno as i32);
    error.kind() == ErrorKind::BrokenPipe
        || error
            .raw_os_error()
            .is_some_and(|code| gone.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::fd::{AsFd, AsRawFd};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use crate::tui::terminal::tests::console;

    #[test]
    fn a_terminal_that_is_gone_is_told_from_other_errors() {
        let (user, program) = console::pair();
        let fd = program.as_raw_fd();
        assert!(send_while(fd, b"there", || true).is_ok());
        assert!(send_while(fd, b"not ours", || false).is_ok());
        drop(user);
        // Other tests start programs, which hold what is open here for a moment. A hang-up is always told.
        let mut fds = [PollFd::new(program.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::NONE).unwrap();
        let error = send_while(fd, b"gone", || true).unwrap_err();
        assert!(is_gone(&error), "{error}");
        assert!(!is_gone(&io::Error::from_raw_os_error(
            Errno::ENOSPC as i32
        )));
        assert!(!is_gone(&io::Error::other("of another kind")));
    }
}
