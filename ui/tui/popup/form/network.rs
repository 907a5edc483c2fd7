//! New networks.

use ipnet::Ipv4Net;

use super::Form;
use super::content::{Content, Reading};
use super::field::{self, Values};
use super::rename::{NAME_HINT, name};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::Task;

#[derive(Debug)]
struct Create;

pub(crate) fn create_network(model: &Model) -> Box<dyn Popup> {
    let fields = vec![
        field::text("name", "Name", NAME_HINT),
        field::text("subnet", "Subnet", "its addresses, such as 10.77.0.0/24"),
    ];
    Form::open(Create, fields, model)
}

impl Content for Create {
    fn title(&self) -> String {
        "Make a network".into()
    }

    fn go(&self) -> &'static str {
        "Make it"
    }

    fn usual(&self, key: &str, _values: Values<'_>, _model: &Model) -> Option<String> {
        (key == "subnet").then(|| "the first that is free".into())
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let subnet = match values.get("subnet") {
            "" => None,
            text => reading.take("subnet", subnet(text, model)),
        };
        let text = values.get("name");
        if text.is_empty() {
            reading.missing("name", "a name is missing");
            return reading;
        }
        if model.world.network(text).is_some() {
            reading.wrong("name", format!("there is a network {text} already"));
        }
        let name = reading.take("name", name(text));
        reading.task = name.map(|name| Task::CreateNetwork { name, subnet });
        reading
    }
}

/// Reads a subnet that none of the others has a part of.
fn subnet(text: &str, model: &Model) -> Result<Ipv4Net, String> {
    let read = text.parse::<Ipv4Net>();
    let subnet =
        read.map_err(|_| "a subnet is an address and a length: 10.77.0.0/24".to_owned())?;
    let overlaps =
        |other: &Ipv4Net| other.contains(&subnet.network()) || subnet.contains(&other.network());
    match model
        .world
        .networks
        .iter()
        .find(|network| overlaps(&network.subnet))
    {
        Some(other) => Err(format!("the network {} has {}", other.name, other.subnet)),
        None => Ok(subnet),
    }
}
