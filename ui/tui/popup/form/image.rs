//! Images: pulled, built, and removed when nothing needs them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sistemo::image::Image;
use sistemo::value::ByteSize;

use super::Form;
use super::content::{Content, Reading, beginning};
use super::field::{self, Values};
use crate::tui::model::Model;
use crate::tui::popup::Popup;
use crate::tui::popup::dialog::listed;
use crate::tui::task::Task;

pub(super) const IMAGE_HINT: &str =
    "a recipe (debian:trixie), a container image (nginx), a file or a URL";
/// Recipes, and container images that many use.
const KNOWN: [&str; 10] = [
    "debian",
    "debian:bookworm",
    "debian:trixie",
    "alpine",
    "nginx",
    "postgres",
    "redis",
    "caddy",
    "python",
    "ubuntu",
];
/// How a path begins that is not a name.
const PATHS: [&str; 4] = ["/", "./", "../", "~/"];
/// The most files of a folder that are offered.
const FILES: usize = 20;

/// What could be typed for an image: those that are here first.
pub(super) fn image_offers(piece: &str, model: &Model) -> Vec<String> {
    if PATHS.iter().any(|begin| piece.starts_with(begin)) {
        return files(piece);
    }
    let here = model.world.images.iter().flat_map(|image| &image.names);
    let here: Vec<&str> = here.map(String::as_str).collect();
    let known = KNOWN.into_iter().filter(|name| !here.contains(name));
    beginning(piece, here.iter().copied().chain(known))
}

/// What the folder of a half-typed path holds.
fn files(piece: &str) -> Vec<String> {
    let cut = piece.rfind('/').map_or(0, |at| at + 1);
    let (folder, begin) = piece.split_at(cut);
    let entries = std::fs::read_dir(expanded(folder))
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_offered =
                name.starts_with(begin) && (!name.starts_with('.') || !begin.is_empty());
            let end = if entry.path().is_dir() { "/" } else { "" };
            is_offered.then(|| format!("{folder}{name}{end}"))
        })
        .collect();
    files.sort();
    files.truncate(FILES);
    files
}

/// The path that is meant: `~` is the user's own folder.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.into(),
    }
}

/// Reads what is to be booted.
pub(super) fn reference(text: &str, model: &Model) -> Result<String, String> {
    if PATHS.iter().any(|begin| text.starts_with(begin)) {
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
struct Pull;

pub(crate) fn pull(model: &Model) -> Box<dyn Popup> {
    let hint = "a recipe (debian:trixie), a container image (nginx) or a URL";
    let fields = vec![field::text("image", "Image", hint)];
    Form::open(Pull, fields, model)
}

impl Content for Pull {
    fn title(&self) -> String {
        "Pull an image".into()
    }

    fn go(&self) -> &'static str {
        "Pull"
    }

    fn offers(&self, _key: &str, piece: &str, _values: Values<'_>, model: &Model) -> Vec<String> {
        image_offers(piece, model)
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
struct Build;

pub(crate) fn build(model: &Model) -> Box<dyn Popup> {
    let fields = vec![
        field::text(
            "what",
            "Of",
            "a recipe (debian:trixie), a container image, or a folder with a Dockerfile: ./app",
        ),
        field::text(
            "file",
            "Dockerfile",
            "when it is not Containerfile or Dockerfile in the folder",
        ),
        field::text("name", "Name", "what the image is called"),
    ];
    Form::open(Build, fields, model)
}

/// The folder that is to be built, when what was typed is one.
fn folder(text: &str) -> Option<PathBuf> {
    let is_path = matches!(text, "." | "..") || PATHS.iter().any(|begin| text.starts_with(begin));
    let path = expanded(text);
    (is_path && path.is_dir() && !path.join("oci-layout").is_file()).then_some(path)
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
            "what" => image_offers(piece, model),
            "file" => files(piece),
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
