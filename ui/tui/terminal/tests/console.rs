//! A program on a terminal of its own, and who sits before it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use super::roles;

/// How long anything may take on a computer that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Console {
    child: Child,
    /// Ready when the child has ended.
    end: OwnedFd,
    user: PtyMaster,
    /// The program's side, kept open to look at its modes.
    program: File,
    before: Termios,
    seen: String,
}

impl Console {
    /// Starts this test program in a role, as the leader of a session on a terminal of 80 by 24.
    pub(super) fn start(role: &str) -> Console {
        let (user, program) = pair();
        set_size(&user, 80, 24);
        let before = tcgetattr(&program).unwrap();
        let side = || Stdio::from(program.try_clone().unwrap());
        let mut command = roles::command(role);
        command.stdin(side()).stdout(side()).stderr(side());
        let deaf = role.contains("deaf");
        // SAFETY: all of these are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                // Whatever whoever runs the tests has programs ignore, as nohup(1) and a shell's background do.
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                if deaf {
                    libc::signal(libc::SIGHUP, libc::SIG_IGN);
                }
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let end = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        Console {
            child,
            end,
            user,
            program,
            before,
            seen: String::new(),
        }
    }

    pub(super) fn types(&mut self, keys: &str) {
        self.user.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is seen, behind what was waited for before.
    #[track_caller]
    pub(super) fn reads(&mut self, text: &str) {
        self.reads_up_to(text);
    }

    /// The number of the process that the shell started.
    #[track_caller]
    pub(super) fn reads_pid(&mut self) -> Pid {
        self.reads("shell: started ");
        let pid = self.reads_up_to("\r\n");
        Pid::from_raw(pid.parse().unwrap())
    }

    /// What is seen before `text`.
    #[track_caller]
    fn reads_up_to(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            assert!(
                !left.is_zero() && self.sees_more(left),
                "no {text:?} in {:?}",
                self.seen
            );
        }
    }

    /// Takes more of what is shown; `false` when the program has ended and there is no more, or patience has.
    fn sees_more(&mut self, patience: Duration) -> bool {
        let patience = PollTimeout::try_from(patience).unwrap();
        let mut fds = [
            PollFd::new(self.user.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.end.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut fds, patience).unwrap();
        if !fds[0].revents().unwrap().contains(PollFlags::POLLIN) {
            return false;
        }
        let mut bytes = [0; 4096];
        let count = self.user.read(&mut bytes).unwrap();
        self.seen += &String::from_utf8_lossy(&bytes[..count]);
        true
    }

    /// What is still shown until the program ends, and how it does.
    pub(super) fn ends(&mut self) -> (String, ExitStatus) {
        while self.sees_more(PATIENCE) {}
        let rest = std::mem::take(&mut self.seen);
        let mut fds = [PollFd::new(self.end.as_fd(), PollFlags::POLLIN)];
        assert_eq!(
            poll(&mut fds, PollTimeout::ZERO).unwrap(),
            1,
            "it goes on, after {rest:?}"
        );
        (rest, self.child.wait().unwrap())
    }

    /// The terminal is taken away. How the program ends.
    pub(super) fn hangs_up(mut self) -> ExitStatus {
        self.reads("READY");
        let Console {
            mut child,
            end,
            user,
            program,
            ..
        } = self;
        drop((user, program));
        end_of(&mut child, &end)
    }

    /// How the program ends while nobody looks.
    pub(super) fn ends_unseen(mut self) -> ExitStatus {
        end_of(&mut self.child, &self.end)
    }

    /// Reads nothing until the terminal takes no more and the program waits for it. It also does for a moment whenever the
    /// system is slow to hand on what was written, so it is to be seen waiting many times in a row.
    pub(super) fn fills_up(&self) {
        let begun = Instant::now();
        let stat = format!("/proc/{}/stat", self.child.id());
        let mut waits = 0;
        while waits < 1000 {
            let mut fds = [PollFd::new(self.program.as_fd(), PollFlags::POLLOUT)];
            let is_full = poll(&mut fds, PollTimeout::ZERO).unwrap() == 0;
            // The state is behind the name, which is in parentheses (proc_pid_stat(5)).
            let stat = std::fs::read_to_string(&stat).unwrap();
            waits = match is_full && stat.contains(") S ") {
                true => waits + 1,
                false => 0,
            };
            assert!(begun.elapsed() < PATIENCE, "it never fills up: {stat}");
            std::thread::yield_now();
        }
    }

    pub(super) fn signals(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) {
        set_size(&self.user, columns, rows);
    }

    /// Whether the modes are those from before.
    pub(super) fn is_as_before(&self) -> bool {
        tcgetattr(&self.program).unwrap() == self.before
    }
}

/// Waits for the end of a program.
fn end_of(child: &mut Child, end: &OwnedFd) -> ExitStatus {
    let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
    let ended = poll(&mut fds, PollTimeout::try_from(PATIENCE).unwrap()).unwrap();
    if ended == 0 {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(ended, 1, "it went on");
    status
}

/// A terminal: the side of whoever sits before it, and the program's.
pub(in crate::tui::terminal) fn pair() -> (PtyMaster, File) {
    // Close-on-exec from the beginning: other tests start programs at the same time.
    let user = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let path = ptsname_r(&user).unwrap();
    let mut options = File::options();
    let program = options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    (user, program.open(path).unwrap())
}

fn set_size(user: &PtyMaster, columns: u16, rows: u16) {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call reads one winsize.
    let done = unsafe { libc::ioctl(user.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(done, 0);
}
