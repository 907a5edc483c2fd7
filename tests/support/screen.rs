//! A full-screen program on a terminal of its own, whose other end is an emulator: what a user presses and sees.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use alacritty_terminal::term::TermMode;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{Termios, tcgetattr};
use rustix::process::PidfdFlags;
use unicode_width::UnicodeWidthStr;

use super::emulated::Emulated;
use super::keys;

/// How long anything may take on a computer that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The terminal, and the program that runs on it.
pub struct Screen {
    child: Child,
    side: File,
    /// The program's end, for its settings.
    own: OwnedFd,
    before: Termios,
    emulated: Emulated,
    /// Closing it ends the thread that reads.
    stop: Option<OwnedFd>,
    reading: Option<JoinHandle<()>>,
}

impl Screen {
    /// Starts a program on a terminal of this size.
    pub fn of(mut command: Command, columns: u16, rows: u16) -> Screen {
        // Neither end is anybody else's, whatever other threads start meanwhile.
        let side = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&side).unwrap();
        unlockpt(&side).unwrap();
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let own = open(ptsname_r(&side).unwrap().as_str(), flags, Mode::empty()).unwrap();
        let side = File::from(OwnedFd::from(side));
        set_size(&side, columns, rows);
        let before = tcgetattr(&own).unwrap();
        let end = || Stdio::from(own.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end());
        for key in [
            "NO_COLOR",
            "TMUX",
            "STY",
            "SSH_TTY",
            "SSH_CONNECTION",
            "DISPLAY",
            "WAYLAND_DISPLAY",
        ] {
            command.env_remove(key);
        }
        command.envs([
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("LC_ALL", "C.UTF-8"),
        ]);
        // SAFETY: setsid and ioctl are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                // Whatever whoever runs the tests has programs ignore, as nohup(1) and a shell's background do.
                for signal in [
                    nix::libc::SIGHUP,
                    nix::libc::SIGINT,
                    nix::libc::SIGQUIT,
                    nix::libc::SIGTERM,
                ] {
                    nix::libc::signal(signal, nix::libc::SIG_DFL);
                }
                match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        let emulated = Emulated::new(columns, rows);
        let (stopped, stop) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        let (from, to) = (side.try_clone().unwrap(), emulated.clone());
        let reading = std::thread::spawn(move || to.read(from, &stopped));
        Screen {
            child,
            side,
            own,
            before,
            emulated,
            stop: Some(stop),
            reading: Some(reading),
        }
    }

    /// Presses keys, parted by blanks: `ctrl-] %`. Behind `esc` wait for what it does: terminals take it for Alt
    /// otherwise.
    pub fn press(&mut self, keys: &str) {
        let is_application = self.mode().contains(TermMode::APP_CURSOR);
        for key in keys.split(' ') {
            self.send(&keys::bytes(key, is_application));
        }
    }

    /// Types text.
    pub fn types(&mut self, text: &str) {
        self.send(text.as_bytes());
    }

    /// Pastes text, as one thing if the program wants that.
    pub fn pastes(&mut self, text: &str) {
        match self.mode().contains(TermMode::BRACKETED_PASTE) {
            true => self.send(format!("\x1b[200~{text}\x1b[201~").as_bytes()),
            false => self.send(text.as_bytes()),
        }
    }

    /// Clicks into a cell, counted from 0.
    pub fn click(&mut self, (x, y): (u16, u16)) {
        let (x, y) = (x + 1, y + 1);
        // The left button, down and up (xterm, SGR 1006).
        self.send(format!("\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m").as_bytes());
    }

    /// Bytes as they are; the terminal may be gone.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.side.write_all(bytes);
    }

    /// Changes its size; the program is told by a signal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.emulated.resize(columns, rows);
        set_size(&self.side, columns, rows);
    }

    /// Waits until a line holds `text`.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.until(&format!("no {text:?}"), |shown| shown.contains(text));
    }

    /// Waits until no line holds `text`.
    #[track_caller]
    pub fn gone(&self, text: &str) {
        self.until(&format!("{text:?} has not gone"), |shown| {
            !shown.contains(text)
        });
    }

    /// Waits until what is shown is so.
    #[track_caller]
    pub fn until(&self, what_if_not: &str, holds: impl FnMut(&str) -> bool) {
        if let Err(why) = self.shows(holds) {
            panic!("{what_if_not} {why}");
        }
    }

    /// The same, as a result: why it is not, and what is shown instead.
    pub fn shows(&self, holds: impl FnMut(&str) -> bool) -> Result<(), String> {
        self.shows_within(PATIENCE, holds)
    }

    /// The same within a time.
    pub fn shows_within(
        &self,
        patience: Duration,
        holds: impl FnMut(&str) -> bool,
    ) -> Result<(), String> {
        let end = Instant::now() + patience;
        let shown = self.emulated.until(end, holds);
        shown.map_err(|(why, text)| format!("{why}:\n{text}"))
    }

    /// Waits until the program has written more than so many bytes, but no longer than that; how many it has written.
    pub fn more_than(&self, bytes: u64, patience: Duration) -> u64 {
        self.emulated.more_than(bytes, patience)
    }

    /// What is shown, line by line, without blanks at their ends.
    pub fn text(&self) -> String {
        self.emulated.text()
    }

    /// Where `text` begins: column and row, counted from 0.
    #[track_caller]
    pub fn place_of(&self, text: &str) -> (u16, u16) {
        self.sees(text);
        let shown = self.text();
        let mut lines = shown.lines().enumerate();
        let found = lines.find_map(|(row, line)| Some((line.find(text)?, row, line)));
        let (byte, row, line) = found.unwrap_or_else(|| panic!("no {text:?} any more:\n{shown}"));
        let column = line[..byte].width();
        (u16::try_from(column).unwrap(), u16::try_from(row).unwrap())
    }

    /// What the program has put into the clipboard last (OSC 52).
    pub fn clipboard(&self) -> Option<String> {
        self.emulated.clipboard()
    }

    /// The window's title.
    pub fn title(&self) -> String {
        self.emulated.title()
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits for the program's end, and checks that it left the terminal as it found it.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        let status = self.waits();
        self.stop();
        assert!(
            self.is_as_before(),
            "the terminal is not as it was:\n{:?}\n{}",
            self.mode(),
            self.text()
        );
        status
    }

    /// Takes the terminal away, as a window does that is closed, and waits for the program's end.
    #[track_caller]
    pub fn closes(mut self) -> ExitStatus {
        self.stop();
        self.side = File::open("/dev/null").unwrap();
        self.waits()
    }

    #[track_caller]
    fn waits(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).unwrap();
        if poll(&mut fds, patience).unwrap() == 0 {
            panic!("the program has not ended:\n{}", self.text());
        }
        self.child.wait().unwrap()
    }

    /// Whether the terminal is in no other state than it was at the beginning.
    pub fn is_as_before(&self) -> bool {
        let mode = self.mode();
        let left = TermMode::ALT_SCREEN
            | TermMode::MOUSE_MODE
            | TermMode::BRACKETED_PASTE
            | TermMode::FOCUS_IN_OUT;
        let left = left | TermMode::APP_CURSOR | TermMode::APP_KEYPAD;
        mode.contains(TermMode::SHOW_CURSOR)
            && !mode.intersects(left)
            && tcgetattr(&self.own).unwrap() == self.before
    }

    fn mode(&self) -> TermMode {
        self.emulated.mode()
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.stop.take());
    }
}

fn set_size(side: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call reads one winsize.
    let done =
        unsafe { nix::libc::ioctl(side.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(done, 0);
}

#[test]
fn a_program_is_answered_resized_and_waited_for() {
    let script = r#"stty raw -echo min 0 time 20; printf '\033[?1049h\033[6n\033]11;?\007'
        head -c 30 | od -An -c; stty size; trap 'stty size' WINCH; coproc cat; echo trapped; while :; do wait; done"#;
    let mut command = Command::new("bash");
    command.args(["-c", script]);
    let mut screen = Screen::of(command, 40, 10);
    // Where its cursor is, and which background it has.
    screen.sees("R 033   ]   1   1");
    screen.sees("trapped");
    screen.resize(50, 12);
    screen.sees("12 50");
    assert!(screen.place_of("12 50").1 > screen.place_of("trapped").1);
    assert!(!screen.is_as_before());
}
