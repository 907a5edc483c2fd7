//! Files as images: an ext4 disk, a tar archive, or an OCI layout, each compressed or not. What a file is shows in its
//! first bytes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::archive::{self, Archive};
use super::layer::Whiteouts;
use super::make::Making;
use super::work::Work;
use super::{Error, Image, ImageConfig, Images, disk, docker_archive, layout, pipe, resolve};
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
        let source = format!("file {}", path.display());
        progress.step(format!("importing {}", path.display()));
        let begun = Instant::now();
        let imported = self
            .take_in(&path, vec![name.clone()], source, cancel)
            .await;
        self.note("import", &name, begun, &imported);
        imported
    }

    /// Makes an image of the file or folder at `path`.
    pub(super) async fn take_in(
        &self,
        path: &Path,
        names: Vec<String>,
        source: String,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        let (images, cancel, path) = (self.clone(), cancel.clone(), path.to_path_buf());
        resolve::blocking(move || {
            let work = Work::new(&images.dir)?;
            let made = work.join("disk");
            let config = make(&path, &work, &made, &cancel)?;
            images.keep(
                &made,
                &names,
                &source,
                config.filter(|config| !config.is_empty()),
            )
        })
        .await
    }
}

/// Makes a disk of what is at `path`.
fn make(
    path: &Path,
    work: &Work,
    made: &Path,
    cancel: &CancellationToken,
) -> Result<Option<ImageConfig>, Error> {
    match Kind::of(path)? {
        Kind::Disk => {
            disk::copy(open(path)?, made, cancel)?;
            disk::check(made, path)?;
            Ok(None)
        }
        Kind::Layout => layout::make(path, path, made, cancel).map(Some),
        Kind::ArchivedLayout => {
            let folder = work.join("layout");
            layout::unpack(open(path)?, &folder, cancel)?;
            layout::make(&folder, path, made, cancel).map(Some)
        }
        Kind::DockerArchive => {
            let folder = work.join("entries");
            docker_archive::make(open(path)?, &folder, made, cancel).map(Some)
        }
        Kind::Tar => {
            let mut making = Making::begin(made, 0, Whiteouts::Ordinary, cancel)?;
            let content = making.add_file(open(path)?)?;
            if making.entries() == 0 {
                return Err(Error::Empty);
            }
            making.finish(&content)?;
            Ok(None)
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| Error::File {
        what: "open",
        path: path.into(),
        source,
    })
}

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Disk,
    Tar,
    Layout,
    ArchivedLayout,
    DockerArchive,
}

impl Kind {
    fn of(path: &Path) -> Result<Kind, Error> {
        let unknown = || Error::Format(path.into());
        if path.is_dir() {
            let layout = path.join("oci-layout").is_file() || path.join("index.json").is_file();
            return if layout {
                Ok(Kind::Layout)
            } else {
                Err(unknown())
            };
        }
        let mut head = Vec::new();
        let mut stream = pipe::decompressed(open(path)?)
            .map_err(Error::Damaged)?
            .take(64 << 10);
        stream.read_to_end(&mut head).map_err(Error::Damaged)?;
        if disk::has_superblock(&head) {
            return Ok(Kind::Disk);
        }
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let says_disk = [".ext4", ".img", ".raw"]
            .iter()
            .any(|suffix| name.contains(suffix));
        match first_entry(&head) {
            _ if head.is_empty() => Err(Error::Empty),
            Ok(Some(name)) if layout::begins_layout(&name) => Ok(Kind::ArchivedLayout),
            Ok(Some(name)) if docker_archive::begins(&name) => Ok(Kind::DockerArchive),
            Ok(Some(_)) => Ok(Kind::Tar),
            // A disk by its name, which the check then says more of.
            _ if says_disk => Ok(Kind::Disk),
            Ok(None) => Err(Error::Empty),
            Err(_) => Err(unknown()),
        }
    }
}

/// The name of an archive's first entry, the root aside when there is more.
fn first_entry(head: &[u8]) -> Result<Option<Vec<u8>>, archive::Error> {
    let mut archive = Archive::new(head);
    let Some(first) = archive.next()? else {
        return Ok(None);
    };
    match archive.next() {
        Ok(Some(second)) if [&b"."[..], b"./"].contains(&first.path.as_slice()) => {
            Ok(Some(second.path))
        }
        _ => Ok(Some(first.path)),
    }
}

/// A file's name without what says its kind.
fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let cut = [
        ".rootfs.ext4",
        ".ext4",
        ".img",
        ".raw",
        ".tar",
        ".tgz",
        ".txz",
    ];
    (cut.iter().filter_map(|suffix| name.find(suffix)).min())
        .map_or_else(|| name.clone(), |at| name[..at].into())
}

/// The path that a reference means; `~/` is the user's own folder.
pub(super) fn expand(reference: &str) -> PathBuf {
    match (reference.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => reference.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_what_says_its_kind() {
        for (file, name) in [
            ("/x/debian.rootfs.ext4.gz", "debian"),
            ("root.tar.zst", "root"),
            ("disk.img", "disk"),
            ("my.app", "my.app"),
        ] {
            assert_eq!(stem(Path::new(file)), name);
        }
    }

    #[test]
    fn what_a_file_is_shows_in_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Kind::of(&path)
        };
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_dir("etc", dir.path()).unwrap();
        let tar = tar.into_inner().unwrap();
        assert_eq!(put("misnamed.img", &tar).unwrap(), Kind::Tar);
        assert_eq!(
            put("x.zst", &zstd::encode_all(tar.as_slice(), 1).unwrap()).unwrap(),
            Kind::Tar
        );
        assert!(matches!(put("zeros.tar", &[0; 4096]), Err(Error::Empty)));
        assert!(matches!(put("nothing.tar", &[]), Err(Error::Empty)));
        assert!(matches!(
            put("text.txt", &[b'x'; 4096]),
            Err(Error::Format(_))
        ));
        assert_eq!(
            put("no.ext4", &[b'x'; 4096]).unwrap(),
            Kind::Disk,
            "the check says what is wrong"
        );
    }
}
