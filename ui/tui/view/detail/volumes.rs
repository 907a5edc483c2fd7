//! The volumes of a machine.

use sistemo::machine::Machine;
use sistemo::value::ByteSize;

use super::Row;
use crate::tui::model::Model;
use crate::tui::view::spark;
use crate::tui::view::text::harmless;

pub(super) fn rows(model: &Model, machine: &Machine) -> Vec<Row> {
    if machine.volumes.is_empty() {
        return vec![Row::new(), vec![("  no volumes".into(), "text.dim")]];
    }
    let names = machine.volumes.iter().map(|volume| volume.name.len());
    let width = names.max().unwrap_or(0).max(4);
    let mut rows = vec![vec![(
        format!(
            "  {:width$}  {:4}  {:>10}  {:>10}  {:8}  MOUNTED AT",
            "NAME", "ROLE", "SIZE", "USED", ""
        ),
        "table.header",
    )]];
    for volume in &machine.volumes {
        let used = volume.used_bytes.unwrap_or(0);
        let share = used as f64 / volume.size_bytes.max(1) as f64;
        let place = match (&volume.mount_path, volume.role.as_str()) {
            (Some(path), _) => harmless(path).into_owned(),
            (None, "root") => "/".into(),
            (None, _) => "-".into(),
        };
        let (size, used) = (
            ByteSize::bytes(volume.size_bytes).to_string(),
            ByteSize::bytes(used).to_string(),
        );
        rows.push(vec![
            (
                format!(
                    "  {:width$}  {:4}  {size:>10}  {used:>10}  ",
                    harmless(&volume.name),
                    volume.role
                ),
                "table.row",
            ),
            (
                spark::gauge(share, 8, model.theme.glyphs()),
                if share > 0.9 { "gauge.high" } else { "gauge" },
            ),
            (format!("  {place}"), "table.row"),
        ]);
    }
    rows
}
