//! What machines have taken of the host of late, for sparklines.

use std::collections::{HashMap, HashSet, VecDeque};

use sistemo::machine::Stats;

/// How many readings are kept of each machine.
const KEPT: usize = 120;

/// The readings of one machine, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// 100 is one processor.
    pub(crate) cpu_percent: VecDeque<f64>,
    pub(crate) memory_bytes: VecDeque<u64>,
    /// Both ways together, per second.
    pub(crate) network_bytes: VecDeque<f64>,
    /// The last reading whole.
    pub(crate) last: Option<Stats>,
}

/// The readings of all machines, by identifier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    series: HashMap<String, Series>,
    reading: u64,
}

impl Samples {
    pub(crate) fn of(&self, id: &str) -> Option<&Series> {
        self.series.get(id)
    }

    /// The number of the last reading.
    pub(crate) fn reading(&self) -> u64 {
        self.reading
    }

    /// Takes a reading; what is not in it is forgotten.
    pub(crate) fn take(&mut self, stats: Vec<Stats>) {
        self.reading += 1;
        let there: HashSet<String> = stats.iter().map(|stats| stats.id.clone()).collect();
        self.series.retain(|id, _| there.contains(id));
        for stats in stats {
            let series = self.series.entry(stats.id.clone()).or_default();
            // Started anew: what was before is another run's.
            if series
                .last
                .as_ref()
                .is_some_and(|last| last.pid != stats.pid)
            {
                *series = Series::default();
            }
            if let Some(cpu) = stats.cpu_percent {
                push(&mut series.cpu_percent, cpu);
            }
            if let Some(bytes) = stats.memory_bytes {
                push(&mut series.memory_bytes, bytes);
            }
            if let (Some(rx), Some(tx)) = (
                stats.network_rx_bytes_per_second,
                stats.network_tx_bytes_per_second,
            ) {
                push(&mut series.network_bytes, rx + tx);
            }
            series.last = Some(stats);
        }
    }
}

fn push<T>(series: &mut VecDeque<T>, value: T) {
    if series.len() == KEPT {
        series.pop_front();
    }
    series.push_back(value);
}
