//! Ports of this computer that lead into a machine.

use sistemo::machine::{Machine, Port};

use super::Row;
use crate::tui::action::Action;
use crate::tui::model::Model;

/// `8080:80/tcp`.
pub(super) fn short(port: &Port) -> String {
    format!("{}:{}/{}", port.host_port, port.machine_port, port.protocol)
}

pub(super) fn rows(model: &Model, machine: &Machine) -> Vec<Row> {
    let mut rows = Vec::new();
    if machine.ports.is_empty() {
        rows.push(Row::new());
        let key = model.shown(Action::Expose);
        rows.push(vec![(
            format!("  no port of this computer leads here; {key} has one do so"),
            "text.dim",
        )]);
    } else {
        rows.push(vec![(
            "  ON THIS COMPUTER  IN THE MACHINE  PROTOCOL".into(),
            "table.header",
        )]);
    }
    for port in &machine.ports {
        let (host, guest, protocol) =
            (port.host_port, port.machine_port, port.protocol.to_string());
        rows.push(vec![(
            format!("  {host:>16}  {guest:>14}  {protocol}"),
            "table.row",
        )]);
    }
    if !machine.exposed_ports.is_empty() {
        rows.push(Row::new());
        let ports = machine.exposed_ports.join(", ");
        rows.push(vec![
            ("  its image says that it listens on ".into(), "text.dim"),
            (ports, "text"),
        ]);
    }
    rows
}
