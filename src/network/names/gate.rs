//! How many questions of one guest may be under way elsewhere at once: a guest that floods the name server gets its own
//! questions refused, nobody else's, and does not fill the host's memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Questions under way for one guest. A browser that opens a page asks a few dozen at once.
const MOST: usize = 128;

/// Counts questions under way, by who asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A question under way; over when dropped.
#[derive(Debug)]
pub(super) struct Held {
    gate: Gate,
    guest: IpAddr,
}

impl Gate {
    /// Lets a question of `guest` through, unless too many are under way.
    pub(super) fn enter(&self, guest: IpAddr) -> Option<Held> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(guest).or_default();
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Held {
            gate: self.clone(),
            guest,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut asked = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = asked.get_mut(&self.guest) {
            *count -= 1;
            if *count == 0 {
                asked.remove(&self.guest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_asks_too_much_waits_for_its_own_answers_only() {
        let gate = Gate::default();
        let (greedy, other): (IpAddr, IpAddr) =
            ("10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap());
        let mut held: Vec<_> = (0..MOST).map(|_| gate.enter(greedy).unwrap()).collect();
        assert!(gate.enter(greedy).is_none());
        assert!(gate.enter(other).is_some());
        held.pop();
        assert!(gate.enter(greedy).is_some());
        drop(held);
        assert!(gate.0.lock().unwrap().is_empty());
    }
}
