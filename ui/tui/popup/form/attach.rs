//! Data volumes for machines, and taking them away. Both are done while the machine is off.

use sistemo::machine::Machine;
use sistemo::store::machines::Status;
use sistemo::value::Name;
use sistemo::volume::{Attachment, MountPath, Volume};

use super::Form;
use super::content::{Content, Reading, beginning};
use super::field::{self, Choice, Values};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, Thing};

const PATH_HINT: &str = "where the machine finds it; /mnt/VOLUME when empty";

/// Which end of it is given.
#[derive(Debug)]
enum Given {
    Machine(Thing),
    Volume(Thing),
}

#[derive(Debug)]
struct Attach(Given);

/// Whether volumes can be attached and detached: the machine must be off.
pub(super) fn is_off(machine: &Machine) -> bool {
    matches!(machine.status, Status::Stopped | Status::Failed)
}

fn free(model: &Model) -> impl Iterator<Item = &Volume> {
    let volumes = model.world.volumes.iter();
    volumes.filter(|volume| volume.role == "data" && volume.machine.is_none())
}

fn sized(volume: &Volume) -> Choice {
    let size = sistemo::value::ByteSize::bytes(volume.size_bytes);
    Choice::new(&volume.name, format!("{} ({size})", volume.name))
}

/// Attaches one of the volumes that are free to a machine.
pub(crate) fn attach(machine: &Machine, model: &Model) -> Result<Box<dyn Popup>, String> {
    if !is_off(machine) {
        return Err(format!(
            "{} is {}: volumes are attached while it is off",
            machine.name, machine.status
        ));
    }
    let options: Vec<Choice> = free(model).map(sized).collect();
    if options.is_empty() {
        return Err("no volume is free; make one in Volumes".into());
    }
    let fields = vec![
        field::choice(
            "volume",
            "Volume",
            "volumes that belong to no machine",
            options,
        ),
        field::text("path", "Mount at", PATH_HINT),
    ];
    Ok(Form::open(
        Attach(Given::Machine(machine.into())),
        fields,
        model,
    ))
}

/// Attaches a volume to one of the machines that are off.
pub(crate) fn attach_to_some(volume: &Volume, model: &Model) -> Result<Box<dyn Popup>, String> {
    if let Some(machine) = &volume.machine {
        return Err(format!("{} belongs to {machine} already", volume.name));
    }
    if volume.role != "data" {
        return Err(format!(
            "{} is a machine's disk: deploy a machine from it",
            volume.name
        ));
    }
    let machines = model
        .world
        .machines
        .iter()
        .filter(|machine| is_off(machine));
    let options: Vec<Choice> = machines
        .map(|machine| Choice::new(&machine.name, &machine.name))
        .collect();
    if options.is_empty() {
        return Err("no machine is stopped: volumes are attached while it is off".into());
    }
    let fields = vec![
        field::choice("machine", "Machine", "machines that are off", options),
        field::text("path", "Mount at", PATH_HINT),
    ];
    Ok(Form::open(
        Attach(Given::Volume(volume.into())),
        fields,
        model,
    ))
}

impl Attach {
    fn volume<'a>(&'a self, values: &'a Values<'_>) -> &'a str {
        match &self.0 {
            Given::Machine(_) => values.get("volume"),
            Given::Volume(volume) => volume.name(),
        }
    }

    fn machine(&self, values: &Values<'_>, model: &Model) -> Option<Thing> {
        match &self.0 {
            Given::Machine(machine) => Some(machine.clone()),
            Given::Volume(_) => model.world.machine(values.get("machine")).map(Thing::from),
        }
    }
}

impl Content for Attach {
    fn title(&self) -> String {
        match &self.0 {
            Given::Machine(machine) => format!("Attach a volume to {machine}"),
            Given::Volume(volume) => format!("Attach {volume}"),
        }
    }

