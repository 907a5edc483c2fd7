//! Terminals: shells in machines and the console, over WebSockets.
//!
//! ```text
//!  page ◀─frames─▶ socket ◀─▶ Session ◀─▶ Life ─▶ SSH of a machine · the console in a PTY
//!                  (one per     (outlives its
//!                   connection)  connections)
//! ```

mod attach;
mod frame;
mod known;
mod program;
mod replay;
mod session;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::FromRef;
use axum::http::StatusCode;
use sistemo::engine::Engine;
use sistemo::guest::client::Exit;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use attach::routes;
use frame::Kind;
use known::{Known, Watcher};
use program::Program;
use session::{Ground, Session};

use crate::shell::{Broken, Ends, Machine, MachineState, Size, Transport, run_over};
use crate::web::{Problem, Web};

/// How many terminals may be open.
const MOST: usize = 256;

/// Terminals that are open. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Terminals(Arc<Inner>);

struct Inner {
    sources: Sources,
    /// What the console has for a machine.
    here: watch::Sender<Machine>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    stop: CancellationToken,
}

/// Where shells come from.
struct Sources {
    machines: Arc<dyn Known>,
    guests: Arc<dyn Transport>,
    console: Arc<dyn Transport>,
}

impl Terminals {
    /// Terminals of the engine's machines, until `stop`. `address` is where a browser finds them, such as
    /// `http://localhost:7777`.
    pub(crate) fn new(
        engine: watch::Receiver<Engine>,
        address: String,
        stop: CancellationToken,
    ) -> Terminals {
        let sources = Sources {
            machines: Arc::new(Watcher::new(engine.clone(), stop.clone())),
            guests: Arc::new(Guests(engine.clone())),
            console: Arc::new(Console { engine, address }),
        };
        Terminals::of(sources, stop)
    }

    fn of(sources: Sources, stop: CancellationToken) -> Terminals {
        let here = watch::Sender::new(Machine {
            id: "console".into(),
            name: "console".into(),
            state: MachineState::Running,
            started: None,
        });
        Terminals(Arc::new(Inner {
            sources,
            here,
            sessions: Mutex::default(),
            stop,
        }))
    }

    /// A machine, for a session in it.
    async fn machine(&self, name: &str) -> Result<Ground, Problem> {
        Ok(Ground {
            kind: Kind::Machine,
            machine: self.0.sources.machines.machine(name).await?,
            transport: self.0.sources.guests.clone(),
        })
    }

    /// This computer, for a session that is the console.
    fn console(&self) -> Ground {
        Ground {
            kind: Kind::Console,
            machine: self.0.here.subscribe(),
            transport: self.0.sources.console.clone(),
        }
    }

    /// The session of this number, if it is there and is one of this machine's.
    fn find(&self, id: &str, ground: &Ground) -> Option<Arc<Session>> {
        let session = self.sessions().get(id).cloned();
        session.filter(|session| session.is_on(ground))
    }

    /// A new session.
    fn open(&self, ground: Ground, size: Size) -> Result<Arc<Session>, Problem> {
        let mut sessions = self.sessions();
        if sessions.len() >= MOST {
            let detail = format!("{MOST} terminals are open, and there may be no more");
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many", detail);
            return Err(problem.hint("close some"));
        }
        let (session, run) = Session::open(ground, size);
        sessions.insert(session.id().into(), session.clone());
        drop(sessions);
        let (terminals, kept) = (self.clone(), session.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = run => {}
                () = terminals.0.stop.cancelled() => {}
            }
            terminals.sessions().remove(kept.id());
            tracing::info!(session = kept.id(), "terminal ended");
        });
        Ok(session)
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.sessions().len()
    }

    /// Cancelled when the daemon ends.
    fn stop(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        let sessions = self.0.sessions.lock();
        sessions.unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromRef<Web> for Terminals {
    fn from_ref(web: &Web) -> Terminals {
        web.terminals().clone()
    }
}

/// Shells in machines, under the settings of now.
struct Guests(watch::Receiver<Engine>);

#[async_trait]
impl Transport for Guests {
    async fn shell(&self, machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let engine = self.0.borrow().clone();
        let session = engine.machines().enter_modestly(machine).await?;
        run_over(&session, ends).await
    }
}

/// The console, in a process of its own.
struct Console {
    engine: watch::Receiver<Engine>,
    address: String,
}

#[async_trait]
impl Transport for Console {
    async fn shell(&self, machine: &str, ends: Ends) -> Result<Exit, Broken> {
        let data_dir = self.engine.borrow().paths().data_dir().to_path_buf();
        let console = Program::console(&data_dir).map_err(|error| Broken {
            message: format!("cannot find the console's program: {error}"),
            hint: None,
            lasting: true,
        })?;
        let console = console.env(crate::tui::WEB, &self.address);
        console.shell(machine, ends).await
    }
}
