//! Files as images: an ext4 disk, a tar archive, or an OCI layout (OCI image-spec, image-layout.md).

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use oci_client::manifest::{OciDescriptor, OciImageIndex, OciImageManifest};
use tokio_util::sync::CancellationToken;

use super::unpack::{self, Source};
use super::work::Work;
use super::{Error, Image, ImageConfig, Images, disk, resolve};
use crate::event::Progress;

impl Images {
    /// Takes an image from a file or a folder. The name is by default the file's, without its suffix.
    pub async fn import(
        &self,
        path: &Path,
        name: Option<&str>,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let path = path.canonicalize().map_err(|source| Error::File {
            what: "open",
            path: path.into(),
            source,
        })?;
        let name = name.map_or_else(|| stem(&path), ToString::to_string);
        progress.step(format!("importing {}", path.display()));
        let (images, cancel) = (self.clone(), cancel.clone());
        resolve::blocking(move || images.import_now(&path, &name, &cancel)).await
    }

    fn import_now(
        &self,
        path: &Path,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let source = format!("file {}", path.display());
        let work = Work::new(&self.dir)?;
        let (root, made) = (work.join("root"), work.join("disk"));
        let mut config = None;
        match Kind::of(path)? {
            Kind::Disk => {
                disk::check(path)?;
                copy_disk(path, &made)?;
            }
            Kind::Layout => {
                config = Some(unpack_layout(path, &root)?);
                disk::make(&root, &made)?;
            }
            Kind::Tar => {
                make_folder(&root)?;
                let mut archive = Some(open_archive(path)?);
                if unpack::into_folder(&root, || archive.take().map(Ok))? == 0 {
                    return Err(Error::Empty);
                }
                disk::make(&root, &made)?;
            }
        }
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        self.keep(
            &made,
            name,
            &source,
            config.filter(|config| !config.is_empty()),
        )
    }
}

/// What a file is.
enum Kind {
    Disk,
    Tar,
    Layout,
}

impl Kind {
    fn of(path: &Path) -> Result<Kind, Error> {
        if path.is_dir() {
            return match path.join("oci-layout").is_file() {
                true => Ok(Kind::Layout),
                false => Err(Error::Format(path.into())),
            };
        }
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        if ends(&[".ext4", ".img", ".raw"]) {
            Ok(Kind::Disk)
        } else if ends(&[".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".txz"]) {
            Ok(Kind::Tar)
        } else {
            Err(Error::Format(path.into()))
        }
    }
}

/// A file's name without what says its kind.
fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let cut = [".ext4", ".img", ".raw", ".tar", ".tgz", ".txz"];
    cut.iter()
        .filter_map(|suffix| name.find(suffix))
        .min()
        .map_or(name.clone(), |at| name[..at].into())
}

pub(super) fn make_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir(path).map_err(|source| Error::File {
        what: "make",
        path: path.into(),
        source,
    })
}

/// Holes stay holes, and blocks are shared where the file system can.
fn copy_disk(from: &Path, to: &Path) -> Result<(), Error> {
    let mut copy = std::process::Command::new("cp");
    disk::run(
        copy.args(["--sparse=always", "--reflink=auto"])
            .arg(from)
            .arg(to),
        "cp",
    )
}

fn open_archive(path: &Path) -> Result<Source, Error> {
    let fail = |source| Error::File {
        what: "open",
        path: path.into(),
        source,
    };
    decompressed(File::open(path).map_err(fail)?).map_err(fail)
}

/// Takes the compression off, told by its first bytes: gzip (RFC 1952), Zstandard (RFC 8878), xz.
pub(super) fn decompressed(mut file: File) -> std::io::Result<Source> {
    file.rewind()?;
    let mut magic = [0; 6];
    let mut filled = 0;
    while filled < magic.len() {
        match file.read(&mut magic[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    file.rewind()?;
    let file = BufReader::with_capacity(1 << 20, file);
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(lzma_rust2::XzReader::new(file, true)),
        _ => Box::new(file),
    })
}

/// Unpacks the layers of a layout's first image for this kind of machine; every blob is checked first.
fn unpack_layout(layout: &Path, root: &Path) -> Result<ImageConfig, Error> {
    let reference = layout.display().to_string();
    let index: OciImageIndex = json(&layout.join("index.json"))?;
    let mut descriptor = index.manifests.first().ok_or(Error::Empty)?.digest.clone();
    let manifest: OciImageManifest = loop {
        let path = blob(layout, &descriptor)?;
        match json::<OciImageIndex>(&path) {
            Ok(index) => {
                let digest = oci_client::client::linux_amd64_resolver(&index.manifests);
                descriptor = digest.ok_or(Error::Platform {
                    reference: reference.clone(),
                })?;
            }
            Err(_) => break json(&path)?,
        }
    };
    let config =
        std::fs::read(blob(layout, &manifest.config.digest)?).map_err(|source| Error::File {
            what: "read",
            path: layout.into(),
            source,
        })?;
    make_folder(root)?;
    let open = |layer: &OciDescriptor| open_archive(&blob(layout, &layer.digest)?);
    let layers: Vec<Source> = manifest.layers.iter().map(open).collect::<Result<_, _>>()?;
    let mut layers = layers.into_iter();
    unpack::into_folder(root, || layers.next().map(Ok))?;
    ImageConfig::parse(&config).map_err(Error::Config)
}

/// A blob's file, once its bytes are found to be what they should.
fn blob(layout: &Path, digest: &str) -> Result<PathBuf, Error> {
    let hex = digest
        .strip_prefix("sha256:")
        .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let hex = hex.ok_or_else(|| Error::Digest {
        digest: digest.into(),
    })?;
    let path = layout.join("blobs/sha256").join(hex);
    match disk::digest(&path)? == digest {
        true => Ok(path),
        false => Err(Error::Digest {
            digest: digest.into(),
        }),
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File {
        what: "read",
        path: path.into(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(Error::Config)
}
