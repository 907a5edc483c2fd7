//! Archives of `docker save` before it wrote OCI layouts, and of tools that still write its form: a `manifest.json` that
//! names a configuration and layers, each a tar archive in the archive.
//!
//! Entries are unpacked under numbers, never under names of their own; a link is only ever followed to another entry.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, Kind};
use super::config::Layering;
use super::layer::Whiteouts;
use super::make::Making;
use super::pipe::Pipe;
use super::{Error, ImageConfig, layout};
use crate::value::ByteSize;

const MANIFEST: &str = "manifest.json";
/// How many links may lead to each other.
const LINKS_MAX: usize = 8;

/// Whether the first entry of an archive is that of such an archive: a layer, a configuration or a list by name.
pub(super) fn begins(entry: &[u8]) -> bool {
    let entry = entry.strip_prefix(b"./").unwrap_or(entry);
    if entry == MANIFEST.as_bytes() || entry == b"repositories" {
        return true;
    }
    let digits = entry.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    digits == 64
        && matches!(
            &entry[64..],
            b"" | b"/" | b".tar" | b".json" | b"/layer.tar"
        )
}

/// One image of the manifest.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    layers: Vec<String>,
}

/// An archive's entries: files by number, and links.
struct Unpacked {
    files: HashMap<String, PathBuf>,
    links: HashMap<String, String>,
}

/// Makes a disk of the archive's image; `folder` is a new one to unpack in.
pub(super) fn make(
    archive: File,
    folder: &Path,
    disk: &Path,
    keep_free: ByteSize,
    cancel: &CancellationToken,
) -> Result<ImageConfig, Error> {
    let entries = unpack(archive, folder, cancel)?;
    let list = layout::read(entries.find(MANIFEST)?)?;
    let list: Vec<Listed> = serde_json::from_slice(&list).map_err(Error::Config)?;
    let image = match list.as_slice() {
        [image] => image,
        _ => return Err(Error::SeveralImages(list.len())),
    };
    let config = layout::read(entries.find(&image.config)?)?;
    let layering = Layering::parse(&config).map_err(Error::Config)?;
    // Without these digests nothing would say what the layers should be.
    if layering.diff_ids.len() != image.layers.len() {
        return Err(Error::LayerCount {
            layers: image.layers.len(),
            digests: layering.diff_ids.len(),
        });
    }
    let mut making = Making::begin(
        disk,
        layering.created,
        Whiteouts::Honoured,
        keep_free,
        cancel,
    )?;
    for (number, layer) in image.layers.iter().enumerate() {
        let path = entries.find(layer)?;
        let file = File::open(path).map_err(|source| Error::File {
            what: "open",
            path: path.into(),
            source,
        })?;
        let found = making.add_file(file)?;
        layout::check_layer(&layering, number, &found)?;
    }
    making.finish(&layering.diff_ids.join(" "))?;
    ImageConfig::parse(&config).map_err(Error::Config)
}

impl Unpacked {
    /// The file of an entry, through links to other entries.
    fn find(&self, name: &str) -> Result<&Path, Error> {
        let mut at = name;
        for _ in 0..LINKS_MAX {
            if let Some(path) = self.files.get(at) {
                return Ok(path);
            }
            match self.links.get(at) {
                Some(target) => at = target,
                None => break,
            }
        }
        Err(Error::NoEntry(name.into()))
    }
}

fn unpack(archive: File, folder: &Path, cancel: &CancellationToken) -> Result<Unpacked, Error> {
    let fail = |source| Error::File {
        what: "write",
        path: folder.into(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    let mut unpacked = Unpacked {
        files: HashMap::new(),
        links: HashMap::new(),
    };
    let mut archive = Archive::new(Pipe::of_file(archive).map_err(Error::Damaged)?);
    let mut buffer = vec![0; 256 << 10];
    while let Some(entry) = archive.next().map_err(super::layer::Error::from)? {
        let name = plain(&String::from_utf8_lossy(&entry.path));
        match &entry.kind {
            Kind::Symlink { target } => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = String::from_utf8_lossy(target);
                let target = plain(&format!("{folder}/{target}"));
                unpacked.links.insert(name, target);
            }
            Kind::HardLink { target } => {
                let target = plain(&String::from_utf8_lossy(target));
                unpacked.links.insert(name, target);
            }
            Kind::File => {
                let path = folder.join(unpacked.files.len().to_string());
                let mut file = File::create(&path).map_err(fail)?;
                loop {
                    if cancel.is_cancelled() {
                        return Err(Error::Cancelled);
                    }
                    let read = archive.read(&mut buffer);
                    match read.map_err(super::layer::Error::from)? {
                        0 => break,
                        count => file.write_all(&buffer[..count]).map_err(fail)?,
                    }
                }
                unpacked.files.insert(name, path);
            }
            _ => {}
        }
    }
    Ok(unpacked)
}

/// A name without `.` and `..`, which end at the top of the archive.
fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_by_its_first_entry() {
        let hex = "0123456789abcdef".repeat(4);
        for first in ["manifest.json", &format!("{hex}.tar"), &format!("./{hex}/")] {
            assert!(begins(first.as_bytes()), "{first}");
        }
        for first in ["bin/", "abcdef.tar", &format!("{hex}-more")] {
            assert!(!begins(first.as_bytes()), "{first}");
        }
    }

    #[test]
    fn names_stay_in_the_archive() {
        assert_eq!(plain("a/../b//layer.tar"), "b/layer.tar");
        assert_eq!(plain("../../etc/passwd"), "etc/passwd");
    }
}
