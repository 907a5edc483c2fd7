//! New volumes, and larger ones.

use sistemo::machine::MOST_STORAGE;
use sistemo::value::ByteSize;
use sistemo::volume::{LEAST, Volume};

use super::Form;
use super::attach::is_off;
use super::content::{Content, Reading, beginning};
use super::field::{self, Values};
use super::rename::{NAME_HINT, name};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, Thing, typed};

const SIZES: [&str; 6] = ["1G", "5G", "10G", "20G", "50G", "100G"];

#[derive(Debug)]
struct Create;

pub(crate) fn create_volume(model: &Model) -> Box<dyn Popup> {
    let fields = vec![
        field::text("name", "Name", NAME_HINT),
        field::text(
            "size",
            "Size",
            "such as 64M, 10G or 1.5T; space is only taken as it is used",
        ),
    ];
    Form::open(Create, fields, model)
}

impl Content for Create {
    fn title(&self) -> String {
        "Make a volume".into()
    }

    fn go(&self) -> &'static str {
        "Make it"
    }

    fn usual(&self, key: &str, _values: Values<'_>, _model: &Model) -> Option<String> {
        (key == "name").then(|| "a part of its identifier".into())
    }

    fn offers(&self, key: &str, piece: &str, _values: Values<'_>, _model: &Model) -> Vec<String> {
        match key {
            "size" => beginning(piece, SIZES),
            _ => Vec::new(),
        }
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("name");
        let name = match text {
            "" => None,
            text => reading.take("name", name(text)),
        };
        if model.world.volumes.iter().any(|volume| volume.name == text) {
            reading.wrong("name", format!("there is a volume {text} already"));
        }
        match values.get("size") {
            "" => reading.missing("size", "a size is missing"),
            text => {
                let size = reading.take("size", size(text, LEAST, MOST_STORAGE));
                reading.task = size.map(|size| Task::CreateVolume { name, size });
            }
        }
        reading
    }
}

/// Reads a size between two others.
pub(super) fn size(text: &str, least: ByteSize, most: ByteSize) -> Result<ByteSize, String> {
    let read = text.parse::<ByteSize>();
    let size = read.map_err(|_| "a size is 512M, 2G or 1.5G".to_owned())?;
    match size {
        _ if size < least => Err(format!("at least {least}")),
        _ if size > most => Err(format!("at most {most}")),
        _ => Ok(size),
    }
}

#[derive(Debug)]
struct Resize {
    volume: Thing,
    has: ByteSize,
}

/// Grows a volume whose machine, if it has one, is off.
pub(crate) fn resize_volume(volume: &Volume, model: &Model) -> Result<Box<dyn Popup>, String> {
    let machine = volume
        .machine
        .as_deref()
        .and_then(|name| model.world.machine(name));
    if let Some(machine) = machine.filter(|machine| !is_off(machine)) {
        return Err(format!(
            "{} is {}: its volumes grow while it is off",
            machine.name, machine.status
        ));
    }
    let has = ByteSize::bytes(volume.size_bytes);
    let size = field::text("size", "New size", "volumes only grow; such as 20G").with(&typed(has));
    let volume = volume.into();
    Ok(Form::open(Resize { volume, has }, vec![size], model))
}

impl Content for Resize {
    fn title(&self) -> String {
        format!("Grow {}", self.volume)
    }

    fn go(&self) -> &'static str {
        "Grow"
    }

    fn notes(&self, _values: Values<'_>, _model: &Model) -> Vec<String> {
        vec![format!("It has {} now.", self.has)]
    }

    fn read(&self, values: Values<'_>, _model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("size");
        if text.is_empty() {
            reading.missing("size", "a size is missing");
            return reading;
        }
        let Some(size) = reading.take("size", size(text, LEAST, MOST_STORAGE)) else {
            return reading;
        };
        match size.cmp(&self.has) {
            std::cmp::Ordering::Less => {
                reading.wrong(
                    "size",
                    format!("it has {} already, and only grows", self.has),
                );
            }
            std::cmp::Ordering::Equal => reading.missing("size", "that is what it has"),
            std::cmp::Ordering::Greater => {}
        }
        let volume = self.volume.clone();
        reading.task = Some(Task::ResizeVolume { volume, size });
        reading
    }
}
