//! What a shell is offered for a half-typed word: names out of the store, read without changing anything.

use std::ffi::OsStr;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use sistemo::config::Config;
use sistemo::store::Store;

/// Names of machines.
pub(crate) fn machines() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let machines = store().and_then(|store| store.machines().ok());
        let machines = machines.into_iter().flatten();
        offer(
            current,
            machines.map(|row| (row.name.to_string(), row.status.to_string())),
        )
    })
}

/// Paths of this computer, and names of machines with a colon, behind which a path of theirs follows.
pub(crate) fn places() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let mut offered = PathCompleter::any().complete(current);
        let machines = store().and_then(|store| store.machines().ok());
        let machines = machines.into_iter().flatten();
        let machines = machines.map(|row| (format!("{}:", row.name), row.status.to_string()));
        offered.extend(offer(current, machines));
        offered
    })
}

/// Names of volumes.
pub(crate) fn volumes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let volumes = store().and_then(|store| store.volumes().ok());
        let volumes = volumes.into_iter().flatten();
        offer(
            current,
            volumes.map(|row| (row.name.to_string(), format!("{}, {}", row.role, row.size))),
        )
    })
}

/// Names of snapshots, whichever machine they are of.
pub(crate) fn snapshots() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let snapshots = store().and_then(|store| store.snapshots(None).ok());
        let snapshots = snapshots.into_iter().flatten();
        offer(
            current,
            snapshots.map(|row| (row.name.to_string(), row.taken.machine.to_string())),
        )
    })
}

/// Snapshots with their machines, as `MACHINE/SNAPSHOT`.
pub(crate) fn origins() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(store) = store() else {
            return Vec::new();
        };
        let machines = store.machines().unwrap_or_default();
        let snapshots = store.snapshots(None).unwrap_or_default();
        let origin = |row: sistemo::store::snapshots::SnapshotRow| {
            let machine = machines
                .iter()
                .find(|machine| Some(machine.id) == row.machine)?;
            Some((format!("{}/{}", machine.name, row.name), row.created_at))
        };
        offer(current, snapshots.into_iter().filter_map(origin))
    })
}

/// Names of images that are here, and of the recipes.
pub(crate) fn images() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let recipes = sistemo::image::recipes().map(|name| (name, "recipe".to_string()));
        let images = store().and_then(|store| store.image_names().ok());
        let images = images.into_iter().flatten();
        let mut all: Vec<_> = images.map(|name| (name, "image".to_string())).collect();
        for recipe in recipes {
            if !all.iter().any(|(name, _)| *name == recipe.0) {
                all.push(recipe);
            }
        }
        offer(current, all.into_iter())
    })
}

/// Names of networks.
pub(crate) fn networks() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let networks = store().and_then(|store| store.networks().ok());
        let networks = networks.into_iter().flatten();
        offer(
            current,
            networks.map(|row| (row.name.to_string(), row.subnet.to_string())),
        )
    })
}

/// Names of settings.
pub(crate) fn settings() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        offer(
            current,
            Config::keys().map(|(key, meaning)| (key.to_string(), meaning.to_string())),
        )
    })
}

/// Those that begin as typed, each with a word about it.
fn offer(current: &OsStr, all: impl Iterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    all.filter(|(name, _)| name.starts_with(&*current))
        .map(|(name, about)| CompletionCandidate::new(name).help(Some(about.into())))
        .collect()
}

/// The store, if there is one: completing a word makes nothing. `--data-dir` on the half-typed line is not heeded.
fn store() -> Option<Store> {
    let config = Config::load(None, &|key| std::env::var(key).ok()).ok()?;
    let path = sistemo::machine::Paths::new(&config.data_dir).database();
    path.exists().then(|| Store::open(&path).ok())?
}
