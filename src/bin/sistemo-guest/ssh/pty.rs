//! Pseudo-terminals: opening one for a user, its modes (RFC 4254 §8), its size.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    tcgetattr, tcsetattr,
};
use nix::unistd::{Gid, Uid, ttyname};
use russh::Pty;

/// What a client asked for with `pty-req`.
#[derive(Clone, Debug)]
pub struct Request {
    /// Terminal type, for `TERM`.
    pub term: String,
    pub size: Winsize,
    pub modes: Vec<(Pty, u32)>,
}

/// Columns, rows, and their pixels, as the protocol counts them.
pub fn size(columns: u32, rows: u32, width: u32, height: u32) -> Winsize {
    let clamp = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    Winsize {
        ws_col: clamp(columns),
        ws_row: clamp(rows),
        ws_xpixel: clamp(width),
        ws_ypixel: clamp(height),
    }
}

/// An open pseudo-terminal.
#[derive(Debug)]
pub struct Terminal {
    /// The server's side; never blocks.
    pub master: OwnedFd,
    /// The process's side.
    pub slave: OwnedFd,
    /// `/dev/pts/N`.
    pub name: String,
}

/// Group `tty`, the same number everywhere that FHS-like systems are (Debian base-passwd, Fedora setup, Alpine).
const TTY_GROUP: u32 = 5;

/// Opens a pseudo-terminal owned by `uid`.
pub fn open(request: &Request, uid: u32) -> io::Result<Terminal> {
    let pty = openpty(Some(&request.size), None)?;
    for fd in [&pty.master, &pty.slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    fcntl(
        &pty.master,
        FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK),
    )?;
    let mut modes = tcgetattr(&pty.slave)?;
    for (code, value) in &request.modes {
        apply(&mut modes, *code, *value);
    }
    tcsetattr(&pty.slave, SetArg::TCSANOW, &modes)?;
    if Uid::effective().is_root() {
        nix::unistd::fchown(
            &pty.slave,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(TTY_GROUP)),
        )?;
        nix::sys::stat::fchmod(&pty.slave, nix::sys::stat::Mode::from_bits_truncate(0o620))?;
    }
    let name = ttyname(&pty.slave)?.to_string_lossy().into_owned();
    Ok(Terminal {
        master: pty.master,
        slave: pty.slave,
        name,
    })
}

nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, Winsize);

/// Tells the terminal, and through it its foreground processes (SIGWINCH), of a new size.
pub fn resize(master: &impl AsFd, size: Winsize) -> io::Result<()> {
    // SAFETY: the descriptor is open for the length of the call and `size` is a valid winsize.
    unsafe { set_size(master.as_fd().as_raw_fd(), &raw const size) }?;
    Ok(())
}

