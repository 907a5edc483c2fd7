//! What machines take of the host, read on the host: no guest is asked, and no program is started.
//!
//! Counters are read at one time and at another; what is per second, and how busy the processors were, is the difference.
//! A machine that was started anew in between is compared with nothing: its counters began anew.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::stop::process;
use super::{Error, Machines};
use crate::error::Result;
use crate::network::Traffic;
use crate::store;
use crate::store::machines::{MachineRow, Status};
use crate::value::MachineId;
use crate::vmm::{self, Usage};

/// The counters of machines at one time.
#[derive(Clone, Debug)]
pub struct Reading {
    at: Instant,
    time: String,
    machines: Vec<Counters>,
}

#[derive(Clone, Debug)]
struct Counters {
    row: MachineRow,
    /// Of a machine whose hypervisor runs.
    usage: Option<Usage>,
    traffic: Option<Traffic>,
}

/// What a machine takes. The field names are the keys of `-o json`; they are only ever added to. Of a machine that does
/// not run, and of one that was measured once only, some are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Stats {
    /// When it was measured: RFC 3339, UTC.
    pub time: String,
    pub id: String,
    pub name: String,
    pub status: Status,
    pub pid: Option<u32>,
    pub uptime_ns: Option<u64>,
    pub vcpus: u8,
    /// 100 is one processor of the host; a machine with two may have 200, and a little more for its devices.
    pub cpu_percent: Option<f64>,
    /// Time of processors since its start.
    pub cpu_time_ns: Option<u64>,
    /// Memory of the host that the hypervisor has, the guest's included as far as it was ever touched.
    pub memory_bytes: Option<u64>,
    /// The memory that the guest has.
    pub memory_limit_bytes: u64,
    pub memory_percent: Option<f64>,
    /// What was read from and written to the host's disks since its start.
    pub disk_read_bytes: Option<u64>,
    pub disk_write_bytes: Option<u64>,
    pub disk_read_bytes_per_second: Option<f64>,
    pub disk_write_bytes_per_second: Option<f64>,
    /// What the machine was sent and has sent since its start.
    pub network_rx_bytes: Option<u64>,
    pub network_tx_bytes: Option<u64>,
    pub network_rx_bytes_per_second: Option<f64>,
    pub network_tx_bytes_per_second: Option<f64>,
    /// Threads of the hypervisor.
    pub threads: Option<u64>,
}

impl Machines {
    /// The identifiers of the machines that these names mean.
    pub fn identifiers(&self, names: &[String]) -> Result<HashSet<MachineId>> {
        let ids = names.iter().map(|name| Ok(self.0.find(name)?.id));
        ids.collect()
    }

    /// Reads the counters of all machines, or of `only` those of them that are still there.
    pub async fn measure(&self, only: Option<&HashSet<MachineId>>) -> Result<Reading> {
        let rooms = &*self.0;
        let mut rows = rooms.store.machines()?;
        rows.retain(|row| only.is_none_or(|only| only.contains(&row.id)));
        let boot = vmm::boot_id().map_err(unreadable("/proc/sys/kernel/random/boot_id"))?;
        let traffic = match rows.iter().any(|row| row.process.is_some()) {
            true => rooms.home.traffic().await?,
            false => Default::default(),
        };
        let (at, time) = (Instant::now(), store::now());
        let measure = |row: MachineRow| {
            let process = process(&row).filter(|process| process.boot_id == boot);
            let usage = match process {
                Some(process) => process
                    .usage()
                    .map_err(unreadable(&format!("/proc/{}", process.pid)))?,
                None => None,
            };
            Ok(Counters {
                traffic: traffic.of(&row.id).filter(|_| usage.is_some()),
                row,
                usage,
            })
        };
        let machines = rows.into_iter().map(measure).collect::<Result<_>>()?;
        Ok(Reading { at, time, machines })
    }
}

fn unreadable(path: &str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::File {
        what: "read",
        path,
        source,
    }
}

impl Reading {
    /// What each machine takes, compared with an earlier reading.
    pub fn since(&self, before: &Reading) -> Vec<Stats> {
        let past = self.at.saturating_duration_since(before.at);
        let known: HashMap<_, _> = before.machines.iter().map(|m| (m.row.id, m)).collect();
        let stats = self.machines.iter().map(|now| {
            let before = known.get(&now.row.id).copied();
            now.since(before, past, &self.time)
        });
        stats.collect()
    }
}

