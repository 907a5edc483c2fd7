//! A command on a terminal of its own: what a user types and sees.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{Winsize, openpty};

use super::Lab;

/// How long anything may take on a computer that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The terminal, and the command that runs on it.
pub struct Terminal {
    child: Child,
    side: File,
    seen: String,
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn start(lab: &Lab, line: &str, columns: u16, rows: u16) -> Terminal {
        let pair = openpty(Some(&size(columns, rows)), None).unwrap();
        let slave = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut command = lab.command(line, &[("TERM", "xterm")]);
        command.stdin(slave()).stdout(slave()).stderr(slave());
        use std::os::unix::process::CommandExt;
        // SAFETY: setsid and ioctl are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        Terminal {
            child,
            side: File::from(pair.master),
            seen: String::new(),
        }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &str) {
        self.side.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is seen, behind what was waited for before.
    #[track_caller]
    pub fn reads(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            assert!(
                !left.is_zero() && self.more(left),
                "no {text:?} in {:?}",
                self.seen
            );
        }
    }

    /// Takes more of what is shown; `false` at its end.
    fn more(&mut self, patience: Duration) -> bool {
        let side: &OwnedFd = &self.side.try_clone().unwrap().into();
        let mut fds = [PollFd::new(
            std::os::fd::AsFd::as_fd(side),
            PollFlags::POLLIN,
        )];
        let patience = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        if poll(&mut fds, patience).unwrap() == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        match self.side.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.seen += &String::from_utf8_lossy(&bytes[..count]);
                true
            }
        }
    }

    /// Changes its size; the command is told by a signal.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = size(columns, rows);
        // SAFETY: the call reads one winsize.
        let done = unsafe {
            nix::libc::ioctl(
                self.side.as_raw_fd(),
                nix::libc::TIOCSWINSZ,
                &raw const size,
            )
        };
        assert_eq!(done, 0);
    }

    /// Waits for the command's end.
    pub fn status(&mut self) -> Option<i32> {
        // What is shown is taken, or the command would wait for that.
        while self.more(PATIENCE) {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
