//! The console: a full-screen terminal interface on the same engine as the commands.

mod log;
mod pane;
#[cfg(test)]
mod shots;
mod terminal;
mod theme;