/// Makes `slave` the controlling terminal of this process, which leads a session without one.
///
/// Async-signal-safe: for the moment between fork and exec.
pub fn control(slave: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer and touches no memory of ours.
    if unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Applies one encoded mode; codes without a counterpart on Linux are passed over, as RFC 4254 §8 asks.
fn apply(modes: &mut Termios, code: Pty, value: u32) {
    if let Some(index) = special_character(code) {
        // 255 is "undefined" on the wire and 0 (_POSIX_VDISABLE) on Linux.
        let byte = u8::try_from(value).unwrap_or(u8::MAX);
        modes.control_chars[index as usize] = if byte == u8::MAX { 0 } else { byte };
        return;
    }
    let on = value != 0;
    if let Some(flag) = input_flag(code) {
        modes.input_flags.set(flag, on);
    } else if let Some(flag) = local_flag(code) {
        modes.local_flags.set(flag, on);
    } else if let Some(flag) = output_flag(code) {
        modes.output_flags.set(flag, on);
    } else if on && let Some(size) = character_size(code) {
        modes.control_flags.remove(ControlFlags::CSIZE);
        modes.control_flags.insert(size);
    } else if let Some(flag) = parity_flag(code) {
        modes.control_flags.set(flag, on);
    }
}

fn special_character(code: Pty) -> Option<SpecialCharacterIndices> {
    use SpecialCharacterIndices as Index;
    Some(match code {
        Pty::VINTR => Index::VINTR,
        Pty::VQUIT => Index::VQUIT,
        Pty::VERASE => Index::VERASE,
        Pty::VKILL => Index::VKILL,
        Pty::VEOF => Index::VEOF,
        Pty::VEOL => Index::VEOL,
        Pty::VEOL2 => Index::VEOL2,
        Pty::VSTART => Index::VSTART,
        Pty::VSTOP => Index::VSTOP,
        Pty::VSUSP => Index::VSUSP,
        Pty::VREPRINT => Index::VREPRINT,
        Pty::VWERASE => Index::VWERASE,
        Pty::VLNEXT => Index::VLNEXT,
        Pty::VDISCARD => Index::VDISCARD,
        _ => return None,
    })
}

fn input_flag(code: Pty) -> Option<InputFlags> {
    Some(match code {
        Pty::IGNPAR => InputFlags::IGNPAR,
        Pty::PARMRK => InputFlags::PARMRK,
        Pty::INPCK => InputFlags::INPCK,
        Pty::ISTRIP => InputFlags::ISTRIP,
        Pty::INLCR => InputFlags::INLCR,
        Pty::IGNCR => InputFlags::IGNCR,
        Pty::ICRNL => InputFlags::ICRNL,
        Pty::IXON => InputFlags::IXON,
        Pty::IXANY => InputFlags::IXANY,
        Pty::IXOFF => InputFlags::IXOFF,
        Pty::IMAXBEL => InputFlags::IMAXBEL,
        Pty::IUTF8 => InputFlags::IUTF8,
        _ => return None,
    })
}

fn local_flag(code: Pty) -> Option<LocalFlags> {
    Some(match code {
        Pty::ISIG => LocalFlags::ISIG,
        Pty::ICANON => LocalFlags::ICANON,
        Pty::ECHO => LocalFlags::ECHO,
        Pty::ECHOE => LocalFlags::ECHOE,
        Pty::ECHOK => LocalFlags::ECHOK,
        Pty::ECHONL => LocalFlags::ECHONL,
        Pty::NOFLSH => LocalFlags::NOFLSH,
        Pty::TOSTOP => LocalFlags::TOSTOP,
        Pty::IEXTEN => LocalFlags::IEXTEN,
        Pty::ECHOCTL => LocalFlags::ECHOCTL,
        Pty::ECHOKE => LocalFlags::ECHOKE,
        Pty::PENDIN => LocalFlags::PENDIN,
        _ => return None,
    })
}

fn output_flag(code: Pty) -> Option<OutputFlags> {
    Some(match code {
        Pty::OPOST => OutputFlags::OPOST,
        Pty::OLCUC => OutputFlags::OLCUC,
        Pty::ONLCR => OutputFlags::ONLCR,
        Pty::OCRNL => OutputFlags::OCRNL,
        Pty::ONOCR => OutputFlags::ONOCR,
        Pty::ONLRET => OutputFlags::ONLRET,
        _ => return None,
    })
}

fn character_size(code: Pty) -> Option<ControlFlags> {
    match code {
        Pty::CS7 => Some(ControlFlags::CS7),
        Pty::CS8 => Some(ControlFlags::CS8),
        _ => None,
    }
}

fn parity_flag(code: Pty) -> Option<ControlFlags> {
    match code {
        Pty::PARENB => Some(ControlFlags::PARENB),
        Pty::PARODD => Some(ControlFlags::PARODD),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_size_reach_the_terminal() {
        let request = Request {
            term: "xterm".into(),
            size: size(100, 30, 0, 70_000),
            modes: vec![
                (Pty::ECHO, 0),
                (Pty::VINTR, 7),
                (Pty::VSUSP, 255),
                (Pty::CS7, 1),
                (Pty::IUTF8, 1),
            ],
        };
        let terminal = open(&request, Uid::current().as_raw()).unwrap();
        let modes = tcgetattr(&terminal.slave).unwrap();
        assert!(!modes.local_flags.contains(LocalFlags::ECHO));
        assert!(modes.input_flags.contains(InputFlags::IUTF8));
        assert_eq!(
            modes.control_chars[SpecialCharacterIndices::VINTR as usize],
            7
        );
        assert_eq!(
            modes.control_chars[SpecialCharacterIndices::VSUSP as usize],
            0
        );
        assert!(terminal.name.starts_with("/dev/pts/"));

        resize(&terminal.master, size(80, 25, 1, 2)).unwrap();
        let mut now = size(0, 0, 0, 0);
        // SAFETY: `now` is a winsize that outlives the call.
        unsafe { libc::ioctl(terminal.slave.as_raw_fd(), libc::TIOCGWINSZ, &raw mut now) };
        assert_eq!(
            (now.ws_col, now.ws_row, now.ws_xpixel, now.ws_ypixel),
            (80, 25, 1, 2)
        );
    }
}
