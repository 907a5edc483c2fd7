//! Tickets: each lets one in once, within a minute, so that a link may hold one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Error;
use super::secret::{Print, Secret};

/// How long a ticket is good for.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// How many may be out at once; the oldest make room.
const MOST: usize = 256;

/// The tickets that are out.
#[derive(Debug, Default)]
pub(super) struct Tickets(HashMap<Print, Instant>);

impl Tickets {
    /// Makes one.
    pub(super) fn make(&mut self, now: Instant) -> Result<Secret, Error> {
        self.forget(now);
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, made)| **made)
        {
            let oldest = *oldest.0;
            self.0.remove(&oldest);
        }
        let ticket = Secret::new()?;
        self.0.insert(ticket.print(), now);
        Ok(ticket)
    }

    /// Takes one back, and says whether it was good.
    pub(super) fn take(&mut self, ticket: &str, now: Instant) -> bool {
        self.forget(now);
        self.0.remove(&Print::of(ticket)).is_some()
    }

    fn forget(&mut self, now: Instant) {
        self.0.retain(|_, made| now.duration_since(*made) < LIFE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_a_minute() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let ticket = tickets.make(now).unwrap();
        assert!(tickets.take(ticket.as_str(), now + Duration::from_secs(59)));
        assert!(!tickets.take(ticket.as_str(), now), "used");
        let ticket = tickets.make(now).unwrap();
        assert!(!tickets.take(ticket.as_str(), now + LIFE), "old");
        assert!(!tickets.take("", now));
    }

    #[test]
    fn the_oldest_make_room() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let after = |n: usize| now + Duration::from_millis(n as u64);
        let made: Vec<_> = (0..=MOST)
            .map(|n| tickets.make(after(n)).unwrap())
            .collect();
        assert!(!tickets.take(made[0].as_str(), after(MOST)));
        assert!(tickets.take(made[1].as_str(), after(MOST)));
        assert!(tickets.take(made[MOST].as_str(), after(MOST)));
    }
}
