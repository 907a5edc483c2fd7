//! The columns of volumes.

use sistemo::value::ByteSize;
use sistemo::volume::Volume;

use super::{Cell, Column, part, plain};
use crate::tui::model::Model;
use crate::tui::view::text::{age, harmless};
use crate::tui::view::{status, tasks};

pub(super) const COLUMNS: &[Column] = &[
    Column {
        id: "name",
        title: "NAME",
        weight: 255,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(&volume(model, row).name)),
        order: |model, one, other| volume(model, one).name.cmp(&volume(model, other).name),
    },
    Column {
        id: "status",
        title: "STATUS",
        weight: 240,
        right: false,
        drawn: false,
        cell: state,
        order: |model, one, other| volume(model, one).status.cmp(&volume(model, other).status),
    },
    Column {
        id: "role",
        title: "ROLE",
        weight: 150,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(volume(model, row).role.clone()),
        order: |model, one, other| volume(model, one).role.cmp(&volume(model, other).role),
    },
    Column {
        id: "size",
        title: "SIZE",
        weight: 230,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(ByteSize::bytes(volume(model, row).size_bytes).to_string()),
        order: |model, one, other| {
            volume(model, one)
                .size_bytes
                .cmp(&volume(model, other).size_bytes)
        },
    },
    Column {
        id: "used",
        title: "USED",
        weight: 200,
        right: true,
        drawn: false,
        cell: |model, row, _| match volume(model, row).used_bytes {
            Some(bytes) => plain(ByteSize::bytes(bytes).to_string()),
            None => vec![part("-", "text.dim")],
        },
        order: |model, one, other| {
            volume(model, one)
                .used_bytes
                .cmp(&volume(model, other).used_bytes)
        },
    },
    Column {
        id: "used-graph",
        title: "",
        weight: 90,
        right: false,
        drawn: true,
        cell: |model, row, width| {
            let volume = volume(model, row);
            let Some(used) = volume.used_bytes else {
                return Vec::new();
            };
            let share = used as f64 / volume.size_bytes.max(1) as f64;
            let scope = if share > 0.9 { "gauge.high" } else { "gauge" };
            vec![part(
                crate::tui::view::spark::gauge(share, width, model.theme.glyphs()),
                scope,
            )]
        },
        order: |_, _, _| std::cmp::Ordering::Equal,
    },
    Column {
        id: "machine",
        title: "MACHINE",
        weight: 220,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            plain(harmless(
                volume(model, row).machine.as_deref().unwrap_or("-"),
            ))
        },
        order: |model, one, other| {
            volume(model, one)
                .machine
                .cmp(&volume(model, other).machine)
        },
    },
    Column {
        id: "path",
        title: "MOUNTED AT",
        weight: 120,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            plain(harmless(
                volume(model, row).mount_path.as_deref().unwrap_or("-"),
            ))
        },
        order: |model, one, other| {
            volume(model, one)
                .mount_path
                .cmp(&volume(model, other).mount_path)
        },
    },
    Column {
        id: "age",
        title: "AGE",
        weight: 100,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(age(&volume(model, row).created_at, model.clock.now)),
        order: |model, one, other| {
            volume(model, other)
                .created_at
                .cmp(&volume(model, one).created_at)
        },
    },
];

fn volume(model: &Model, row: usize) -> &Volume {
    &model.world.volumes[row]
}

fn state(model: &Model, row: usize, _: u16) -> Cell {
    let volume = volume(model, row);
    if let Some(running) = model.tasks.about(&volume.id, &volume.name).next() {
        return tasks::short(running, model);
    }
    let (sign, scope) = status::of_volume(&volume.status, model.theme.glyphs());
    vec![
        part(sign, scope),
        part(format!(" {}", volume.status), scope),
    ]
}
