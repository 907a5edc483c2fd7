//! Who may come in. Any process and any page on this computer is a stranger until it proves otherwise.
//!
//! ```text
//!   request ─▶ Host? ─▶ Origin? ─▶ who? ─┬─ bearer token ───────────────▶ Caller::Token
//!              421       403             ├─ cookie and key ─────────────▶ Caller::Session
//!                                        └─ nobody ─▶ public things only, else 401
//!
//!   token (a file, 0600) ──┬─▶ login ─▶ session: cookie and key
//!   ticket (once, 60 s) ───┘
//! ```
//!
//! A cookie is sent to every port of its host, so a server of a stranger on the same computer can have the browser hand
//! it over. That is why it is nothing without the key, which the page keeps where other ports do not come to it; the
//! key alone, which scripts can read, is nothing without the cookie, which they cannot. Whoever has the token may do
//! everything.

mod credentials;
mod error;
mod guard;
mod headers;
mod names;
pub(crate) mod proof;
mod refusal;
mod secret;
mod session;
mod sessions;
mod throttle;
mod tickets;
pub(crate) mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use sistemo::value::Scheme;

pub(crate) use error::Error;
pub(crate) use guard::{front, guard};
pub(crate) use headers::{Nonce, headers};
pub(crate) use names::Names;
pub(crate) use secret::Secret;
pub(crate) use session::{Challenge, Proof, Ticket, routes};
pub(crate) use sessions::Hold;

use refusal::Refusal;
use secret::Print;
use sessions::{Opened, Sessions};
use throttle::Throttle;
use tickets::Tickets;

/// Whoever has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody who has logged in, by the session's public name.
    Session(String),
    /// A program with the token.
    Token,
}

/// A caller, and for how long.
#[derive(Clone, Debug)]
struct Known {
    caller: Caller,
    /// What was begun for it has this, and ends with it.
    hold: Hold,
    /// Whether a session's key was given, too.
    keyed: bool,
}

/// Token, tickets and sessions.
#[derive(Debug)]
pub(crate) struct Access {
    token: Secret,
    print: Print,
    names: Names,
    /// The name of the cookie. Those of servers at other ports of this host have others.
    cookie: String,
    scheme: Scheme,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: Sessions,
    tickets: Tickets,
    throttle: Throttle,
}

impl Access {
    /// Takes the token out of the data directory, which is made at the first start, for a server of these names at
    /// `port`.
    pub(crate) fn open(
        data_dir: &Path,
        names: Names,
        scheme: Scheme,
        port: u16,
    ) -> Result<Access, Error> {
        let token = token::open(data_dir)?;
        // Browsers take a cookie of this prefix only by TLS, and only from the host itself (RFC 6265bis, 4.1.3.2).
        let cookie = match scheme {
            Scheme::Http => format!("sistemo-{port}"),
            Scheme::Https => format!("__Host-sistemo-{port}"),
        };
        Ok(Access {
            print: token.print(),
            token,
            names,
            cookie,
            scheme,
            state: Mutex::default(),
        })
    }

    /// A ticket for somebody who is to come in.
    pub(crate) fn ticket(&self) -> Result<Secret, Error> {
        self.state().tickets.make(Instant::now())
    }

    /// Begins a session for whoever has the token.
    fn login_by_token(&self, token: &str, from: IpAddr) -> Result<Opened, Denied> {
        match self.print.is_of(token) {
            true => Ok(self.state().sessions.open(Instant::now())?),
            false => Err(self.denied(Error::WrongToken, from)),
        }
    }

    /// Begins a session for whoever has a ticket.
    fn login_by_ticket(&self, ticket: &str, from: IpAddr) -> Result<Opened, Denied> {
        let now = Instant::now();
        // Not in the condition: what is locked there stays locked to the end of it.
        let good = self.state().tickets.take(ticket, now);
        match good {
            true => Ok(self.state().sessions.open(now)?),
            false => Err(self.denied(Error::WrongTicket, from)),
        }
    }

    /// Whoever sends these headers, if it is somebody.
    fn who(&self, headers: &HeaderMap, from: IpAddr) -> Result<Option<Known>, Denied> {
        if let Some(token) = credentials::bearer(headers)? {
            return match self.print.is_of(token) {
                true => Ok(Some(Known {
                    caller: Caller::Token,
                    hold: Hold::default(),
                    keyed: true,
                })),
                false => Err(self.denied(Error::WrongToken, from)),
            };
        }
        let key = credentials::key(headers);
        let now = Instant::now();
        let mut state = self.state();
        for cookie in credentials::cookies(headers, &self.cookie) {
            if let Some(session) = state.sessions.find(cookie, now) {
                return Ok(Some(Known {
                    caller: Caller::Session(session.name.clone()),
                    hold: session.hold.clone(),
                    keyed: key.is_some_and(|key| session.has_key(key)),
                }));
            }
        }
        Ok(None)
    }

    fn denied(&self, why: Error, from: IpAddr) -> Denied {
        match self.state().throttle.fail(from, Instant::now()) {
            Ok(()) => Denied::Wrong(why),
            Err(pause) => Denied::Refused(Refusal::TooSoon(pause)),
        }
    }

    /// What is at hand stays whole if a thread panics with it: each change is one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prove(&self, challenge: &[u8; 32], at: SocketAddr) -> Vec<u8> {
        proof::prove(&self.token, challenge, at)
    }
}

/// Why somebody did not come in.
#[derive(Debug)]
enum Denied {
    /// A secret is wrong, which is to be written down.
    Wrong(Error),
    /// For a reason that is not worth it.
    Refused(Refusal),
    /// It did not come to that.
    Failed(Error),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Denied {
        Denied::Refused(refusal)
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Denied {
        Denied::Failed(error)
    }
}