impl Counters {
    fn since(&self, before: Option<&Counters>, past: Duration, time: &str) -> Stats {
        let row = &self.row;
        // Of the same run.
        let before = before.filter(|before| before.row.process == row.process);
        let seconds = Some(past.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let usage = |of: fn(&Usage) -> u64| self.usage.as_ref().map(of);
        let rate = |now: Option<u64>, then: Option<u64>| {
            let more = now?.saturating_sub(then?);
            Some(rounded(more as f64 / seconds?))
        };
        let usage_rate =
            |of: fn(&Usage) -> u64| rate(usage(of), before.and_then(|b| b.usage.as_ref().map(of)));
        let traffic = |of: fn(&Traffic) -> u64| self.traffic.as_ref().map(of);
        let traffic_rate = |of: fn(&Traffic) -> u64| {
            rate(traffic(of), before.and_then(|b| b.traffic.as_ref().map(of)))
        };
        let limit = row.spec.memory.as_u64();
        let percent = |bytes: u64| rounded(bytes as f64 * 100.0 / limit as f64);
        Stats {
            time: time.into(),
            id: row.id.to_string(),
            name: row.name.to_string(),
            status: row.status,
            pid: (self.usage.as_ref()).and(row.process.as_ref().map(|process| process.pid)),
            uptime_ns: usage(|usage| nanoseconds(usage.uptime)),
            vcpus: row.spec.vcpus,
            cpu_percent: usage_rate(|usage| nanoseconds(usage.cpu)).map(|ns| rounded(ns / 1e7)),
            cpu_time_ns: usage(|usage| nanoseconds(usage.cpu)),
            memory_bytes: usage(|usage| usage.resident_bytes),
            memory_limit_bytes: limit,
            memory_percent: usage(|usage| usage.resident_bytes).map(percent),
            disk_read_bytes: usage(|usage| usage.read_bytes),
            disk_write_bytes: usage(|usage| usage.written_bytes),
            disk_read_bytes_per_second: usage_rate(|usage| usage.read_bytes),
            disk_write_bytes_per_second: usage_rate(|usage| usage.written_bytes),
            network_rx_bytes: traffic(|traffic| traffic.received),
            network_tx_bytes: traffic(|traffic| traffic.sent),
            network_rx_bytes_per_second: traffic_rate(|traffic| traffic.received),
            network_tx_bytes_per_second: traffic_rate(|traffic| traffic.sent),
            threads: usage(|usage| usage.threads),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// To hundredths; more is noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::words::Restart;
    use crate::store::machines::{Limits, ProcessRow, Spec};
    use crate::value::ByteSize;

    fn row(pid: Option<u32>) -> MachineRow {
        MachineRow {
            id: "7b2e7c0e-1111-4222-8333-444455556666".parse().unwrap(),
            name: "web".parse().unwrap(),
            status: if pid.is_some() {
                Status::Running
            } else {
                Status::Stopped
            },
            spec: Spec {
                vcpus: 2,
                memory: ByteSize::mib(512),
                command: None,
                restart: Restart::No,
                limits: Limits::default(),
                exposed: Vec::new(),
                vmm: None,
            },
            image: None,
            image_digest: None,
            network: None,
            ip: None,
            mac: None,
            host_key: None,
            vmm: None,
            accelerator: None,
            process: pid.map(|pid| ProcessRow {
                pid,
                started: 7,
                boot_id: "boot".into(),
            }),
            failure: None,
            created_at: "2026-01-31T08:00:00.000Z".into(),
            started_at: None,
        }
    }

    /// A reading after so many seconds of a machine that is busy.
    fn after(begun: Instant, seconds: u32, pid: Option<u32>) -> Reading {
        let many = u64::from(seconds);
        let usage = Usage {
            cpu: Duration::from_millis(1250) * seconds,
            resident_bytes: 128 << 20,
            threads: 5,
            read_bytes: many * 1000,
            written_bytes: many * 2000,
            uptime: Duration::from_secs(many),
        };
        let traffic = Traffic {
            received: many * 300,
            sent: many * 400,
        };
        Reading {
            at: begun + Duration::from_secs(many),
            time: "2026-01-31T08:00:00.000Z".into(),
            machines: vec![Counters {
                row: row(pid),
                usage: pid.map(|_| usage),
                traffic: pid.map(|_| traffic),
            }],
        }
    }

    #[test]
    fn rates_are_differences_of_one_run() {
        let begun = Instant::now();
        let [one, later] = [2, 6].map(|seconds| after(begun, seconds, Some(1)));
        insta::assert_json_snapshot!(later.since(&one));
        let anew = after(begun, 7, Some(2)).since(&later);
        assert_eq!(anew[0].cpu_percent, None);
        assert_eq!(anew[0].network_rx_bytes_per_second, None);
        assert_eq!(anew[0].disk_read_bytes, Some(7000));
        let stopped = after(begun, 8, None).since(&later);
        insta::assert_json_snapshot!(stopped);
        // Nothing is divided by no time at all.
        assert_eq!(later.since(&later)[0].cpu_percent, None);
    }

    #[test]
    fn each_machine_is_compared_with_itself() {
        let begun = Instant::now();
        let many = |seconds| {
            let mut reading = after(begun, seconds, Some(1));
            let one = reading.machines.remove(0);
            reading.machines = (0..100)
                .map(|_| {
                    let mut other = one.clone();
                    other.row.id = MachineId::new();
                    other
                })
                .collect();
            reading
        };
        let (before, mut now) = (many(1), many(2));
        // In another order.
        for (counters, known) in now.machines.iter_mut().zip(before.machines.iter().rev()) {
            counters.row.id = known.row.id;
        }
        let stats = now.since(&before);
        assert!(stats.iter().all(|stats| stats.cpu_percent == Some(125.0)));
        assert_eq!(stats.len(), 100);
    }
}
