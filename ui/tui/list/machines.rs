//! The columns of machines.

use std::cmp::Ordering;

use sistemo::machine::Machine;
use sistemo::store::machines::Status;
use sistemo::value::ByteSize;

use super::{Cell, Column, part, plain};
use crate::tui::model::Model;
use crate::tui::model::samples::Series;
use crate::tui::view::spark;
use crate::tui::view::text::{age, harmless};
use crate::tui::view::{status, tasks};

pub(super) const COLUMNS: &[Column] = &[
    Column {
        id: "name",
        title: "NAME",
        weight: 255,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(&machine(model, row).name)),
        order: |model, one, other| machine(model, one).name.cmp(&machine(model, other).name),
    },
    Column {
        id: "status",
        title: "STATUS",
        weight: 250,
        right: false,
        drawn: false,
        cell: state,
        order: |model, one, other| {
            let rank = |row| rank(machine(model, row).status);
            rank(one).cmp(&rank(other))
        },
    },
    Column {
        id: "image",
        title: "IMAGE",
        weight: 120,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            plain(harmless(
                machine(model, row).image.as_deref().unwrap_or("-"),
            ))
        },
        order: |model, one, other| machine(model, one).image.cmp(&machine(model, other).image),
    },
    Column {
        id: "address",
        title: "ADDRESS",
        weight: 200,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(machine(model, row).ip.as_deref().unwrap_or("-")),
        order: |model, one, other| {
            let address = |row| -> Option<std::net::Ipv4Addr> {
                machine(model, row).ip.as_ref()?.parse().ok()
            };
            address(one).cmp(&address(other))
        },
    },
    Column {
        id: "network",
        title: "NETWORK",
        weight: 60,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(machine(model, row).network.as_deref().unwrap_or("-")),
        order: |model, one, other| {
            machine(model, one)
                .network
                .cmp(&machine(model, other).network)
        },
    },
    Column {
        id: "cpu",
        title: "CPU",
        weight: 190,
        right: true,
        drawn: false,
        cell: |model, row, _| match last(model, row).and_then(|last| last.cpu_percent) {
            Some(percent) => vec![part(
                format!("{percent:.0}%"),
                high(percent, machine(model, row)),
            )],
            None => none(),
        },
        order: |model, one, other| {
            let cpu = |row| {
                last(model, row)
                    .and_then(|last| last.cpu_percent)
                    .unwrap_or(-1.0)
            };
            cpu(one).total_cmp(&cpu(other))
        },
    },
    Column {
        id: "cpu-graph",
        title: "",
        weight: 100,
        right: false,
        drawn: true,
        cell: |model, row, width| {
            let vcpus = f64::from(machine(model, row).vcpus) * 100.0;
            drawing(model, row, width, "spark.cpu", |series| {
                (series.cpu_percent.iter().copied().collect(), Some(vcpus))
            })
        },
        order: |_, _, _| Ordering::Equal,
    },
    Column {
        id: "memory",
        title: "MEMORY",
        weight: 180,
        right: true,
        drawn: false,
        // What it takes of this computer, the hypervisor's own included; while it is off, what the guest will have.
        cell: |model, row, _| match last(model, row).and_then(|last| last.memory_bytes) {
            Some(bytes) => plain(ByteSize::bytes(bytes).to_string()),
            None => {
                let limit = ByteSize::bytes(machine(model, row).memory_bytes);
                vec![part(limit.to_string(), "text.dim")]
            }
        },
        order: |model, one, other| {
            let memory = |row| last(model, row).and_then(|last| last.memory_bytes);
            memory(one).cmp(&memory(other))
        },
    },
    Column {
        id: "memory-graph",
        title: "",
        weight: 70,
        right: false,
        drawn: true,
        cell: |model, row, width| {
            let most = machine(model, row).memory_bytes as f64;
            drawing(model, row, width, "spark.memory", |series| {
                (
                    series
                        .memory_bytes
                        .iter()
                        .map(|bytes| *bytes as f64)
                        .collect(),
                    Some(most),
                )
            })
        },
        order: |_, _, _| Ordering::Equal,
    },
    Column {
        id: "traffic",
        title: "NET/S",
        weight: 110,
        right: true,
        drawn: false,
        cell: |model, row, _| match traffic(model, row) {
            Some(bytes) => plain(ByteSize::bytes(bytes as u64).to_string()),
            None => none(),
        },
        order: |model, one, other| {
            let traffic = |row| traffic(model, row).unwrap_or(-1.0);
            traffic(one).total_cmp(&traffic(other))
        },
    },
    Column {
        id: "traffic-graph",
        title: "",
        weight: 65,
        right: false,
        drawn: true,
        cell: |model, row, width| {
            drawing(model, row, width, "spark.network", |series| {
                (series.network_bytes.iter().copied().collect(), None)
            })
        },
        order: |_, _, _| Ordering::Equal,
    },
    Column {
        id: "uptime",
        title: "UPTIME",
        weight: 140,
        right: true,
        drawn: false,
        cell: |model, row, _| match &machine(model, row).started_at {
            Some(since) => plain(age(since, model.clock.now)),
            None => none(),
        },
        // The longest uptime is the earliest start.
        order: |model, one, other| {
            let started = |row| machine(model, row).started_at.clone();
            started(other).cmp(&started(one))
        },
    },
    Column {
        id: "ports",
        title: "PORTS",
        weight: 130,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            let ports = &machine(model, row).ports;
            let texts: Vec<String> = ports.iter().map(port).collect();
            plain(if texts.is_empty() {
                "-".into()
            } else {
                texts.join(" ")
            })
        },
        order: |model, one, other| {
            let first = |row: usize| machine(model, row).ports.first().map(|port| port.host_port);
            first(one).cmp(&first(other))
        },
    },
    Column {
        id: "volumes",
        title: "VOLUMES",
        weight: 50,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            let volumes = machine(model, row).volumes.iter();
            let names: Vec<&str> = volumes
                .filter(|volume| volume.role != "root")
                .map(|volume| volume.name.as_str())
                .collect();
            plain(if names.is_empty() {
                "-".into()
            } else {
                names.join(" ")
            })
        },
        order: |model, one, other| {
            let count = |row| machine(model, row).volumes.len();
            count(one).cmp(&count(other))
        },
    },
];

