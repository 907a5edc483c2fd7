//! What the model wants done outside of itself.

use crate::tui::task::{Task, TaskId};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// End the program.
    Quit,
    /// Suspend the program (SIGTSTP).
    Suspend,
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    /// Have the terminal report the mouse, or leave it to its user.
    Mouse(bool),
    /// Put text into the clipboard.
    Copy(String),
    /// Ring the bell.
    Bell,
    /// Begin a task.
    Begin(TaskId, Task),
    /// Take a task back.
    Cancel(TaskId),
    /// Look at the engine's things anew now.
    Look,
    /// Write down what is remembered from one time to the next.
    Remember,
    /// Write a boot log to a file: the machine's name, the path.
    SaveLog { path: std::path::PathBuf, text: LogText },
    /// Write the setting `theme`.
    SetTheme(String),
}

/// Which boot log is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogText {
    pub(crate) machine: String,
    pub(crate) previous: bool,
}
