//! Taking the terminal and giving it back. All that is called from signal handlers is async-signal-safe (signal-safety(7)):
//! it neither allocates nor locks, and goes by state that is only ever replaced as a whole.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use nix::fcntl::OFlag;
use nix::libc;

use super::sequences::{self, MOUSE_OFF, MOUSE_ON, Options};

/// How long the terminal may take to take what gives it back, in milliseconds: one whose output is held (Ctrl-S) or whose
/// link is dead must not keep us alive.
const PATIENCE: libc::c_int = 1000;

/// Whether the terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);
/// Whether the mouse is to report to us.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// What is known of the terminal. Never freed, since a signal may look at any time.
static TERMINAL: AtomicPtr<Terminal> = AtomicPtr::new(ptr::null_mut());
/// The end to write to of the pipe on which the reader of keys is told what happened.
static NOTICES: AtomicI32 = AtomicI32::new(-1);

struct Terminal {
    input: RawFd,
    output: RawFd,
    before: libc::termios,
    raw: libc::termios,
    enter: String,
    leave: String,
}

/// What the reader of keys is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Notice {
    /// The terminal was taken again: everything is to be drawn.
    Resumed = b'r',
    /// It was given back, for now or for good: keys are not ours.
    GivenBack = b'g',
    /// The program is to end.
    End = b'e',
}

impl Notice {
    pub(super) fn of(byte: u8) -> Option<Notice> {
        let all = [Notice::Resumed, Notice::GivenBack, Notice::End];
        all.into_iter().find(|notice| *notice as u8 == byte)
    }
}

pub(super) fn is_ours() -> bool {
    OURS.load(Ordering::SeqCst)
}

/// Takes the terminal for the first time.
pub(super) fn enter(input: RawFd, output: RawFd, options: &Options) -> io::Result<()> {
    let before = attributes(input)?;
    // crossterm reads keys otherwise when it knows of raw mode.
    crossterm::terminal::enable_raw_mode()?;
    let terminal = Terminal {
        input,
        output,
        before,
        raw: attributes(input)?,
        enter: sequences::enter(options),
        leave: sequences::leave(options),
    };
    TERMINAL.store(Box::into_raw(Box::new(terminal)), Ordering::SeqCst);
    MOUSE.store(options.mouse, Ordering::SeqCst);
    take();
    Ok(())
}

/// Gives the terminal back for good.
pub(super) fn leave() {
    give_back(Unread::Dropped);
    notify(Notice::End);
    // So that crossterm knows; from the background it would stop us, and there is nothing to be done either.
    if terminal().is_some_and(|terminal| is_in_front(terminal.input)) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Whether what was typed and not read yet is dropped when the terminal is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// Reports of the mouse are not for the shell. The program ends: a read of keys that was about to take them waits for
    /// nothing any more.
    Dropped,
    /// The program goes on, and a read that had them taken away would keep it from what it is told.
    Kept,
}

/// Gives the terminal back, if it is ours: whether it was. Async-signal-safe.
pub(super) fn give_back(unread: Unread) -> bool {
    let Some(terminal) = terminal() else {
        return false;
    };
    if !OURS.swap(false, Ordering::SeqCst) {
        return false;
    }
    write_within_patience(terminal.output, terminal.leave.as_bytes());
    // One that is used by somebody else by now has its modes from them.
    if is_in_front(terminal.input) {
        // SAFETY: the attributes are initialised, and the calls touch nothing else.
        unsafe {
            libc::tcsetattr(terminal.input, libc::TCSANOW, &raw const terminal.before);
            if unread == Unread::Dropped {
                libc::tcflush(terminal.input, libc::TCIFLUSH);
            }
        }
    }
    notify(Notice::GivenBack);
    true
}

/// Takes the terminal, be it ours in name already. From the background this stops the process until it is in front.
/// Async-signal-safe.
pub(super) fn take() {
    let Some(terminal) = terminal() else {
        return;
    };
    loop {
        // SAFETY: as in `give_back`.
        let set =
            unsafe { libc::tcsetattr(terminal.input, libc::TCSANOW, &raw const terminal.raw) };
        if set == 0 || errno() != libc::EINTR {
            break;
        }
    }
    // What is pushed twice would have to be popped twice.
    if OURS.swap(true, Ordering::SeqCst) {
        write_within_patience(terminal.output, terminal.leave.as_bytes());
    }
    write_within_patience(terminal.output, terminal.enter.as_bytes());
    if MOUSE.load(Ordering::SeqCst) {
        write_within_patience(terminal.output, MOUSE_ON.as_bytes());
    }
}

pub(super) fn set_mouse(on: bool) -> io::Result<()> {
    if MOUSE.swap(on, Ordering::SeqCst) == on {
        return Ok(());
    }
    super::output::send(if on { MOUSE_ON } else { MOUSE_OFF }.as_bytes())
}

/// Where frames go; none before a terminal was taken.
pub(super) fn output() -> Option<RawFd> {
    terminal().map(|terminal| terminal.output)
}

/// Where keys come from.
pub(super) fn input() -> Option<RawFd> {
    terminal().map(|terminal| terminal.input)
}

/// A new pipe for notices, and the end to read from. Neither end outlives exec or makes anybody wait.
pub(super) fn notices() -> io::Result<OwnedFd> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // The old one stays open: a handler may be about to write to it.
    NOTICES.store(write.into_raw_fd(), Ordering::SeqCst);
    Ok(read)
}

/// Tells the reader of keys. Async-signal-safe.
pub(super) fn notify(notice: Notice) {
    let byte = notice as u8;
    // SAFETY: one byte is read, of a variable that lives. A pipe that is full has woken the reader already.
    unsafe { libc::write(NOTICES.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

fn terminal() -> Option<&'static Terminal> {
    // SAFETY: what is stored there was leaked by `enter`, and is not changed.
    unsafe { TERMINAL.load(Ordering::SeqCst).as_ref() }
}

fn attributes(fd: RawFd) -> io::Result<libc::termios> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the call writes one termios, or fails.
    match unsafe { libc::tcgetattr(fd, attributes.as_mut_ptr()) } {
        // SAFETY: it did not fail.
        0 => Ok(unsafe { attributes.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the terminal is for this process group to use; so it is for one that has no terminal to be controlled by.
fn is_in_front(fd: RawFd) -> bool {
    // SAFETY: both calls only ask.
    let (front, own) = unsafe { (libc::tcgetpgrp(fd), libc::getpgrp()) };
    front == own || front < 0
}

/// Writes all, unless the terminal is gone or takes nothing.
fn write_within_patience(fd: RawFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let mut ready = libc::pollfd {
            fd,
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one pollfd is given, and as many bytes as are there.
        let (ready, written) = unsafe {
            let ready = libc::poll(&raw mut ready, 1, PATIENCE);
            let written = match ready {
                1 => libc::write(fd, bytes.as_ptr().cast(), bytes.len()),
                _ => -1,
            };
            (ready, written)
        };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written.min(bytes.len())..],
            Err(_) if ready != 0 && matches!(errno(), libc::EINTR | libc::EAGAIN) => {}
            Err(_) => return,
        }
    }
}

fn errno() -> libc::c_int {
    nix::errno::Errno::last_raw()
}
