//! Sessions: what becomes of a login. A browser proves its session with a cookie and a key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Error;
use super::secret::{Print, Secret};

/// A session that nobody uses ends after this time.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// Any session ends after this time.
pub(super) const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many there may be; the one that was not used for the longest time makes room.
const MOST: usize = 64;

/// The sessions there are, by their cookies.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Print, Session>);

/// Somebody who has logged in.
#[derive(Debug)]
pub(super) struct Session {
    /// Its public name.
    pub(super) name: String,
    key: Print,
    begun: Instant,
    used: Instant,
    pub(super) hold: Hold,
}

/// What lasts as long as a session, and keeps it from being idle: a stream, or a WebSocket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold {
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
    /// Counts them.
    count: Arc<()>,
}

impl Hold {
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.count) > 1
    }
}

/// What whoever logs in is given.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) cookie: Secret,
    pub(super) key: Secret,
    pub(super) name: String,
    pub(super) expires_in: Duration,
}

impl Session {
    /// Whether this is its key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.key.is_of(key)
    }

    /// How long it lasts if nobody uses it.
    pub(super) fn expires_in(&self, now: Instant) -> Duration {
        let idle = IDLE.saturating_sub(now.duration_since(self.used));
        idle.min(LIFE.saturating_sub(now.duration_since(self.begun)))
    }
}

impl Sessions {
    /// Begins one.
    pub(super) fn open(&mut self, now: Instant) -> Result<Opened, Error> {
        self.forget(now);
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, session)| session.used)
        {
            let oldest = *oldest.0;
            self.remove(&oldest);
        }
        let (cookie, key) = (Secret::new()?, Secret::new()?);
        let session = Session {
            name: cookie.print().name(),
            key: key.print(),
            begun: now,
            used: now,
            hold: Hold::default(),
        };
        let opened = Opened {
            name: session.name.clone(),
            expires_in: session.expires_in(now),
            cookie,
            key,
        };
        self.0.insert(opened.cookie.print(), session);
        Ok(opened)
    }

    /// The session of a cookie, which is used thereby.
    pub(super) fn find(&mut self, cookie: &str, now: Instant) -> Option<&Session> {
        self.forget(now);
        let session = self.0.get_mut(&Print::of(cookie))?;
        session.used = now;
        Some(session)
    }

    /// How long the session of that name lasts if nobody uses it.
    pub(super) fn expires_in(&self, name: &str, now: Instant) -> Option<Duration> {
        let mut all = self.0.values();
        let session = all.find(|session| session.name == name)?;
        Some(session.expires_in(now))
    }

    /// Ends the session of that name.
    pub(super) fn close(&mut self, name: &str) {
        let of_name = self.0.iter().find(|(_, session)| session.name == name);
        if let Some((print, _)) = of_name {
            let print = *print;
            self.remove(&print);
        }
    }

    fn remove(&mut self, print: &Print) {
        if let Some(session) = self.0.remove(print) {
            session.hold.over.cancel();
        }
    }

    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, session| {
            if session.hold.is_held() {
                session.used = now;
            }
            let lasts = !session.expires_in(now).is_zero();
            if !lasts {
                session.hold.over.cancel();
            }
            lasts
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_while_it_is_used_but_not_for_ever() {
        let (mut sessions, begun) = (Sessions::default(), Instant::now());
        let opened = sessions.open(begun).unwrap();
        let hour = Duration::from_secs(60 * 60);
        let mut now = begun;
        while now - begun < LIFE {
            let session = sessions.find(opened.cookie.as_str(), now).expect("used");
            assert!(session.has_key(opened.key.as_str()));
            assert!(!session.has_key(opened.cookie.as_str()));
            now += 11 * hour;
        }
        assert!(sessions.find(opened.cookie.as_str(), now).is_none());

        let opened = sessions.open(begun).unwrap();
        let session = sessions.find(opened.cookie.as_str(), begun).unwrap();
        let (over, hold) = (session.hold.over.clone(), session.hold.clone());
        let mut late = begun;
        for _ in 0..3 {
            late += 12 * hour;
            assert!(
                sessions.find(opened.cookie.as_str(), late).is_some(),
                "held"
            );
        }
        drop(hold);
        assert!(!over.is_cancelled());
        late += 12 * hour;
        assert!(sessions.find(opened.cookie.as_str(), late).is_none());
        assert!(over.is_cancelled());
    }

    #[test]
    fn it_ends_when_it_is_closed_or_makes_room() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let opened = sessions.open(now).unwrap();
        sessions.close("somebody");
        assert!(sessions.find(opened.cookie.as_str(), now).is_some());
        sessions.close(&opened.name);
        assert!(sessions.find(opened.cookie.as_str(), now).is_none());

        let first = sessions.open(now).unwrap();
        let later = now + Duration::from_secs(1);
        for _ in 0..MOST {
            sessions.open(later).unwrap();
        }
        assert!(sessions.find(first.cookie.as_str(), later).is_none());
    }
}
