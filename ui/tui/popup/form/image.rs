//! Images: pulled, built, and removed when nothing needs them.

use std::collections::HashSet;
use std::path::PathBuf;

use sistemo::image::{Image, recipes};
use sistemo::value::ByteSize;

use super::Form;
use super::content::{Content, Reading, beginning};
use super::field::{self, Values};
use super::files::{Files, expanded, is_path};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::popup::dialog::listed;
use crate::tui::task::Task;

pub(super) const IMAGE_HINT: &str =
    "a recipe (debian:trixie), a container image (nginx), a file or a URL";
/// Container images that many use.
const KNOWN: [&str; 7] = [
    "alpine", "nginx", "postgres", "redis", "caddy", "python", "ubuntu",
];
/// What could be typed for an image: those that are here first.
pub(super) fn image_offers(files: &Files, piece: &str, model: &Model) -> Vec<String> {
    if is_path(piece) {
        return files.offers(piece);
    }
    let here = model.world.images.iter().flat_map(|image| &image.names);
    let here: Vec<&str> = here.map(String::as_str).collect();
    let recipes: Vec<String> = recipes().collect();
    let known = recipes.iter().map(String::as_str).chain(KNOWN);
    let known = known.filter(|name| !here.contains(name));
    beginning(piece, here.iter().copied().chain(known))
}

/// Reads what is to be booted.
pub(super) fn reference(text: &str, model: &Model) -> Result<String, String> {
    if is_path(text) {
        return match expanded(text).exists() {
            true => Ok(text.into()),
            false => Err("there is no such file here".into()),
        };
    }
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    let is_name = text.parse::<oci_client::Reference>().is_ok();
    match is_url || is_name || model.world.image(text).is_some() {
        true => Ok(text.into()),
        false if text.chars().any(char::is_uppercase) => {
            Err("images are called in small letters".into())
        }
        false => Err("an image is debian, nginx:1.29, a file or a URL".into()),
    }
}

#[derive(Debug)]
struct Pull(Files);

pub(crate) fn pull(model: &Model) -> Box<dyn Popup> {
    let hint = "a recipe (debian:trixie), a container image (nginx) or a URL";
    let fields = vec![field::text("image", "Image", hint)];
    Form::open(Pull(Files::default()), fields, model)
}

impl Content for Pull {
    fn title(&self) -> String {
        "Pull an image".into()
    }

    fn go(&self) -> &'static str {
        "Pull"
    }

    fn offers(&self, _key: &str, piece: &str, _values: Values<'_>, model: &Model) -> Vec<String> {
        image_offers(&self.0, piece, model)
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        match values.get("image") {
            "" => reading.missing("image", "what to pull is missing"),
            text => {
                reading.task = reading
                    .take("image", reference(text, model))
                    .map(Task::Pull);
            }
        }
        reading
    }
}

#[derive(Debug)]
struct Build(Files);

pub(crate) fn build(model: &Model) -> Box<dyn Popup> {
    let fields = vec![
        field::text(
            "what",
            "Of",
            "a recipe (debian:trixie), an image (node:20) or a Dockerfile's folder (./app)",
        ),
        field::text(
            "file",
            "Dockerfile",
            "when it is not Containerfile or Dockerfile in the folder",
        ),
        field::text("name", "Name", "what the image is called"),
    ];
    Form::open(Build(Files::default()), fields, model)
}

/// The folder that is to be built, when what was typed is one.
fn folder(text: &str) -> Option<PathBuf> {
    let is_folder = matches!(text, "." | "..") || is_path(text);
    let path = expanded(text);
    (is_folder && path.is_dir() && !path.join("oci-layout").is_file()).then_some(path)
}

impl Content for Build {
    fn title(&self) -> String {
        "Build an image".into()
    }

    fn go(&self) -> &'static str {
        "Build"
    }

    fn shows(&self, key: &str, values: Values<'_>) -> bool {
        key != "file" || folder(values.get("what")).is_some()
    }

    fn usual(&self, key: &str, values: Values<'_>, _model: &Model) -> Option<String> {
        match key {
            "name" if folder(values.get("what")).is_some() => Some("as the folder".into()),
            "name" => Some("as what it is made of".into()),
            "what" => Some("debian, node:20, ./app".into()),
            _ => None,
        }
    }

    fn offers(&self, key: &str, piece: &str, _values: Values<'_>, model: &Model) -> Vec<String> {
        match key {
            "what" => image_offers(&self.0, piece, model),
            "file" => self.0.offers(piece),
            _ => Vec::new(),
        }
    }

    fn read(&self, values: Values<'_>, model: &Model) -> Reading {
        let mut reading = Reading::default();
        let name = match values.get("name") {
            "" => None,
            text if text.parse::<oci_client::Reference>().is_err() => {
                reading.wrong(
                    "name",
                    "an image is called mine, mine:1 or team/mine, in small letters",
                );
                None
            }
            text => Some(text.to_owned()),
        };
        let text = values.get("what");
        if text.is_empty() {
            reading.missing("what", "what to build is missing");
            return reading;
        }
        reading.task = match folder(text) {
            Some(folder) => {
                let file = values.get("file");
                let file = (!file.is_empty()).then(|| expanded(file));
                Some(Task::BuildDockerfile { folder, file, name })
            }
            None => {
                let reference = reading.take("what", reference(text, model));
                reference.map(|reference| Task::Build { reference, name })
            }
        };
        reading
    }
}

#[derive(Debug)]
struct Prune;

/// Asks which images go, and says which those are.
pub(crate) fn prune(model: &Model) -> Box<dyn Popup> {
    let hint = "images without a name, broken downloads and the build cache go in any case";
    let fields = vec![field::toggle(
        "all",
        "All that no machine was made of",
        hint,
    )];
    Form::open(Prune, fields, model)
}

/// Images that no machine was made of. Whether a disk that was kept was is not known here, and looked at when they go.
fn unused(all: bool, model: &Model) -> Vec<&Image> {
    let used: HashSet<&str> = model
        .world
        .machines
        .iter()
        .filter_map(|machine| machine.image_digest.as_deref())
        .collect();
    let images = model.world.images.iter();
    images
        .filter(|image| (all || image.names.is_empty()) && !used.contains(image.digest.as_str()))
        .collect()
}

impl Content for Prune {
    fn title(&self) -> String {
        "Remove what nothing needs".into()
    }

    fn go(&self) -> &'static str {
        "Remove"
    }

    fn notes(&self, values: Values<'_>, model: &Model) -> Vec<String> {
        let images = unused(values.is_on("all"), model);
        if images.is_empty() {
            return vec!["No image goes.".into()];
        }
        let bytes = images.iter().map(|image| image.used.as_u64()).sum();
        let word = if images.len() == 1 {
            "image goes"
        } else {
            "images go"
        };
        let mut notes = vec![format!(
            "{} {word}, {} become free:",
            images.len(),
            ByteSize::bytes(bytes)
        )];
        let lines: Vec<String> = images
            .iter()
            .map(|image| format!("{}, {}", image.name, image.used))
            .collect();
        notes.extend(listed(&lines, usize::MAX, 6));
        let kept = model
            .world
            .volumes
            .iter()
            .any(|volume| volume.role == "root" && volume.machine.is_none());
        notes.extend(kept.then(|| "Those that a kept disk was made of stay.".into()));
        notes
    }

    fn read(&self, values: Values<'_>, _model: &Model) -> Reading {
        Reading {
            task: Some(Task::Prune {
                all: values.is_on("all"),
            }),
            ..Reading::default()
        }
    }
}
