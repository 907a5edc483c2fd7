//! A shell in a machine, as whoever has a terminal for it sees it: one SSH connection of its own, made anew when the
//! machine is back.
//!
//! ```text
//!            machine runs            shell runs
//!  Waiting ──────────────▶ Connecting ─────────▶ Live ──▶ Ended (by itself) · Left (by the user)
//!     ▲                       ▲   │               │ │          │  the user: Connecting
//!     │                       │   ▼               ▼ │
//!     │                       └─ Lost ◀── connection │        Refused: trying again would not help
//!     └──────────── the machine does not run ◀──────┘
//! ```
//!
//! A task per shell ([`Life`]) makes all transitions. Where the output goes and who is told is a [`Front`]'s matter: a
//! pane of the console, or a terminal in a browser. Why a connection each: a channel that is not read holds up the
//! others of its connection.

#[cfg(test)]
pub(crate) mod fake;
mod life;
mod machine;
mod transport;

pub(crate) use life::{Front, Life, Order};
pub(crate) use machine::{Machine, MachineState};
pub(crate) use transport::{Broken, ENVIRONMENT, Ends, Input, Output, TERM, Transport, run_over};

use sistemo::guest::client::Exit;

/// A terminal's size in characters: columns, lines.
pub(crate) type Size = (u16, u16);

/// How a shell is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A shell is being opened.
    Connecting,
    /// There is a shell.
    Live,
    /// The machine does not run; what it is instead is with the machine.
    Waiting,
    /// The connection failed, and is tried again in a while.
    Lost(String),
    /// It failed in a way that trying again does not help: what, and the way out.
    Refused(String, Option<String>),
    /// The shell has ended.
    Ended(Exit),
    /// The user ended it.
    Left,
}

impl State {
    /// Whether what is typed goes to a shell, now or as soon as it is there.
    pub(crate) fn takes_keys(&self) -> bool {
        matches!(self, State::Live | State::Connecting)
    }
}
