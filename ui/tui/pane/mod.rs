//! Shells in machines, side by side: connections, terminals, tabs and splits.
//!
//! ```text
//!   keys, mouse ─▶ Workspace ─▶ Session ──input──▶ guest
//!                     │            │ task           │
//!   screen ◀── view ──┴─ Layout    └─ Emulator ◀──output
//! ```

mod action;
mod emulator;
mod layout;
mod look;
mod saved;
mod session;
mod view;
mod workspace;

pub(crate) use action::{ACTIONS, COPY_KEYS, Keys, PaneAction, Place};
pub(crate) use emulator::Shape;
pub(crate) use layout::Axis;
pub(crate) use look::PaneLook;
pub(crate) use session::{Machine, Notify};
pub(crate) use view::CursorPlace;
pub(crate) use workspace::{PATIENCE, Request, Typing, Workspace};
