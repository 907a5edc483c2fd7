//! The columns of images.

use sistemo::image::Image;

use super::{Cell, Column, part, plain};
use crate::tui::model::Model;
use crate::tui::view::tasks;
use crate::tui::view::text::{age, harmless};

pub(super) const COLUMNS: &[Column] = &[
    Column {
        id: "name",
        title: "NAME",
        weight: 255,
        right: false,
        drawn: false,
        cell: called,
        order: |model, one, other| image(model, one).name.cmp(&image(model, other).name),
    },
    Column {
        id: "kind",
        title: "KIND",
        weight: 150,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(kind(image(model, row))),
        order: |model, one, other| kind(image(model, one)).cmp(kind(image(model, other))),
    },
    Column {
        id: "size",
        title: "SIZE",
        weight: 200,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(image(model, row).size.to_string()),
        order: |model, one, other| image(model, one).size.cmp(&image(model, other).size),
    },
    Column {
        id: "used",
        title: "ON DISK",
        weight: 190,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(image(model, row).used.to_string()),
        order: |model, one, other| image(model, one).used.cmp(&image(model, other).used),
    },
    Column {
        id: "machines",
        title: "MACHINES",
        weight: 180,
        right: true,
        drawn: false,
        cell: |model, row, _| match machines(model, row) {
            0 => vec![part("-", "text.dim")],
            count => plain(count.to_string()),
        },
        order: |model, one, other| machines(model, one).cmp(&machines(model, other)),
    },
    Column {
        id: "source",
        title: "SOURCE",
        weight: 80,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(&image(model, row).source)),
        order: |model, one, other| image(model, one).source.cmp(&image(model, other).source),
    },
    Column {
        id: "digest",
        title: "DIGEST",
        weight: 60,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            let digest = &image(model, row).digest;
            let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
            plain(hex.chars().take(12).collect::<String>())
        },
        order: |model, one, other| image(model, one).digest.cmp(&image(model, other).digest),
    },
    Column {
        id: "age",
        title: "AGE",
        weight: 120,
        right: true,
        drawn: false,
        cell: |model, row, _| plain(age(&image(model, row).created_at, model.clock.now)),
        order: |model, one, other| {
            image(model, other)
                .created_at
                .cmp(&image(model, one).created_at)
        },
    },
];

fn image(model: &Model, row: usize) -> &Image {
    &model.world.images[row]
}

/// The name, and how many others it has.
fn called(model: &Model, row: usize, _: u16) -> Cell {
    let image = image(model, row);
    let mut cell = plain(harmless(&image.name));
    if let more @ 1.. = image.names.len().saturating_sub(1) {
        cell.push(part(format!(" +{more}"), "text.dim"));
    }
    if let Some(running) = model.tasks.about(&image.digest, &image.name).next() {
        cell.push(part(" ", "table.row"));
        cell.extend(tasks::short(running, model));
    }
    cell
}

fn kind(image: &Image) -> &'static str {
    match &image.config {
        Some(_) => "application",
        None => "system",
    }
}

/// How many machines were made of it.
fn machines(model: &Model, row: usize) -> usize {
    let digest = Some(&image(model, row).digest);
    let machines = model.world.machines.iter();
    machines
        .filter(|machine| machine.image_digest.as_ref() == digest)
        .count()
}
