//! The browser's way in, and programs': pages, terminals and the API that the daemon serves.
//!
//! ```text
//!  connection ─► server ─► access ─┬─► pages (public, and empty without what follows)
//!               (limits)  (who?)   ├─► api ─► engine
//!                                  └─► terminal ─► SSH of a machine · the console in a PTY
//! ```
//!
//! Whoever connects is a stranger until [`access`] knows better; only then anything is done on the engine, the same one
//! that the commands and the console have.

mod access;
mod api;
pub(crate) mod client;
mod negotiation;
mod pages;
pub(crate) mod server;
mod terminal;

use std::sync::Arc;

use axum::Router;
use sistemo::engine::Engine;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use api::Problem;

/// What every handler is given. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Web(Arc<Inner>);

struct Inner {
    /// The engine under the settings of now.
    engine: watch::Receiver<Engine>,
    access: access::Access,
    api: api::Api,
    terminals: terminal::Terminals,
    /// The daemon ends.
    stop: CancellationToken,
}

/// The routes of all rooms behind the door.
fn rooms() -> Router<Web> {
    Router::new()
        .merge(api::routes())
        .merge(terminal::routes())
        .merge(pages::routes())
}

impl Web {
    fn new(
        engine: watch::Receiver<Engine>,
        access: access::Access,
        address: String,
        stop: CancellationToken,
    ) -> Web {
        let terminals = terminal::Terminals::new(engine.clone(), address, stop.clone());
        Web(Arc::new(Inner {
            engine,
            access,
            api: api::Api::default(),
            terminals,
            stop,
        }))
    }

    /// The engine under the settings of now.
    pub(crate) fn engine(&self) -> Engine {
        self.0.engine.borrow().clone()
    }

    /// Who may come in.
    pub(crate) fn access(&self) -> &access::Access {
        &self.0.access
    }

    /// What takes long.
    pub(crate) fn operations(&self) -> &api::Operations {
        &self.0.api.operations
    }

    /// What the API keeps.
    pub(crate) fn api(&self) -> &api::Api {
        &self.0.api
    }

    /// Terminals that are open.
    pub(crate) fn terminals(&self) -> &terminal::Terminals {
        &self.0.terminals
    }

    /// Cancelled when the daemon ends.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }
}
