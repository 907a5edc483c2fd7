//! What happens: everything that the model is changed by.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::tui::model::host::Host;
use crate::tui::model::world::World;
use crate::tui::task::{Failure, News, TaskId};
use sistemo::machine::{Console, Stats};

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    /// The terminal's new size: columns and rows.
    Resize(u16, u16),
    /// The terminal's window has the user's attention, or has lost it.
    Focus(bool),
    /// What the engine holds by now, or why that cannot be read.
    World(Result<Box<World>, Failure>),
    /// What machines take of the host.
    Stats(Vec<Stats>),
    /// What is known of the host.
    Host(Host),
    /// How a task goes.
    Task(TaskId, News),
    /// Things to be said.
    Remarks(Vec<String>),
    /// Panes have something new to show, or to say.
    Panes,
    /// The boot log has something new to show.
    Log,
    /// A boot log that was asked for, or why there is none.
    LogOpened {
        machine: String,
        previous: bool,
        console: Result<Console, Failure>,
    },
    /// A deadline that the model asked for has come.
    Time,
    /// The program was suspended and is back, or the terminal has to be drawn anew for another reason.
    Continued,
    /// The terminal's background: red, green, blue.
    Background([u8; 3]),
    /// The user, or the system, wants the program to end.
    Ended,
}