/// A port of the host and where it leads, as it is typed: `8080:80`, `53:53/udp`.
pub(super) fn port(port: &sistemo::machine::Port) -> String {
    let protocol = match port.protocol {
        sistemo::value::Protocol::Tcp => "",
        sistemo::value::Protocol::Udp => "/udp",
    };
    format!("{}:{}{protocol}", port.host_port, port.machine_port)
}

fn machine(model: &Model, row: usize) -> &Machine {
    &model.world.machines[row]
}

fn none() -> Cell {
    vec![part("-", "text.dim")]
}

fn last(model: &Model, row: usize) -> Option<&sistemo::machine::Stats> {
    let machine = machine(model, row);
    model.samples.of(&machine.id)?.last.as_ref()
}

fn traffic(model: &Model, row: usize) -> Option<f64> {
    let last = last(model, row)?;
    Some(last.network_rx_bytes_per_second? + last.network_tx_bytes_per_second?)
}

/// Busier than nine tenths of what it may have.
fn high(percent: f64, machine: &Machine) -> &'static str {
    if percent > f64::from(machine.vcpus) * 90.0 {
        "gauge.high"
    } else {
        "table.row"
    }
}

fn drawing(
    model: &Model,
    row: usize,
    width: u16,
    scope: &'static str,
    values: impl Fn(&Series) -> (Vec<f64>, Option<f64>),
) -> Cell {
    let Some(series) = model.samples.of(&machine(model, row).id) else {
        return Vec::new();
    };
    let (values, most) = values(series);
    vec![part(
        spark::line(&values, most, width, model.theme.glyphs()),
        scope,
    )]
}

/// What is being done with it, or else its status.
fn state(model: &Model, row: usize, _: u16) -> Cell {
    let machine = machine(model, row);
    if let Some(running) = model.tasks.about(&machine.id, &machine.name).next() {
        return tasks::short(running, model);
    }
    let (sign, scope) = status::sign(machine.status, model.theme.glyphs());
    vec![
        part(sign, scope),
        part(format!(" {}", machine.status), scope),
    ]
}

/// What wants attention comes first.
fn rank(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Creating | Status::Starting | Status::Stopping | Status::Deleting => 1,
        Status::Running => 2,
        Status::Paused => 3,
        Status::Stopped => 4,
    }
}
