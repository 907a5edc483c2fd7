//! Removing what nothing needs: images that lost their names, those that no machine was made of when all are asked for,
//! downloads that broke off, and what the builder of Dockerfiles keeps.
//!
//! It takes nothing from anybody at work. An image that a machine is being made of is locked, a download is locked, and
//! the builder's store is. What was found is looked at again under its lock before it goes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::build;
use super::download::BLOBS;
use super::{Error, Images, using, work};
use crate::host::space;
use crate::store::images::ImageRow;
use crate::value::ByteSize;

/// What is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Also images that have a name, when no machine and no volume was made of them.
    pub all: bool,
}

/// What a removal is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pruned {
    Image,
    /// A layer that is here in part or whole.
    Download,
    BuildCache,
}

/// Something that is removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Removal {
    pub kind: Pruned,
    /// An image's first name, or its digest; a download's file.
    pub name: String,
    pub digest: Option<String>,
    /// What it takes of the host's disk.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub bytes: ByteSize,
    #[serde(skip)]
    path: PathBuf,
}

impl Images {
    /// What [`Images::prune`] would remove now.
    pub fn prunable(&self, what: Prune) -> Result<Vec<Removal>, Error> {
        let needed = self.store.image_digests_in_use()?;
        let images = self.store.images()?.into_iter();
        let mut found: Vec<Removal> = images
            .filter(|row| goes(row, what, &needed))
            .filter_map(|row| {
                let path = self.path(&row.digest);
                // Somebody counts on it now.
                using::to_remove(&path).ok()??;
                Some(Removal {
                    kind: Pruned::Image,
                    name: row.names.first().unwrap_or(&row.digest).clone(),
                    bytes: ByteSize::bytes(space::used(&path)),
                    digest: Some(row.digest),
                    path,
                })
            })
            .collect();
        let entries = std::fs::read_dir(self.dir.join(BLOBS)).into_iter();
        for path in entries.flatten().flatten().map(|entry| entry.path()) {
            if unlocked(&path).is_some() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                found.push(Removal {
                    kind: Pruned::Download,
                    name: name.into_owned(),
                    digest: None,
                    bytes: ByteSize::bytes(space::used(&path)),
                    path,
                });
            }
        }
        if let Some((path, _alone)) = self.build_cache()? {
            found.push(Removal {
                kind: Pruned::BuildCache,
                name: "build cache".into(),
                digest: None,
                bytes: ByteSize::bytes(space::used(&path)),
                path,
            });
        }
        Ok(found)
    }

    /// Removes what nothing needs, and says what that was.
    pub async fn prune(&self, what: Prune) -> Result<Vec<Removal>, Error> {
        let begun = Instant::now();
        let mut gone = Vec::new();
        let outcome = self.prune_into(what, &mut gone).await;
        if !gone.is_empty() || outcome.is_err() {
            self.note("prune", "", begun, &outcome);
        }
        outcome.map(|()| gone)
    }

    async fn prune_into(&self, what: Prune, gone: &mut Vec<Removal>) -> Result<(), Error> {
        for found in self.prunable(what)? {
            let removed = match found.kind {
                Pruned::Image => self.prune_image(&found, what)?,
                Pruned::Download => match unlocked(&found.path) {
                    Some(_lock) => remove(&found.path)?,
                    None => false,
                },
                Pruned::BuildCache => match self.build_cache()? {
                    Some((folder, _alone)) => {
                        build::remove_cache(&folder).await?;
                        true
                    }
                    None => false,
                },
            };
            if removed {
                gone.push(found);
            }
        }
        Ok(())
    }

    /// Removes an image, unless it is needed by now.
    fn prune_image(&self, found: &Removal, what: Prune) -> Result<bool, Error> {
        let Some(digest) = &found.digest else {
            return Ok(false);
        };
        let _cache = work::lock_cache(&self.dir)?;
        let Some(_lock) = using::to_remove(&found.path)? else {
            return Ok(false);
        };
        let needed = self.store.image_digests_in_use()?;
        let rows = self.store.images_like(digest)?;
        match rows.first() {
            Some(row) if goes(row, what, &needed) => self.remove_image(digest)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn goes(row: &ImageRow, what: Prune, needed: &HashSet<String>) -> bool {
    (what.all || row.names.is_empty()) && !needed.contains(&row.digest)
}

/// The lock of a download's file, when nobody is at it.
fn unlocked(path: &Path) -> Option<Flock<std::fs::File>> {
    let file = std::fs::File::open(path).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

fn remove(path: &Path) -> Result<bool, Error> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::File {
            what: "remove",
            path: path.into(),
            source,
        }),
    }
}
