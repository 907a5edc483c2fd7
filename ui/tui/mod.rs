//! The console: a full-screen terminal interface on the same engine as the commands.
//!
//! ```text
//!   terminal ──events──┐                       ┌──▶ view ──▶ terminal
//!   engine ──observe───┤─▶ Message ─▶ update ──┤
//!   tasks, panes, log ─┘        (Model)        └──▶ Effect ─▶ tasks, clipboard, files
//! ```

mod action;
mod app;
mod effect;
#[cfg(test)]
mod fixture;
mod keymap;
mod list;
mod log;
mod message;
mod model;
mod observe;
mod pane;
mod popup;
mod remembered;
mod run;
pub(crate) mod settings;
#[cfg(test)]
mod shots;
mod task;
mod terminal;
mod theme;
mod update;
mod view;

pub(crate) use run::run;

/// The variable that says where the pages are (`http://localhost:7777`) when a browser draws the console.
pub(crate) const WEB: &str = "SISTEMO_WEB";
