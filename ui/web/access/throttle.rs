//! Failed logins: how often somebody may fail, and how much of it is written down.
//!
//! Nobody guesses 256 bits, so this keeps the history and the processor from being flooded. It never shuts anybody out
//! who has a secret: on one computer everybody comes from the same address, and a stranger there must not be able to
//! lock the owner out. So a secret is looked at first, and only what is wrong meets the throttle.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// After so many failures there are pauses.
const FREE: u32 = 5;
/// The same for all addresses together.
const FREE_FOR_ALL: u32 = 50;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// After so long without a failure all is forgotten.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// How many addresses are remembered; the one that failed the longest ago makes room.
const MOST: usize = 1024;

/// Who failed, and how often.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    each: HashMap<IpAddr, Failures>,
    all: Failures,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    /// How long it is until another failure counts.
    fn pause(&self, free: u32, now: Instant) -> Duration {
        let Some(last) = self.last else {
            return Duration::ZERO;
        };
        let Some(beyond) = self.count.checked_sub(free) else {
            return Duration::ZERO;
        };
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(beyond));
        pause.min(LONGEST).saturating_sub(now.duration_since(last))
    }

    fn add(&mut self, now: Instant) {
        if self.is_forgotten(now) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.last
            .is_none_or(|last| now.duration_since(last) > MEMORY)
    }
}

impl Throttle {
    /// Counts a failure; within a pause it does not count, and the rest of the pause is given.
    pub(super) fn fail(&mut self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let from = network(from);
        self.each.retain(|_, failures| !failures.is_forgotten(now));
        let own = self.each.get(&from).copied().unwrap_or_default();
        let pause = own.pause(FREE, now).max(self.all.pause(FREE_FOR_ALL, now));
        if !pause.is_zero() {
            return Err(pause);
        }
        if self.each.len() >= MOST
            && !self.each.contains_key(&from)
            && let Some(oldest) = self.each.iter().min_by_key(|(_, failures)| failures.last)
        {
            let oldest = *oldest.0;
            self.each.remove(&oldest);
        }
        self.each.entry(from).or_default().add(now);
        self.all.add(now);
        Ok(())
    }
}

/// Who is taken for one: an address, of IPv6 the /64 that one subscriber has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(network.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn pauses_grow_and_are_forgotten() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let from = address("192.0.2.1");
        for _ in 0..FREE {
            assert_eq!(throttle.fail(from, now), Ok(()));
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(throttle.fail(from, now), Err(pause));
            let half = pause / 2;
            assert_eq!(throttle.fail(from, now + half), Err(half));
            now += pause;
            assert_eq!(throttle.fail(from, now), Ok(()));
        }
        now += MEMORY + Duration::from_secs(1);
        for _ in 0..FREE {
            assert_eq!(throttle.fail(from, now), Ok(()));
        }
    }

    #[test]
    fn others_have_their_own_until_there_are_too_many() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..=FREE {
            let _ = throttle.fail(address("2001:db8::1"), now);
        }
        assert!(
            throttle.fail(address("2001:db8::2"), now).is_err(),
            "one /64"
        );
        assert!(throttle.fail(address("2001:db8:0:1::1"), now).is_ok());
        assert!(throttle.fail(address("::ffff:192.0.2.1"), now).is_ok());
        let mut failed = 0;
        for n in 0..=255 {
            failed += u32::from(throttle.fail(IpAddr::from([198, 51, 100, n]), now).is_err());
        }
        assert!(failed > 200, "{failed}");
        assert!(throttle.each.len() <= MOST);
    }
}
