//! The columns of history.

use std::time::Duration;

use sistemo::store::history::HistoryRow;

use super::{Column, part, plain};
use crate::tui::model::Model;
use crate::tui::view::text::{harmless, took, when};

pub(super) const COLUMNS: &[Column] = &[
    Column {
        id: "when",
        title: "WHEN",
        weight: 250,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(when(&entry(model, row).at, &model.clock)),
        order: |model, one, other| entry(model, one).at.cmp(&entry(model, other).at),
    },
    Column {
        id: "user",
        title: "WHO",
        weight: 100,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(entry(model, row).user.as_deref().unwrap_or("-"))),
        order: |model, one, other| entry(model, one).user.cmp(&entry(model, other).user),
    },
    Column {
        id: "action",
        title: "WHAT",
        weight: 240,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            let entry = entry(model, row);
            plain(format!("{} {}", entry.target, entry.action))
        },
        order: |model, one, other| {
            let what = |row| {
                (
                    entry(model, row).target.clone(),
                    entry(model, row).action.clone(),
                )
            };
            what(one).cmp(&what(other))
        },
    },
    Column {
        id: "name",
        title: "NAME",
        weight: 255,
        right: false,
        drawn: false,
        cell: |model, row, _| plain(harmless(&entry(model, row).name)),
        order: |model, one, other| entry(model, one).name.cmp(&entry(model, other).name),
    },
    Column {
        id: "took",
        title: "TOOK",
        weight: 150,
        right: true,
        drawn: false,
        cell: |model, row, _| {
            let milliseconds = u64::try_from(entry(model, row).duration_ms).unwrap_or(0);
            plain(took(Duration::from_millis(milliseconds)))
        },
        order: |model, one, other| {
            entry(model, one)
                .duration_ms
                .cmp(&entry(model, other).duration_ms)
        },
    },
    Column {
        id: "outcome",
        title: "OUTCOME",
        weight: 245,
        right: false,
        drawn: false,
        cell: |model, row, _| {
            let glyphs = model.theme.glyphs();
            match &entry(model, row).error {
                None => vec![part(format!("{} done", glyphs.check), "machine.running")],
                Some(error) => {
                    let said = harmless(error.lines().next().unwrap_or_default());
                    vec![part(format!("{} {said}", glyphs.cross), "machine.failed")]
                }
            }
        },
        order: |model, one, other| entry(model, one).error.cmp(&entry(model, other).error),
    },
];

fn entry(model: &Model, row: usize) -> &HistoryRow {
    &model.world.history[row]
}
