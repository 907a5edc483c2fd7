//! What a machine is, in facts, with what it takes of the host.

use sistemo::machine::Machine;
use sistemo::value::ByteSize;

use super::Row;
use crate::tui::model::Model;
use crate::tui::view::spark;
use crate::tui::view::text::{age, harmless, when};

/// How wide the names of facts are.
const NAMES: usize = 12;

pub(super) fn rows(model: &Model, machine: &Machine, width: u16) -> Vec<Row> {
    let mut rows = vec![Row::new()];
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![
                (format!("  {name:NAMES$}"), "text.dim"),
                (value, "text"),
            ]);
        }
    };
    let said = |text: &Option<String>| {
        text.as_deref()
            .map(|text| harmless(text).into_owned())
            .unwrap_or_default()
    };
    fact("image", said(&machine.image));
    fact("address", said(&machine.ip));
    fact("network", said(&machine.network));
    fact(
        "ports",
        machine
            .ports
            .iter()
            .map(super::ports::short)
            .collect::<Vec<_>>()
            .join(", "),
    );
    if let Some(web) = &model.web {
        // Browsers make a link of it.
        let page = format!("{web}/terminals/vm/{}", machine.name);
        fact("web page", harmless(&page).into_owned());
    }
    fact(
        "command",
        shlex::try_join(machine.command.iter().flatten().map(String::as_str))
            .map(|text| harmless(&text).into_owned())
            .unwrap_or_default(),
    );
    fact(
        "variables",
        harmless(&machine.environment.join(" ")).into_owned(),
    );
    fact("restart", machine.restart.as_str().into());
    if let (Some(vmm), Some(accelerator)) = (&machine.vmm, &machine.accelerator) {
        let pid = machine
            .pid
            .map(|pid| format!(", process {pid}"))
            .unwrap_or_default();
        fact("runs under", format!("{vmm} ({accelerator}){pid}"));
    }
    fact(
        "created",
        format!(
            "{} ({} ago)",
            when(&machine.created_at, &model.clock),
            age(&machine.created_at, model.clock.now)
        ),
    );
    if let Some(started) = &machine.started_at {
        fact(
            "started",
            format!(
                "{} ({} ago)",
                when(started, &model.clock),
                age(started, model.clock.now)
            ),
        );
    }
    fact("identifier", machine.id.clone());
    fact("digest", said(&machine.image_digest));
    fact("mac", said(&machine.mac));
    rows.push(Row::new());
    rows.extend(resources(model, machine, width));
    if let Some(log) = &machine.boot_log {
        rows.push(Row::new());
        rows.push(vec![("  the last of its boot log:".into(), "text.strong")]);
        rows.extend(
            log.lines()
                .map(|line| vec![(format!("  {}", harmless(line)), "text")]),
        );
    }
    rows
}

/// What it may have, and what it takes.
fn resources(model: &Model, machine: &Machine, width: u16) -> Vec<Row> {
    let series = model.samples.of(&machine.id);
    let last = series.and_then(|series| series.last.as_ref());
    let glyphs = model.theme.glyphs();
    let room = width.saturating_sub(48).min(60);
    let line = |name: &str, value: String, values: Vec<f64>, most: Option<f64>, scope| {
        vec![
            (format!("  {name:NAMES$}"), "text.dim"),
            (format!("{value:<30}"), "text"),
            (spark::line(&values, most, room, glyphs), scope),
        ]
    };
    let values = |of: fn(&crate::tui::model::samples::Series) -> Vec<f64>| {
        series.map(of).unwrap_or_default()
    };
    let vcpus = machine.vcpus;
    let plural = if vcpus == 1 { "" } else { "s" };
    let cpu = match last.and_then(|last| last.cpu_percent) {
        Some(percent) => format!("{percent:.0}% of {vcpus} processor{plural}"),
        None => format!("{vcpus} processor{plural}"),
    };
    let limit = ByteSize::bytes(machine.memory_bytes);
    let memory = match last.and_then(|last| last.memory_bytes) {
        Some(bytes) => format!("{limit}, takes {} here", ByteSize::bytes(bytes)),
        None => limit.to_string(),
    };
    let mut rows = vec![
        line(
            "cpu",
            cpu,
            values(|s| s.cpu_percent.iter().copied().collect()),
            Some(f64::from(vcpus) * 100.0),
            "spark.cpu",
        ),
        line(
            "memory",
            memory,
            values(|s| s.memory_bytes.iter().map(|b| *b as f64).collect()),
            Some(machine.memory_bytes as f64),
            "spark.memory",
        ),
    ];
    let rate = |bytes: f64| format!("{}/s", ByteSize::bytes(bytes as u64));
    let limits = |value: Option<u32>, unit| {
        value
            .map(|most| format!(" (at most {most} {unit})"))
            .unwrap_or_default()
    };
    if let Some(last) = last {
        if let (Some(rx), Some(tx)) = (
            last.network_rx_bytes_per_second,
            last.network_tx_bytes_per_second,
        ) {
            let value = format!(
                "in {}, out {}{}",
                rate(rx),
                rate(tx),
                limits(machine.bandwidth_mbps, "Mbit/s")
            );
            rows.push(line(
                "network",
                value,
                values(|s| s.network_bytes.iter().copied().collect()),
                None,
                "spark.network",
            ));
        }
        if let (Some(read), Some(written)) = (
            last.disk_read_bytes_per_second,
            last.disk_write_bytes_per_second,
        ) {
            let value = format!(
                "read {}, written {}{}",
                rate(read),
                rate(written),
                limits(machine.iops, "a second")
            );
            rows.push(line("disk", value, Vec::new(), None, "text"));
        }
    }
    rows
}
