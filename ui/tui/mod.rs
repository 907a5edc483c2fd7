//! The console: a full-screen terminal interface on the same engine as the commands.

mod log;
mod pane;
mod terminal;
mod theme;
