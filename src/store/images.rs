//! Rows of `images` and `image_names`.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};

use super::{Error, Store};
use crate::value::ByteSize;

/// An image as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRow {
    /// `sha256:` and the digest of the disk's bytes.
    pub digest: String,
    /// The disk's size, holes included.
    pub size: ByteSize,
    pub source: String,
    /// JSON, of an application image.
    pub config: Option<String>,
    pub created_at: String,
    /// Names that mean it now, in alphabetical order.
    pub names: Vec<String>,
}

const QUERY: &str = "SELECT digest, size_bytes, source, config, created_at, \
     (SELECT group_concat(name, char(10)) FROM image_names WHERE image_names.digest = images.digest) \
     AS names FROM images";

fn from_row(row: &Row<'_>) -> rusqlite::Result<ImageRow> {
    let names: Option<String> = row.get("names")?;
    let mut names: Vec<String> = names
        .iter()
        .flat_map(|names| names.lines())
        .map(ToString::to_string)
        .collect();
    names.sort();
    Ok(ImageRow {
        digest: row.get("digest")?,
        size: ByteSize::bytes(row.get::<_, i64>("size_bytes")?.cast_unsigned()),
        source: row.get("source")?,
        config: row.get("config")?,
        created_at: row.get("created_at")?,
        names,
    })
}

impl Store {
    /// Adds an image, or a name to one that is there; a name that meant another moves here.
    pub fn put_image(&self, row: &ImageRow) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT INTO images (digest, size_bytes, source, config, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (digest) DO UPDATE SET \
             source = excluded.source, config = excluded.config",
            params![
                row.digest,
                row.size.as_u64().cast_signed(),
                row.source,
                row.config,
                row.created_at
            ],
        )?;
        for name in &row.names {
            transaction.execute(
                "INSERT INTO image_names (name, digest) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET digest = excluded.digest",
                [name, &row.digest],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Every image, the newest first.
    pub fn images(&self) -> Result<Vec<ImageRow>, Error> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached(&format!("{QUERY} ORDER BY created_at DESC, digest"))?;
        let rows = query.query_map([], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The image of that name.
    pub fn image_named(&self, name: &str) -> Result<Option<ImageRow>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "{QUERY} WHERE digest = (SELECT digest FROM image_names WHERE name = ?1)"
        ))?;
        Ok(query.query_row([name], from_row).optional()?)
    }

    /// Images whose digest begins so, with `sha256:` in front or without; two at most.
    pub fn images_like(&self, digest: &str) -> Result<Vec<ImageRow>, Error> {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let connection = self.lock();
        let mut query = connection.prepare_cached(&format!(
            "{QUERY} WHERE substr(digest, 8, length(?1)) = lower(?1) LIMIT 2"
        ))?;
        let rows = query.query_map([digest], from_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Every name that means an image, in order.
    pub fn image_names(&self) -> Result<Vec<String>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT name FROM image_names ORDER BY name")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Has a name mean an image.
    pub fn add_image_name(&self, name: &str, digest: &str) -> Result<(), Error> {
        self.lock().execute(
            "INSERT INTO image_names (name, digest) VALUES (?1, ?2) \
             ON CONFLICT (name) DO UPDATE SET digest = excluded.digest",
            [name, digest],
        )?;
        Ok(())
    }

    /// Digests of the images that machines and kept root volumes were made of.
    pub fn image_digests_in_use(&self) -> Result<HashSet<String>, Error> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT image_digest FROM machines WHERE image_digest IS NOT NULL \
             UNION SELECT image_digest FROM volumes WHERE image_digest IS NOT NULL",
        )?;
        let digests = query.query_map([], |row| row.get(0))?;
        Ok(digests.collect::<rusqlite::Result<_>>()?)
    }

    /// Takes a name away.
    pub fn remove_image_name(&self, name: &str) -> Result<(), Error> {
        self.lock()
            .execute("DELETE FROM image_names WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Takes an image away with all its names.
    pub fn remove_image(&self, digest: &str) -> Result<(), Error> {
        self.lock()
            .execute("DELETE FROM images WHERE digest = ?1", [digest])?;
        Ok(())
    }
}
