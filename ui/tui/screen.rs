//! The user's terminal as the loop sees it.

use std::io;

use crossterm::cursor::SetCursorStyle;

/// What the loop does with the terminal besides drawing cells.
pub(crate) trait Screen {
    /// What comes until [`Screen::end_frame`] is to be shown at once.
    fn begin_frame(&mut self) -> io::Result<()>;

    /// Shows it. The cursor has this shape, if it is shown.
    fn end_frame(&mut self, cursor: Option<SetCursorStyle>) -> io::Result<()>;

    /// Gives the terminal back and stops until the program is continued.
    fn suspend(&mut self) -> io::Result<()>;

    /// Has the terminal report the mouse, or not.
    fn set_mouse(&mut self, wanted: bool) -> io::Result<()>;

    /// Puts text into the clipboard.
    fn copy(&mut self, text: &str) -> io::Result<()>;

    fn bell(&mut self) -> io::Result<()>;
}
