//! Ports of this computer that lead into a machine, and taking them back.

use sistemo::machine::Machine;
use sistemo::value::{PortMapping, Protocol};

use super::Form;
use super::content::{Content, Reading, beginning};
use super::field::{self, Choice, Values};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, Thing};

#[derive(Debug)]
struct Expose {
    machine: Thing,
}

pub(crate) fn expose(machine: &Machine, model: &Model) -> Box<dyn Popup> {
    let hint = "port here:port in the machine, such as 8080:80, 80 or 53:53/udp";
    let fields = vec![field::text("port", "Port", hint)];
    let machine = machine.into();
    Form::open(Expose { machine }, fields, model)
}

impl Content for Expose {
    fn title(&self) -> String {
        format!("Have a port of this computer lead to {}", self.machine)
    }

    fn go(&self) -> &'static str {
        "Expose"
    }

    fn offers(&self, _key: &str, piece: &str, _values: Values<'_>, model: &Model) -> Vec<String> {
        let machine = model.world.machine(self.machine.key());
        let offers: Vec<String> = machine.map(suggested).unwrap_or_default();
        beginning(piece, offers.iter().map(String::as_str))
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("port");
        if text.is_empty() {
            reading.missing("port", "a port is missing");
            return reading;
        }
        let Some(port) = reading.take("port", port(text)) else {
            return reading;
        };
        if let Some(why) = taken(&port, Some(self.machine.name()), model) {
            reading.wrong("port", why);
        }
        let machine = self.machine.clone();
        reading.task = Some(Task::Expose { machine, port });
        reading
    }
}

/// Ports that the machine's application listens on and that nothing leads to yet, as one would expose them.
fn suggested(machine: &Machine) -> Vec<String> {
    let unled = machine.exposed_ports.iter().filter(|port| {
        let leads = |port: PortMapping| {
            let mut ports = machine.ports.iter();
            ports.any(|led| (led.machine_port, led.protocol) == (port.machine, port.protocol))
        };
        port.parse().is_ok_and(|port| !leads(port))
    });
    offered(unled)
}

/// Ports inside a machine, as one would expose them.
pub(super) fn offered<'a>(inside: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let ports = inside
        .into_iter()
        .filter_map(|port| port.parse::<PortMapping>().ok());
    let offer = |port: PortMapping| {
        let end = if port.protocol == Protocol::Udp {
            "/udp"
        } else {
            ""
        };
        // Below 1024 are this computer's own services.
        let host = if port.machine < 1024 {
            port.machine + 8000
        } else {
            port.machine
        };
        format!("{host}:{}{end}", port.machine)
    };
    ports.map(offer).collect()
}

/// Reads a port.
pub(super) fn port(text: &str) -> Result<PortMapping, String> {
    let read = text.parse();
    read.map_err(|_| "a port is 80, 8080:80 or 53:53/udp, each number from 1 to 65535".into())
}

/// Why this port of the host cannot lead to a machine other than `own`, which may have it already.
pub(super) fn taken(port: &PortMapping, own: Option<&str>, model: &Model) -> Option<String> {
    let has = |machine: &&Machine| {
        let mut ports = machine.ports.iter();
        ports.any(|other| (other.host_port, other.protocol) == (port.host, port.protocol))
    };
    let owner = model.world.machines.iter().find(has)?;
    if own == Some(owner.name.as_str()) {
        return None;
    }
    Some(format!(
        "port {} leads to {} already",
        port.host, owner.name
    ))
}

#[derive(Debug)]
struct Unexpose {
    machine: Thing,
}

/// Why not, when nothing leads to it.
pub(crate) fn unexpose(machine: &Machine, model: &Model) -> Result<Box<dyn Popup>, String> {
    if machine.ports.is_empty() {
        return Err(format!(
            "no port of this computer leads to {}",
            machine.name
        ));
    }
    let options = machine.ports.iter().map(|port| {
        let value = format!("{}:{}/{}", port.host_port, port.machine_port, port.protocol);
        let says = format!(
            "{}/{} to its port {}",
            port.host_port, port.protocol, port.machine_port
        );
        Choice::new(value, says)
    });
    let hint = "what leads there is cut off at once";
    let fields = vec![field::choice("port", "Port", hint, options.collect())];
    let machine = machine.into();
    Ok(Form::open(Unexpose { machine }, fields, model))
}

impl Content for Unexpose {
    fn title(&self) -> String {
        format!("Take a port back from {}", self.machine)
    }

    fn go(&self) -> &'static str {
        "Take back"
    }

    fn read(&self, values: Values<'_>, _model: &Model) -> Reading {
        let mut reading = Reading::default();
        let port = reading.take("port", port(values.get("port")));
        let machine = self.machine.clone();
        reading.task = port.map(|port| Task::Unexpose { machine, port });
        reading
    }
}
