//! Reading what was typed into the form that deploys.

use sistemo::machine::{LEAST_MEMORY, MOST_STORAGE};
use sistemo::value::{ByteSize, Name, PortMapping, Variable};
use sistemo::volume::Attachment;

use super::super::attach::{hidden, mount_path};
use super::super::content::Reading;
use super::super::ports;
use super::super::rename::{name, taken};
use super::super::volume::size;
use super::PARTS;
use crate::tui::model::Model;

pub(super) fn free_name(text: &str, has_root: bool, model: &Model) -> Result<Name, String> {
    let name = name(text)?;
    let is_machine = model
        .world
        .machines
        .iter()
        .any(|machine| machine.name == text);
    match taken(text, model) {
        Some(why) if !has_root || is_machine => Err(why),
        _ => Ok(name),
    }
}

pub(super) fn vcpus(text: &str, most: u8) -> Result<u8, String> {
    let read = text.parse::<u8>().ok();
    let fits = read.filter(|count| (1..=most).contains(count));
    fits.ok_or_else(|| format!("a number from 1 to {most}"))
}

pub(super) fn memory(text: &str, model: &Model) -> Result<ByteSize, String> {
    let (total, available) = model.host.memory.unwrap_or((MOST_STORAGE, MOST_STORAGE));
    let most = model.config.max_memory.unwrap_or(total);
    let memory = size(text, LEAST_MEMORY, most)?;
    match memory > available {
        true => Err(format!("only {available} are available now")),
        false => Ok(memory),
    }
}

pub(super) fn mappings(text: &str, model: &Model, reading: &mut Reading) -> Vec<PortMapping> {
    let mut all: Vec<PortMapping> = Vec::new();
    for text in pieces(text) {
        let Some(port) = reading.take("ports", ports::port(text)) else {
            continue;
        };
        let is_same =
            |other: &PortMapping| (other.host, other.protocol) == (port.host, port.protocol);
        if all.iter().any(is_same) {
            reading.wrong("ports", format!("port {} is here twice", port.host));
        } else if let Some(why) = ports::taken(&port, None, model) {
            reading.wrong("ports", why);
        }
        all.push(port);
    }
    all
}

pub(super) fn attachments(text: &str, model: &Model, reading: &mut Reading) -> Vec<Attachment> {
    let mut all: Vec<Attachment> = Vec::new();
    for text in pieces(text) {
        let read = match text.split_once(':') {
            Some(("", _)) => Err("a volume's name is missing before the colon".into()),
            Some((_, path)) => mount_path(path).map(Some),
            None => Ok(None),
        };
        let Some(path) = reading.take("volumes", read) else {
            continue;
        };
        let volume = text.split(':').next().unwrap_or(text).to_owned();
        if all.iter().any(|other| other.volume == volume) {
            reading.wrong("volumes", format!("{volume} is here twice"));
        } else if let Some(why) = no_data(&volume, model) {
            reading.wrong("volumes", why);
        }
        let hides = path.as_ref().and_then(hidden);
        let says = hides.map(|says| ("volumes", format!("{volume}: {says}")));
        reading.told.extend(says);
        all.push(Attachment { volume, path });
    }
    all
}

/// Why a volume cannot be attached.
pub(super) fn no_data(name: &str, model: &Model) -> Option<String> {
    match model.world.volume(name) {
        None => Some(format!("there is no volume {name}")),
        Some(volume) if volume.role != "data" => Some(format!("{name} is a machine's disk")),
        Some(volume) => volume
            .machine
            .as_ref()
            .map(|machine| format!("{name} belongs to {machine}")),
    }
}

pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(PARTS).filter(|piece| !piece.is_empty())
}

pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    shlex::split(text).ok_or_else(|| "a quote is not closed".into())
}

pub(super) fn variables(text: &str) -> Result<Vec<Variable>, String> {
    let here = |name: &str| std::env::var(name).ok();
    let read = |word: String| Variable::parse(&word, &here).map_err(|bad| bad.to_string());
    words(text)?.into_iter().map(read).collect()
}
