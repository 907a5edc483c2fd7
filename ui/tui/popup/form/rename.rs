//! Another name for a machine or a volume.

use sistemo::machine::Machine;
use sistemo::value::Name;
use sistemo::volume::Volume;

use super::Form;
use super::content::{Content, Reading};
use super::field::{self, Values};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, Thing};

pub(crate) const NAME_HINT: &str = "a to z, 0 to 9 and -, at most 63";

#[derive(Debug)]
struct Rename {
    thing: Thing,
    is_volume: bool,
}

pub(crate) fn rename_machine(machine: &Machine, model: &Model) -> Box<dyn Popup> {
    rename(machine.into(), false, model)
}

pub(crate) fn rename_volume(volume: &Volume, model: &Model) -> Box<dyn Popup> {
    rename(volume.into(), true, model)
}

fn rename(thing: Thing, is_volume: bool, model: &Model) -> Box<dyn Popup> {
    let name = field::text("name", "New name", NAME_HINT).with(thing.name());
    Form::open(Rename { thing, is_volume }, vec![name], model)
}

impl Content for Rename {
    fn title(&self) -> String {
        format!("Rename {}", self.thing)
    }

    fn go(&self) -> &'static str {
        "Rename"
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("name");
        if text.is_empty() {
            reading.missing("name", "a new name is missing");
            return reading;
        }
        let Some(new) = reading.take("name", name(text)) else {
            return reading;
        };
        if text == self.thing.name() {
            reading.missing("name", "that is its name already");
        } else if self.is_volume {
            if model.world.volumes.iter().any(|volume| volume.name == text) {
                reading.wrong("name", format!("there is a volume {text} already"));
            }
        } else if let Some(why) = taken(text, model) {
            reading.wrong("name", why);
        }
        let thing = self.thing.clone();
        reading.task = Some(match self.is_volume {
            true => Task::RenameVolume { volume: thing, new },
            false => Task::Rename {
                machine: thing,
                new,
            },
        });
        reading
    }
}

/// Reads a name.
pub(super) fn name(text: &str) -> Result<Name, String> {
    text.parse::<Name>().map_err(|_| match text {
        _ if text.len() > Name::MAX => "too long: at most 63 letters".to_owned(),
        _ if text.starts_with('-') || text.ends_with('-') => {
            "a name neither begins nor ends with -".into()
        }
        _ => "only a to z, 0 to 9 and -".into(),
    })
}

/// Why no machine can have this name.
pub(super) fn taken(name: &str, model: &Model) -> Option<String> {
    if model
        .world
        .machines
        .iter()
        .any(|machine| machine.name == name)
    {
        return Some(format!("there is a machine {name} already"));
    }
    let root = format!("{name}-root");
    let is_taken = model.world.volumes.iter().any(|volume| volume.name == root);
    is_taken.then(|| format!("its disk would be {root}, which there is already"))
}
