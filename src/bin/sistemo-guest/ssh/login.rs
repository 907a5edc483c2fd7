//! Logins in progress: how many there may be, and how long each may take. Both keep strangers, who need no key to
//! connect, from using up the server's descriptors.
//!
//! ```text
//!   connected ─┬─ no place left ──▶ dropped
//!              └─ has a place ──┬─ proves who it is ──▶ gives the place back, stays
//!                               └─ GRACE is over ─────▶ dropped
//! ```

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Most of them; sshd's number (sshd_config(5), MaxStartups).
pub const PLACES: usize = 100;
/// Time that a client has to prove who it is; sshd's LoginGraceTime.
pub const GRACE: Duration = Duration::from_secs(120);

/// The places of all logins.
#[derive(Debug)]
pub struct Logins(Arc<Semaphore>);

impl Default for Logins {
    fn default() -> Logins {
        Logins(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Logins {
    /// A place for one more, if there is one.
    pub fn begin(&self) -> Option<Arc<Login>> {
        let place = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Arc::new(Login(Mutex::new(Some(place)))))
    }
}

/// One login; it has its place until it succeeds or is dropped.
#[derive(Debug)]
pub struct Login(Mutex<Option<OwnedSemaphorePermit>>);

impl Login {
    fn place(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client has proved who it is.
    pub fn succeed(&self) {
        self.place().take();
    }
}

/// The end of a login that takes too long.
///
/// It is the connection itself that fails then: russh hears nothing from within as long as keys are being exchanged,
/// which is as long as the client likes.
#[derive(Debug)]
pub struct Deadline(Option<(Arc<Login>, Pin<Box<Sleep>>)>);

impl Deadline {
    pub fn new(login: Arc<Login>) -> Deadline {
        Deadline(Some((login, Box::pin(sleep(GRACE)))))
    }

    /// An error once it has passed; wakes the task when it does.
    pub fn check(&mut self, context: &mut Context<'_>) -> std::io::Result<()> {
        let Some((login, time)) = &mut self.0 else {
            return Ok(());
        };
        if login.place().is_none() {
            self.0 = None;
            return Ok(());
        }
        match time.as_mut().poll(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}
