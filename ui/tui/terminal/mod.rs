//! The user's terminal: raw mode, the alternate screen and all else that has to be given back, whatever happens.
//!
//! ```text
//!                 enter                        SIGTSTP
//!  the shell's ─────────► ours ─────────────────────────► the shell's, stopped
//!      ▲                   │ ▲                                    │
//!      └───────────────────┘ └────────────────────────────────────┘
//!        Drop, a panic,                     SIGCONT
//!        SIGTERM, SIGHUP,
//!        SIGINT, SIGQUIT
//! ```
//!
//! Giving back is done in one place ([`life`]), once, by functions that signal handlers may call. What is written while the
//! terminal is not ours goes nowhere.

mod answers;
mod clipboard;
mod events;
mod life;
mod output;
mod sequences;
mod signals;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsRawFd;
use std::sync::Once;

pub(crate) use clipboard::{Clipboard, Copied};
pub(crate) use events::{Events, Input};
pub(crate) use output::{Output, is_gone};
pub(crate) use sequences::Options;

/// The terminal is ours while this lives.
pub(crate) struct Guard {
    _signals: signals::Signals,
    /// Where keys come from, where that is not the standard input.
    _own: Option<File>,
}

impl Guard {
    /// Takes the terminal. Signals for whose sake the program wants to end in good order have to be listened to before:
    /// the handlers that are found are called once the terminal is given back; where there are none the signal ends it.
    pub(crate) fn enter(options: Options) -> io::Result<Guard> {
        let output = io::stdout();
        if !output.is_terminal() {
            return Err(io::Error::other("the standard output is no terminal"));
        }
        // As crossterm has it.
        let (input, own) = match io::stdin().is_terminal() {
            true => (io::stdin().as_raw_fd(), None),
            false => {
                let own = File::options().read(true).write(true).open("/dev/tty")?;
                (own.as_raw_fd(), Some(own))
            }
        };
        give_back_on_panic();
        let signals = signals::Signals::catch();
        life::enter(input, output.as_raw_fd(), &options)?;
        Ok(Guard {
            _signals: signals,
            _own: own,
        })
    }

    /// Has the mouse report to us, or leaves it to the terminal, which then selects text with it.
    pub(crate) fn set_mouse(&self, on: bool) -> io::Result<()> {
        life::set_mouse(on)
    }

    /// The title of the terminal's window, until it is given back. What is no printable character is left out.
    pub(crate) fn set_title(&self, title: &str) -> io::Result<()> {
        output::send(sequences::title(title).as_bytes())
    }

    /// Stops this program, as Ctrl-Z does elsewhere, and returns when it goes on; [`Input::Resumed`] follows.
    pub(crate) fn suspend(&self) -> io::Result<()> {
        // The handler gives back the terminal, stops, and takes it again.
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP).map_err(io::Error::from)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        life::leave();
    }
}

/// Before a panic is told, wherever it happens, the terminal is given back. Nothing else does it in a release, which
/// aborts.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if life::give_back(life::Unread::Dropped) {
                life::notify(life::Notice::End);
            }
            tell(panic);
        }));
    });
}
