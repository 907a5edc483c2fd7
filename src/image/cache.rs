//! The cache: disks by the digest of their bytes, and names.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::download::BLOBS;
use super::{Error, Image, ImageConfig, Images, disk, using, work};
use crate::fault;
use crate::store::images::ImageRow;
use crate::store::{self, LEAST_PREFIX};
use crate::value::{ByteSize, without_secrets};

/// How long a download may lie before nobody will go on with it.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Images {
    /// Every image, the newest first.
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        self.store
            .images()?
            .into_iter()
            .map(|row| self.image(row))
            .collect()
    }

    /// The image of that name, of that digest, or the only one whose digest begins so.
    pub fn find(&self, text: &str) -> Result<Image, Error> {
        let row = match self.store.image_named(&without_secrets(text))? {
            Some(row) => row,
            None => {
                let mut found = self.store.images_like(text)?;
                let digits = text.strip_prefix("sha256:").unwrap_or(text);
                let plausible =
                    digits.len() >= LEAST_PREFIX && digits.bytes().all(|b| b.is_ascii_hexdigit());
                match (found.pop(), found.is_empty()) {
                    (Some(row), true) if plausible => row,
                    (Some(_), false) if plausible => return Err(Error::Ambiguous(text.into())),
                    _ => return Err(Error::Unknown(text.into())),
                }
            }
        };
        self.image(row)
    }

    /// Takes a name away; with its last name, or when named by its digest, the image goes. Machines keep their disks,
    /// which are copies.
    pub fn delete(&self, text: &str) -> Result<(), Error> {
        let _lock = work::lock_cache(&self.dir)?;
        let image = self.find(text)?;
        let begun = Instant::now();
        let deleted = self.delete_found(text, image);
        self.note("delete", text, begun, &deleted);
        deleted
    }

    fn delete_found(&self, text: &str, image: Image) -> Result<(), Error> {
        if image.names.iter().any(|name| name == text) && image.names.len() > 1 {
            return Ok(self.store.remove_image_name(text)?);
        }
        match using::to_remove(&image.path)? {
            Some(_lock) => self.remove_image(&image.digest),
            None => Err(Error::InUse(image.name)),
        }
    }

    /// Removes an image with all its names, and its disk. The caller holds the locks of both.
    pub(super) fn remove_image(&self, digest: &str) -> Result<(), Error> {
        let path = self.path(digest);
        fault("image-delete", "before")?;
        self.store.remove_image(digest)?;
        fault("image-delete", "between")?;
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::File {
                what: "remove",
                path,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// The image of that name, when it is here with its disk.
    pub(super) fn cached(&self, name: &str) -> Result<Option<Image>, Error> {
        let Some(row) = self.store.image_named(name)? else {
            return Ok(None);
        };
        let image = self.image(row)?;
        Ok(Some(image).filter(|image| image.path.exists()))
    }

    /// Takes a finished disk into the cache under these names. The disk is moved.
    pub(super) fn keep(
        &self,
        made: &Path,
        names: &[String],
        source: &str,
        config: Option<ImageConfig>,
    ) -> Result<Image, Error> {
        let digest = disk::digest(made)?;
        let path = self.path(&digest);
        let fail = |source| Error::File {
            what: "keep",
            path: path.clone(),
            source,
        };
        let size = made.metadata().map_err(fail)?.len();
        // What has this digest for a name must have these bytes, even when the host fails the next moment.
        File::open(made)
            .and_then(|file| file.sync_all())
            .map_err(fail)?;
        std::fs::set_permissions(made, PermissionsExt::from_mode(0o400)).map_err(fail)?;
        let config = config.as_ref().map(ImageConfig::to_json).transpose()?;
        let row = ImageRow {
            digest: digest.clone(),
            size: ByteSize::bytes(size),
            source: source.into(),
            config,
            created_at: store::now(),
            names: names.to_vec(),
        };
        let _lock = work::lock_cache(&self.dir)?;
        // One with the same bytes that a machine is being made of stays where it is.
        fault("image-keep", "before")?;
        if using::to_remove(&path)?.is_some() {
            std::fs::rename(made, &path).map_err(fail)?;
        }
        fault("image-keep", "between")?;
        self.store.put_image(&row)?;
        fault("image-keep", "after")?;
        self.find(&digest)
    }

    /// Removes disks that no row knows, left by a process killed between the two, and downloads that nobody went on
    /// with.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        let _lock = work::lock_cache(&self.dir)?;
        work::sweep(&self.dir);
        let fail = |source| Error::File {
            what: "read",
            path: self.dir.clone(),
            source,
        };
        for entry in std::fs::read_dir(&self.dir).map_err(fail)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hex = name
                .strip_prefix("sha256-")
                .and_then(|name| name.strip_suffix(".ext4"));
            if let Some(hex) = hex
                && self.store.images_like(hex)?.is_empty()
            {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        for entry in std::fs::read_dir(self.dir.join(BLOBS))
            .into_iter()
            .flatten()
            .flatten()
        {
            if work::is_older(&entry.path(), STALE) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{}.ext4", digest.replace(':', "-")))
    }

    fn image(&self, row: ImageRow) -> Result<Image, Error> {
        use std::os::unix::fs::MetadataExt;
        let path = self.path(&row.digest);
        let used = path
            .metadata()
            .map(|meta| meta.blocks() * 512)
            .unwrap_or_default();
        let config = row.config.as_deref().map(ImageConfig::from_json);
        Ok(Image {
            name: row
                .names
                .first()
                .cloned()
                .unwrap_or_else(|| row.digest.clone()),
            names: row.names,
            digest: row.digest,
            size: row.size,
            used: ByteSize::bytes(used),
            source: row.source,
            path,
            config: config.transpose()?,
            created_at: row.created_at,
        })
    }
}

/// A moment at which tests kill this process, or have it fail.
fn fault(what: &'static str, when: &str) -> Result<(), Error> {
    match fault::is_wished(what, when) {
        true => Err(Error::Fault(what)),
        false => Ok(()),
    }
}
