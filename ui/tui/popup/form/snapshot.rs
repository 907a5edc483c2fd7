//! Snapshots of a machine: making one, going back to one, deleting one; and another machine that goes on from here.

use sistemo::machine::Machine;

use super::Form;
use super::content::{Content, Reading};
use super::field::{self, Choice, Values};
use super::rename::{NAME_HINT, name, taken};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, Thing};

#[derive(Debug)]
struct Fork {
    machine: Thing,
}

pub(crate) fn fork(machine: &Machine, model: &Model) -> Box<dyn Popup> {
    let fields = vec![field::text("name", "Name", NAME_HINT)];
    let machine = machine.into();
    Form::open(Fork { machine }, fields, model)
}

impl Content for Fork {
    fn title(&self) -> String {
        format!("Fork {}", self.machine)
    }

    fn go(&self) -> &'static str {
        "Fork"
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("name");
        if text.is_empty() {
            reading.missing("name", "a name is missing");
            return reading;
        }
        let Some(new) = reading.take("name", name(text)) else {
            return reading;
        };
        if let Some(why) = taken(text, model) {
            reading.wrong("name", why);
        }
        let machine = self.machine.clone();
        reading.task = Some(Task::Fork { machine, new });
        reading
    }
}

#[derive(Debug)]
struct Take {
    machine: Thing,
}

pub(crate) fn take_snapshot(machine: &Machine, model: &Model) -> Box<dyn Popup> {
    let hint = "by default snap0, snap1 and so on";
    let fields = vec![field::text("name", "Name", hint)];
    let machine = machine.into();
    Form::open(Take { machine }, fields, model)
}

impl Content for Take {
    fn title(&self) -> String {
        format!("Make a snapshot of {}", self.machine)
    }

    fn go(&self) -> &'static str {
        "Make it"
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("name");
        let called = match text {
            "" => None,
            _ => match reading.take("name", name(text)) {
                Some(name) => Some(name),
                None => return reading,
            },
        };
        let has = |text: &str| {
            let mut known = model.world.snapshots_of(self.machine.key());
            known.any(|snapshot| snapshot.name == text)
        };
        if has(text) {
            reading.wrong("name", format!("it has a snapshot {text} already"));
        }
        reading.task = Some(Task::Snapshot {
            machine: self.machine.clone(),
            name: called,
        });
        reading
    }
}

#[derive(Debug)]
struct Choose {
    machine: Thing,
    deletes: bool,
}

/// Why not, when it has none.
pub(crate) fn restore(machine: &Machine, model: &Model) -> Result<Box<dyn Popup>, String> {
    choose(machine, false, model)
}

/// Why not, when it has none.
pub(crate) fn delete_snapshot(machine: &Machine, model: &Model) -> Result<Box<dyn Popup>, String> {
    choose(machine, true, model)
}

fn choose(machine: &Machine, deletes: bool, model: &Model) -> Result<Box<dyn Popup>, String> {
    // The newest first.
    let mut options: Vec<Choice> = model
        .world
        .snapshots_of(&machine.id)
        .map(|snapshot| {
            let what = match snapshot.memory {
                true => "memory and disks",
                false => "disks",
            };
            let says = format!("{} ({what}, {})", snapshot.name, snapshot.created_at);
            Choice::new(snapshot.name.clone(), says)
        })
        .collect();
    options.reverse();
    if options.is_empty() {
        return Err(format!("{} has no snapshots", machine.name));
    }
    let hint = match deletes {
        true => "machines that were made of it stay",
        false => "what its disks hold since is lost",
    };
    let fields = vec![field::choice("snapshot", "Snapshot", hint, options)];
    let machine = machine.into();
    Ok(Form::open(Choose { machine, deletes }, fields, model))
}

impl Content for Choose {
    fn title(&self) -> String {
        match self.deletes {
            true => format!("Delete a snapshot of {}", self.machine),
            false => format!("Have {} be what it was", self.machine),
        }
    }

    fn go(&self) -> &'static str {
        match self.deletes {
            true => "Delete",
            false => "Restore",
        }
    }

    fn read(&self, values: Values<'_>, _model: &Model) -> Reading {
        let (machine, snapshot) = (self.machine.clone(), values.get("snapshot").to_owned());
        Reading {
            task: Some(match self.deletes {
                true => Task::DeleteSnapshot { machine, snapshot },
                false => Task::Restore { machine, snapshot },
            }),
            ..Reading::default()
        }
    }
}
