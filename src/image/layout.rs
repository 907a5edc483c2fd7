//! OCI layouts: a folder, or an archive of one, with `oci-layout`, `index.json` and blobs by digest (OCI image-spec,
//! image-layout.md).

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use oci_client::client::current_platform_resolver;
use oci_client::manifest::{OciImageIndex, OciImageManifest};
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, Kind};
use super::config::Layering;
use super::layer::Whiteouts;
use super::make::Making;
use super::pipe::Pipe;
use super::{Error, ImageConfig, disk};
use crate::value::ByteSize;

/// The largest index, manifest or configuration (the distribution specification asks registries for 4 MiB).
const DOCUMENT_MAX: u64 = 4 << 20;
/// How many indexes may lead to each other.
const DEPTH: usize = 8;

/// Whether the first entry of an archive is that of an archived layout.
pub(super) fn begins_layout(entry: &[u8]) -> bool {
    let entry = entry.strip_prefix(b"./").unwrap_or(entry);
    let first = entry.split(|b| *b == b'/').next().unwrap_or_default();
    let rest = &entry[first.len()..];
    match first {
        b"oci-layout" | b"index.json" => true,
        b"blobs" => rest.len() <= 1 || rest.starts_with(b"/sha256"),
        _ => false,
    }
}

/// Unpacks an archived layout. Only what a layout is made of is taken.
pub(super) fn unpack(archive: File, to: &Path, cancel: &CancellationToken) -> Result<(), Error> {
    let fail = |source| Error::File {
        what: "write",
        path: to.into(),
        source,
    };
    let blobs = to.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).map_err(fail)?;
    let mut archive = Archive::new(Pipe::of_file(archive).map_err(Error::Damaged)?);
    let mut buffer = vec![0; 256 << 10];
    while let Some(entry) = archive.next().map_err(super::layer::Error::from)? {
        let name = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
        let name = std::str::from_utf8(name).unwrap_or_default();
        let path = match (name, name.strip_prefix("blobs/sha256/")) {
            _ if entry.kind != Kind::File => continue,
            ("index.json", _) => to.join(name),
            (_, Some(hex)) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                blobs.join(hex)
            }
            _ => continue,
        };
        let mut file = File::create(&path).map_err(fail)?;
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            match archive
                .read(&mut buffer)
                .map_err(super::layer::Error::from)?
            {
                0 => break,
                count => file.write_all(&buffer[..count]).map_err(fail)?,
            }
        }
    }
    Ok(())
}

/// Makes a disk of a layout's image for this kind of computer; every blob is checked before it is believed.
pub(super) fn make(
    layout: &Path,
    shown: &Path,
    disk: &Path,
    keep_free: ByteSize,
    cancel: &CancellationToken,
) -> Result<ImageConfig, Error> {
    let (digest, manifest) = manifest(layout, shown)?;
    let config = document(layout, &manifest.config.digest)?;
    let layering = Layering::parse(&config).map_err(Error::Config)?;
    let mut making = Making::begin(
        disk,
        layering.created,
        Whiteouts::Honoured,
        keep_free,
        cancel,
    )?;
    let mut checked: HashMap<&str, PathBuf> = HashMap::new();
    for (number, layer) in manifest.layers.iter().enumerate() {
        let path = match checked.get(layer.digest.as_str()) {
            Some(path) => path.clone(),
            None => blob(layout, &layer.digest)?,
        };
        checked.insert(&layer.digest, path.clone());
        let file = File::open(&path).map_err(|source| Error::File {
            what: "open",
            path,
            source,
        })?;
        let found = making.add_file(file)?;
        check_layer(&layering, number, &found)?;
    }
    check_count(&layering, manifest.layers.len())?;
    making.finish(&digest)?;
    ImageConfig::parse(&config).map_err(Error::Config)
}

/// The uncompressed layer must be the one that the configuration names.
pub(super) fn check_layer(layering: &Layering, number: usize, found: &str) -> Result<(), Error> {
    match layering.diff_ids.get(number) {
        Some(expected) if expected != found => Err(Error::Digest {
            digest: expected.clone(),
        }),
        _ => Ok(()),
    }
}

/// There must be as many layers as the configuration names. (Some old images name none.)
pub(super) fn check_count(layering: &Layering, layers: usize) -> Result<(), Error> {
    let digests = layering.diff_ids.len();
    if digests != 0 && digests != layers {
        return Err(Error::LayerCount { layers, digests });
    }
    Ok(())
}

/// The manifest that the index leads to, and its digest.
fn manifest(layout: &Path, shown: &Path) -> Result<(String, OciImageManifest), Error> {
    let platform = || Error::Platform {
        reference: shown.display().to_string(),
    };
    let path = layout.join("index.json");
    let mut bytes = read(&path)?;
    let mut digest = String::new();
    for _ in 0..DEPTH {
        let Ok(index) = serde_json::from_slice::<OciImageIndex>(&bytes) else {
            return Ok((
                digest,
                serde_json::from_slice(&bytes).map_err(Error::Config)?,
            ));
        };
        let only = (index.manifests.as_slice())
            .first()
            .filter(|_| index.manifests.len() == 1);
        digest = current_platform_resolver(&index.manifests)
            .or_else(|| only.map(|entry| entry.digest.clone()))
            .or_else(|| {
                index
                    .manifests
                    .iter()
                    .find(|e| e.platform.is_none())
                    .map(|e| e.digest.clone())
            })
            .ok_or_else(platform)?;
        bytes = document(layout, &digest)?;
    }
    Err(platform())
}

/// A blob's file, once its bytes are found to be what they should.
fn blob(layout: &Path, digest: &str) -> Result<PathBuf, Error> {
    let wrong = || Error::Digest {
        digest: digest.into(),
    };
    let hex = (digest.strip_prefix("sha256:"))
        .filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .ok_or_else(wrong)?;
    let path = layout.join("blobs/sha256").join(hex);
    if disk::digest(&path)? == digest {
        Ok(path)
    } else {
        Err(wrong())
    }
}

fn document(layout: &Path, digest: &str) -> Result<Vec<u8>, Error> {
    read(&blob(layout, digest)?)
}

/// A document's bytes; what is longer than any should be is cut, and then it is not JSON.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(DOCUMENT_MAX).read_to_end(&mut bytes));
    read.map_err(|source| Error::File {
        what: "read",
        path: path.into(),
        source,
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::begins_layout;

    #[test]
    fn an_archived_layout_is_told_by_its_first_entry() {
        for first in ["blobs/", "./blobs/sha256/ab", "oci-layout", "index.json"] {
            assert!(begins_layout(first.as_bytes()), "{first}");
        }
        for first in ["bin/", "./", "blobs/rain.png", "etc/oci-layout"] {
            assert!(!begins_layout(first.as_bytes()), "{first}");
        }
    }
}
