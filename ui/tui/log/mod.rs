//! The boot log of a machine, however large, as it grows.
//!
//! ```text
//!   LogView ──▶ Pages ──▶ Chunk ──▶ the engine's LogReader      what is on the screen, read at once
//!                 │
//!              Source: State ◀── worker ◀── the engine's Console   what takes longer: counting, searching, growth
//! ```
//!
//! The text is never in memory as a whole: chunks of it (`shape`, `chunk`) are read where they are needed, and of each it
//! is remembered how many lines it has, and how many of them have what is looked for (`census`). So there is no index to
//! wait for, and none that grows with the number of lines.

mod action;
mod census;
mod chunk;
mod colours;
mod copy;
mod draw;
mod errors;
mod kind;
mod look;
mod mouse;
mod moves;
mod page;
mod pages;
mod pattern;
mod prompt;
mod save;
mod searching;
mod seek;
mod shape;
mod shown;
mod source;
mod state;
mod status;
mod strip;
#[cfg(test)]
mod tests;
mod typing;
mod view;
mod window;

pub(crate) use action::{LOG_ACTIONS, LogAction, LogRequest};
pub(crate) use look::LogLook;
pub(crate) use save::Saves;
pub(crate) use source::Notify;
pub(crate) use view::LogView;
