//! From a name to a bootable disk.
//!
//! A reference is looked for in this order: a path, a URL, the cache, the prebuilt images, a recipe, a container
//! registry. Whatever it is, the outcome is the same: an ext4 disk in the cache, named by the digest of its bytes, never
//! written again, and any number of names that mean it.
//!
//! Archives become a disk in one pass, without a folder in between and without being root:
//!
//! ```text
//! registry ─▶ download (blobs, digests, side by side) ─▶ pipe (decompress, digest; a thread) ─▶ archive (tar entries)
//!          ─▶ layer (whiteouts, links) ─▶ ext4 (blocks of files at once, the rest at the end) ─▶ cache (digest, name)
//! ```
//!
//! The same container image gives the same bytes on every computer: the file system's identity follows from the
//! manifest's digest, its times from the image.
//!
//! ```text
//! images/sha256-HEX.ext4   the disks
//! images/blobs/            layers on their way, kept for a broken download to go on
//! images/work-…/           a build; it is swept up when its process has ended
//! images/builder/          what the builder of Dockerfiles keeps
//! ```

mod archive;
mod build;
mod cache;
mod config;
mod disk;
mod docker_archive;
mod download;
mod error;
mod ext4;
mod furnish;
#[cfg(fuzzing)]
pub mod fuzzing;
mod history;
mod import;
mod layer;
mod layout;
mod make;
mod oci;
mod part;
mod pipe;
mod prebuilt;
mod prune;
mod recipe;
mod registry;
mod resolve;
mod url;
mod using;
mod walk;
mod work;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use build::{BuildArgument, Dockerfile};
pub use config::ImageConfig;
pub use error::Error;
pub use prune::{Prune, Pruned, Removal};
pub use recipe::recipes;
pub use using::Using;

use crate::host::space;
use crate::store::Store;
use crate::value::ByteSize;

/// What the settings say of images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where `index.json` and the disks of prebuilt images lie.
    pub registry_url: Option<String>,
    /// Hosts, or URLs of hosts, asked before the default container registry.
    pub registry_mirrors: Vec<String>,
    /// The folder with docker's `config.json`; by default `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// What stays free on the disk that the images are on.
    pub keep_free: ByteSize,
}

/// The images of a data directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Images {
    dir: PathBuf,
    store: Store,
    options: Options,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Image {
    /// The first of `names`, or the digest.
    pub name: String,
    pub names: Vec<String>,
    /// `sha256:` and the digest of the disk's bytes.
    pub digest: String,
    /// The disk's size in bytes, holes included.
    #[serde(rename = "size_bytes")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub size: ByteSize,
    /// What it takes of the host's disk, in bytes.
    #[serde(rename = "used_bytes")]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub used: ByteSize,
    /// Where it came from.
    pub source: String,
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub path: PathBuf,
    /// What an application image runs; `null` for one with an operating system.
    pub config: Option<ImageConfig>,
    pub created_at: String,
}

impl Image {
    /// A machine's name when its user gives none: the last part of the image's name, as far as it can be one.
    pub fn default_machine_name(&self) -> String {
        machine_name(&self.name)
    }
}

/// What a machine of the image of that name, file or URL is called when its user gives it no name.
pub fn machine_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    let stem = name
        .split([':', '@', '.', '?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let plain = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            c
        } else {
            '-'
        }
    };
    let text: String = stem.chars().map(plain).take(50).collect();
    match text.trim_matches('-') {
        "" => "machine".into(),
        text => text.into(),
    }
}

impl Images {
    /// Opens the cache in `dir`, which is there, and removes what killed builds left in it.
    pub fn open(dir: &Path, store: Store, options: Options) -> Result<Images, Error> {
        let images = Images {
            dir: dir.into(),
            store,
            options,
        };
        images.sweep()?;
        Ok(images)
    }

    /// Refuses when writing that many bytes would leave less free than the settings say.
    fn check_space(&self, needed: u64) -> Result<(), Error> {
        let needed = ByteSize::bytes(needed);
        Ok(space::check(&self.dir, needed, self.options.keep_free)?)
    }
}

#[cfg(test)]
mod tests;