    fn go(&self) -> &'static str {
        "Attach"
    }

    fn usual(&self, key: &str, values: Values<'_>, _model: &Model) -> Option<String> {
        (key == "path").then(|| format!("/mnt/{}", self.volume(&values)))
    }

    fn offers(&self, key: &str, piece: &str, _values: Values<'_>, _model: &Model) -> Vec<String> {
        match key {
            "path" => beginning(piece, ["/srv/", "/mnt/", "/var/lib/", "/home/", "/opt/"]),
            _ => Vec::new(),
        }
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let text = values.get("path");
        let path = match text {
            "" => None,
            text => reading.take("path", mount_path(text)),
        };
        let Some(machine) = self.machine(&values, model) else {
            reading.missing("machine", "choose a machine");
            return reading;
        };
        let volume = self.volume(&values).to_owned();
        if let Some(why) = mounted(&machine, &volume, path.as_ref(), model) {
            reading.wrong("path", why);
        }
        let hides = path.as_ref().and_then(hidden);
        reading.told.extend(hides.map(|says| ("path", says)));
        let attachment = Attachment { volume, path };
        reading.task = Some(Task::Attach {
            machine,
            attachment,
        });
        reading
    }
}

/// Reads where a volume is to be mounted.
pub(super) fn mount_path(text: &str) -> Result<MountPath, String> {
    // Its own words are long: `a volume cannot be mounted at "x": it does not begin with /; for example /srv/data`.
    text.parse::<MountPath>().map_err(|bad| {
        let text = bad.to_string();
        let why = text
            .rsplit_once("\": ")
            .map_or(text.as_str(), |(_, why)| why);
        why.to_owned()
    })
}

/// Folders that machines come with and need, or keep what they have in (Filesystem Hierarchy Standard 3.0, chapter 3).
const SYSTEMS: [&str; 12] = [
    "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/root", "/run", "/sbin", "/tmp", "/usr",
    "/var",
];

/// What is said of a volume that is mounted over what the machine comes with.
pub(super) fn hidden(path: &MountPath) -> Option<String> {
    let path = path.as_str().trim_end_matches('/');
    SYSTEMS
        .contains(&path)
        .then(|| format!("{path} of the machine will be hidden by it"))
}

/// What else the machine has there.
fn mounted(
    machine: &Thing,
    volume: &str,
    path: Option<&MountPath>,
    model: &Model,
) -> Option<String> {
    let usual = volume
        .parse::<Name>()
        .ok()
        .map(|name| MountPath::usual(&name));
    let path = path.cloned().or(usual)?;
    let machine = model.world.machine(machine.key())?;
    let other = machine
        .volumes
        .iter()
        .find(|other| other.mount_path.as_deref() == Some(path.as_str()))?;
    Some(format!("{} is at {path} already", other.name))
}

#[derive(Debug)]
struct Detach {
    machine: Thing,
}

/// Detaches one of a machine's data volumes.
pub(crate) fn detach(machine: &Machine, model: &Model) -> Result<Box<dyn Popup>, String> {
    let data: Vec<&Volume> = machine
        .volumes
        .iter()
        .filter(|volume| volume.role == "data")
        .collect();
    if data.is_empty() {
        return Err(format!("{} has no volume but its own disk", machine.name));
    }
    if !is_off(machine) {
        return Err(format!(
            "{} is {}: volumes are detached while it is off",
            machine.name, machine.status
        ));
    }
    let options = data.iter().map(|volume| {
        let path = volume.mount_path.as_deref().unwrap_or_default();
        Choice::new(&volume.name, format!("{} at {path}", volume.name))
    });
    let hint = "what is on it stays";
    let fields = vec![field::choice("volume", "Volume", hint, options.collect())];
    let machine = machine.into();
    Ok(Form::open(Detach { machine }, fields, model))
}

impl Content for Detach {
    fn title(&self) -> String {
        format!("Detach a volume from {}", self.machine)
    }

    fn go(&self) -> &'static str {
        "Detach"
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let name = values.get("volume");
        let volume = model
            .world
            .volume(name)
            .map_or_else(|| name.into(), Thing::from);
        let machine = self.machine.clone();
        reading.task = Some(Task::Detach { machine, volume });
        reading
    }
}
