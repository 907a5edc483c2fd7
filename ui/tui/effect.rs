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
    /// Open the boot log of a machine, of its last start or of the one before.
    OpenLog { machine: String, previous: bool },
    /// Look at the engine's things anew now.
    Look,
    /// Measure as often as for somebody who looks, or for nobody.
    Attend(bool),
    /// Write down what is remembered from one time to the next.
    Remember,
    /// Write the setting `theme`.
    SetTheme(String),
}
