//! Samples, and how they are taken.

use std::time::{Duration, Instant};

use crate::Outcome;

/// Measurements of one thing; never empty.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Samples in whatever unit the row has; none is an error.
    pub(crate) fn new(mut values: Vec<f64>) -> Outcome<Samples> {
        if values.is_empty() {
            return Err("nothing was measured".into());
        }
        values.sort_by(f64::total_cmp);
        Ok(Samples(values))
    }

    /// Times in milliseconds.
    pub(crate) fn times(times: &[Duration]) -> Outcome<Samples> {
        Samples::new(times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() % 2 {
            0 => (self.0[middle - 1] + self.0[middle]) / 2.0,
            _ => self.0[middle],
        }
    }

    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// How long `work` takes.
pub(crate) fn time<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// Lets `ours` and `plain` take turns, each `rounds` times. Who goes first changes with every round, so that neither
/// always meets the caches that the other warmed.
pub(crate) fn alternate(
    rounds: usize,
    mut ours: impl FnMut(usize) -> Outcome<Duration>,
    mut plain: impl FnMut(usize) -> Outcome<Duration>,
) -> Outcome<(Samples, Samples)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            a.push(ours(round)?);
            b.push(plain(round)?);
        } else {
            b.push(plain(round)?);
            a.push(ours(round)?);
        }
    }
    Ok((Samples::times(&a)?, Samples::times(&b)?))
}
