//! Deploy: a machine from an image or from a disk that was kept.

mod read;

use std::collections::HashSet;

use sistemo::guest::words::Restart;
use sistemo::image;
use sistemo::machine::{MOST_STORAGE, Request, Wishes};
use sistemo::value::Name;
use sistemo::volume::{LEAST, Volume};

use super::content::{Content, Reading, beginning};
use super::field::{self, Choice, Values};
use super::files::Files;
use super::image::{IMAGE_HINT, image_offers, reference};
use super::rename::NAME_HINT;
use super::volume::size;
use super::{Form, ports};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::task::{Task, typed};
use read::{attachments, free_name, mappings, memory, variables, vcpus, words};

/// What parts the things of a list: typed with either between them.
const PARTS: &[char] = &[',', ' '];
const RESTARTS: [Restart; 3] = [Restart::No, Restart::OnFailure, Restart::Always];

#[derive(Debug)]
struct Deploy {
    /// Whether there are disks to choose from.
    has_roots: bool,
    files: Files,
}

/// The form, with an image or a disk filled in when one is given.
pub(crate) fn deploy(image: Option<&str>, volume: Option<&str>, model: &Model) -> Box<dyn Popup> {
    let mut sources = vec![Choice::new("image", "an image")];
    let roots: Vec<Choice> = roots(model)
        .map(|root| Choice::new(&root.name, &root.name))
        .collect();
    let has_roots = !roots.is_empty();
    if has_roots {
        sources.push(Choice::new("volume", "a disk that was kept"));
    }
    let networks = model.world.networks.iter();
    let networks: Vec<Choice> = networks
        .map(|network| {
            Choice::new(
                &network.name,
                format!("{} ({})", network.name, network.subnet),
            )
        })
        .collect();
    let mut restarts = vec![Choice::new("", "no (applications: when they fail)")];
    let says = |restart: Restart| match restart {
        Restart::No => "no",
        Restart::OnFailure => "when it fails",
        Restart::Always => "always",
    };
    restarts.extend(RESTARTS.map(|restart| Choice::new(restart.as_str(), says(restart))));
    let fields = vec![
        field::choice(
            "from",
            "Boot from",
            "an image, or the disk of a machine that was deleted",
            sources,
        )
        .with(if volume.is_some() { "volume" } else { "image" }),
        field::text("image", "Image", IMAGE_HINT).with(image.unwrap_or_default()),
        field::choice("volume", "Disk", "disks that no machine has", roots)
            .with(volume.unwrap_or_default()),
        field::text("name", "Name", NAME_HINT),
        field::text("vcpus", "Processors", "how many it has"),
        field::text("memory", "Memory", "such as 512M or 2G, from 128M"),
        field::text(
            "storage",
            "Disk size",
            "such as 20G; never smaller than the image, and only taken as it is used",
        ),
        field::choice(
            "network",
            "Network",
            "machines on one network reach each other",
            networks,
        )
        .with("default"),
        field::list(
            "ports",
            "Ports",
            "here:inside, such as 8080:80, 53:53/udp",
            PARTS,
        ),
        field::list(
            "volumes",
            "Volumes",
            "data volumes, each with a path or at /mnt/NAME: photos:/srv/photos",
            PARTS,
        ),
        field::choice(
            "restart",
            "Start again",
            "when it has ended by itself",
            restarts,
        ),
        field::list(
            "env",
            "Variables",
            "for applications: KEY=VALUE, or KEY to take it from here; quoted as in a shell",
            &[' '],
        ),
        field::text(
            "command",
            "Command",
            "what runs instead of the image's own; quoted as in a shell",
        ),
    ];
    let deploy = Deploy {
        has_roots,
        files: Files::default(),
    };
    let first = match (image, volume) {
        (None, None) => "image",
        _ => "name",
    };
    Form::at(first, deploy, fields, model)
}

/// Disks that a machine could boot from.
fn roots(model: &Model) -> impl Iterator<Item = &Volume> {
    let volumes = model.world.volumes.iter();
    volumes.filter(|volume| volume.role == "root" && volume.machine.is_none())
}

fn from_volume(values: Values<'_>) -> bool {
    values.get("from") == "volume"
}

