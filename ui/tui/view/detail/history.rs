//! What was done to a machine, the newest first.

use std::time::Duration;

use sistemo::machine::Machine;

use super::Row;
use crate::tui::model::Model;
use crate::tui::view::text::{harmless, took, when};

pub(super) fn rows(model: &Model, machine: &Machine) -> Vec<Row> {
    let glyphs = model.theme.glyphs();
    let entries = model
        .world
        .history
        .iter()
        .filter(|entry| entry.name == machine.name);
    let mut rows = vec![vec![(
        "  WHEN              WHO         WHAT              TOOK  OUTCOME".into(),
        "table.header",
    )]];
    for entry in entries {
        let time = took(Duration::from_millis(
            u64::try_from(entry.duration_ms).unwrap_or(0),
        ));
        let user = entry.user.as_deref().unwrap_or("-");
        let mut row = vec![(
            format!(
                "  {:16}  {:10}  {:14}  {time:>6}  ",
                when(&entry.at, &model.clock),
                harmless(user),
                entry.action
            ),
            "table.row",
        )];
        match &entry.error {
            None => row.push((format!("{} done", glyphs.check), "machine.running")),
            Some(error) => row.push((
                format!("{} {}", glyphs.cross, harmless(error)),
                "machine.failed",
            )),
        }
        rows.push(row);
    }
    if rows.len() == 1 {
        rows = vec![
            Row::new(),
            vec![("  nothing is written down about it".into(), "text.dim")],
        ];
    }
    rows
}
