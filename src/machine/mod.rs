//! A machine's life: what it is, and one file per thing that is done to it.
//!
//! ```text
//!           deploy, fork                 power-off, host restart
//!   (nothing) ───────► creating      ┌──────────────────────────────┐
//!                         │          │                              ▼
//!                         └──────► running ──► stopping ────────► stopped ◄──┐
//!                                    │ ▲        stop                │        │ a start that
//!                        the         │ └──── starting ◄─────────────┤        │ was cut short
//!                        hypervisor  │          │      start        │        │
//!                        died        ▼          └───────────────────┼────────┘
//!                                  failed ──────────────────────────┤
//!                                    (start again, or delete)       ▼
//!                                                               deleting ──► (nothing)
//! ```
//!
//! One that runs can be held still (`paused`) and goes on from there, and from any state but those under way it can go back
//! to where a [`snapshot`] has it. `stop` and `delete` take one that is paused as if it ran.
//!
//! Everything that changes a machine is an operation: a list of [`steps`], each of which can be done and taken back,
//! any number of times. [`journal`] writes the operation and its next step to the store before the step acts, under the
//! machine's [`lock`]; so whoever opens the engine after a killed command finishes its operation or takes it back
//! ([`recover`]), by the same code that an ordinary failure runs.
//!
//! This is the only room that knows all the others.

mod application;
mod attach;
mod attend;
mod boot;
mod changes;
mod configure;
mod console;
mod consoles;
mod copy;
mod create;
mod delete;
mod duty;
mod enter;
mod error;
mod expose;
mod fault;
mod find;
mod history;
mod journal;
mod lock;
mod log_reader;
mod networks;
mod paths;
mod pause;
mod ready;
mod recover;
mod rename;
mod reserve;
mod root_disk;
mod settle;
mod snapshot;
mod stand_in;
mod start;
mod stats;
mod steps;
mod stop;
mod supervise;
mod tied;
mod view;
mod volumes;
mod watch;
mod watched;

use std::sync::Arc;

pub use crate::vmm::console::Piece;
pub use application::Wishes;
pub use attend::ATTEND;
pub use changes::Changes;
pub use console::Console;
pub use copy::{CopyRequest, Place};
pub use create::{LEAST_MEMORY, MOST_STORAGE, Request};
pub use enter::Session;
pub use error::Error;
pub use log_reader::LogReader;
pub use networks::Network;
pub use paths::Paths;
pub use snapshot::{ForkRequest, Snapshot};
pub use stats::{Reading, Stats};
pub use supervise::{Orders, Sign, Supervisor};
pub use view::{Machine, Port};

use crate::config::Config;
use crate::engine::Programs;
use crate::image::Images;
use crate::network::Home;
use crate::store::Store;

/// All machines of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Machines(Arc<Rooms>);

/// What operations reach for.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) config: Config,
    pub(crate) paths: Paths,
    pub(crate) store: Store,
    pub(crate) images: Images,
    pub(crate) home: Home,
    pub(crate) programs: Programs,
}

impl Machines {
    pub(crate) fn new(rooms: Rooms) -> Self {
        Machines(Arc::new(rooms))
    }
}