/// What it is called when no name is typed: as the engine names it, by what it is made of.
fn usual_name(values: Values<'_>, model: &Model) -> Option<String> {
    let has_root = from_volume(values);
    let base = match has_root {
        true => {
            let volume = values.get("volume");
            volume.strip_suffix("-root").unwrap_or(volume).to_owned()
        }
        false => match values.get("image") {
            "" => return None,
            text => match model.world.image(text) {
                Some(image) => image.default_machine_name(),
                None => image::machine_name(text),
            },
        },
    };
    let world = &model.world;
    let machines: HashSet<&str> = world
        .machines
        .iter()
        .map(|machine| machine.name.as_str())
        .collect();
    let volumes: HashSet<&str> = world
        .volumes
        .iter()
        .map(|volume| volume.name.as_str())
        .collect();
    let free = |name: &String| {
        let is_taken = machines.contains(name.as_str())
            || (!has_root && volumes.contains(format!("{name}-root").as_str()));
        name.parse::<Name>().is_ok() && !is_taken
    };
    let numbered = (2..10_000).map(|number| format!("{base}-{number}"));
    [base.clone()].into_iter().chain(numbered).find(free)
}

impl Content for Deploy {
    fn title(&self) -> String {
        "Deploy a machine".into()
    }

    fn go(&self) -> &'static str {
        "Deploy"
    }

    fn shows(&self, key: &str, values: Values<'_>) -> bool {
        match key {
            "from" => self.has_roots,
            "image" | "storage" => !from_volume(values),
            "volume" => from_volume(values),
            _ => true,
        }
    }

    fn usual(&self, key: &str, values: Values<'_>, model: &Model) -> Option<String> {
        let config = &model.config;
        Some(match key {
            "name" => usual_name(values, model)?,
            "vcpus" => config.default_vcpus.to_string(),
            "memory" => typed(config.default_memory),
            "storage" => typed(config.default_storage),
            "image" => "debian or nginx".into(),
            _ => return None,
        })
    }

    fn offers(&self, key: &str, piece: &str, values: Values<'_>, model: &Model) -> Vec<String> {
        match key {
            "image" => image_offers(&self.files, piece, model),
            "memory" => beginning(piece, ["256M", "512M", "1G", "2G", "4G", "8G"]),
            "storage" => beginning(piece, ["2G", "5G", "10G", "20G", "50G", "100G"]),
            "ports" => {
                let image = model.world.image(values.get("image"));
                let config = image.and_then(|image| image.config.as_ref());
                let all: Vec<String> = config
                    .map(|config| ports::offered(&config.exposed_ports))
                    .unwrap_or_default();
                beginning(piece, all.iter().map(String::as_str))
            }
            "volumes" => {
                let volumes = model.world.volumes.iter();
                let free =
                    volumes.filter(|volume| volume.role == "data" && volume.machine.is_none());
                beginning(piece, free.map(|volume| volume.name.as_str()))
            }
            _ => Vec::new(),
        }
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let has_root = from_volume(values);
        let mut request = Request::default();
        match (has_root, values.get("image")) {
            (true, _) => request.volume = Some(values.get("volume").into()),
            (false, "") => {
                reading.missing("image", "what to boot is missing: debian, nginx, a file");
            }
            (false, text) => request.image = reading.take("image", reference(text, model)),
        }
        request.name = match values.get("name") {
            "" => None,
            text => reading.take("name", free_name(text, has_root, model)),
        };
        request.vcpus = match values.get("vcpus") {
            "" => None,
            text => reading.take("vcpus", vcpus(text, model.config.max_vcpus)),
        };
        request.memory = match values.get("memory") {
            "" => None,
            text => reading.take("memory", memory(text, model)),
        };
        request.storage = match values.get("storage") {
            _ if has_root => None,
            "" => None,
            text => reading.take("storage", size(text, LEAST, MOST_STORAGE)),
        };
        request.network = match values.get("network") {
            "" | "default" => None,
            text => text.parse().ok(),
        };
        request.expose = mappings(values.get("ports"), model, &mut reading);
        request.attach = attachments(values.get("volumes"), model, &mut reading);
        let mut restarts = RESTARTS.into_iter();
        request.restart = restarts.find(|restart| restart.as_str() == values.get("restart"));
        let env = reading.take("env", variables(values.get("env")));
        let command = reading.take("command", words(values.get("command")));
        request.application = Wishes {
            env: env.unwrap_or_default(),
            command: command.unwrap_or_default(),
            ..Wishes::default()
        };
        let image = request
            .image
            .as_deref()
            .and_then(|image| model.world.image(image));
        let is_system = image.is_some_and(|image| image.config.is_none());
        if is_system
            && request.application.command.is_empty()
            && !request.application.env.is_empty()
        {
            reading.wrong(
                "env",
                "this image has no application that could be given variables",
            );
        }
        if request.image.is_some() || request.volume.is_some() {
            reading.task = Some(Task::Deploy(Box::new(request)));
        }
        reading
    }
}
