//! What can go wrong on the way to an image.

use std::io;
use std::path::PathBuf;

use super::{ext4, layer};
use crate::error::{self, Advice, Kind};
use crate::host::space;
use crate::store;

/// A failure around an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no image {0:?}")]
    Unknown(String),
    #[error("{0:?} begins the digest of several images")]
    Ambiguous(String),
    #[error("{0:?} is not the name of an image")]
    BadReference(String),
    #[error("there is no recipe {0:?}")]
    NoRecipe(String),
    #[error("cannot {what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is neither an ext4 disk, a tar archive nor an OCI layout", .0.display())]
    Format(PathBuf),
    #[error("{} is not an ext4 disk: {why}", path.display())]
    NotExt4 { path: PathBuf, why: String },
    #[error("the archive has an entry {entry:?} that leads out of it")]
    Escapes { entry: String },
    #[error("the archive cannot become a disk")]
    Layer(#[source] layer::Error),
    #[error("the disk cannot be made")]
    Write(#[source] ext4::Error),
    #[error("the archive is damaged or cut short")]
    Damaged(#[source] io::Error),
    #[error("the archive is empty")]
    Empty,
    #[error("{program} failed: {said}")]
    Tool { program: &'static str, said: String },
    #[error("the registry of {reference} refused: {said}")]
    Registry { reference: String, said: String },
    #[error("there is no image {reference}")]
    NoSuchImage { reference: String },
    #[error("the registry of {reference} cannot be reached")]
    Unreachable {
        reference: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("what came is something else than {digest}")]
    Digest { digest: String },
    #[error("the image {reference} has layers of a kind that is not known here: {kind}")]
    LayerKind { reference: String, kind: String },
    #[error("the image {reference} is for no machine like this one")]
    Platform { reference: String },
    #[error("cannot download {url}")]
    Download {
        url: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the archive holds {0} images")]
    SeveralImages(usize),
    #[error("the archive has no entry {0:?}, which it speaks of")]
    NoEntry(String),
    #[error("the image has {layers} layers and the digests of {digests}")]
    LayerCount { layers: usize, digests: usize },
    #[error("the list of prebuilt images at {url} cannot be read")]
    Index {
        url: String,
        source: serde_json::Error,
    },
    #[error("{url} was refused: {status}")]
    Refused { url: String, status: String },
    #[error("the image's configuration cannot be read")]
    Config(#[source] serde_json::Error),
    #[error("cannot build {}", path.display())]
    Context { path: PathBuf, source: io::Error },
    #[error("there is no Dockerfile {}", .0.display())]
    NoDockerfile(PathBuf),
    #[error("{0} is for a Dockerfile")]
    OnlyDockerfile(&'static str),
    #[error("nothing here builds a Dockerfile{}", because(.passed))]
    NoBuilder {
        /// Why those that are installed do not serve.
        passed: Vec<String>,
        /// The command that installs one.
        install: Option<String>,
    },
    #[error("{program} failed: {said}")]
    Builder {
        program: String,
        said: String,
        /// What it printed before.
        last: Vec<String>,
    },
    #[error("image {0} is being made into a machine's disk")]
    InUse(String),
    #[error("the step {0} was made to fail")]
    Fault(&'static str),
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Space(#[from] space::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn because(passed: &[String]) -> String {
    match passed {
        [] => ": neither buildah, podman nor docker is installed".into(),
        passed => format!(": {}", passed.join("; ")),
    }
}

impl Error {
    /// The error as it is written down. What a builder prints may hold the values that it was given.
    pub(super) fn noted(&self) -> String {
        match self {
            Error::Builder { program, .. } => format!("{program} failed"),
            other => error::Error::report_of(other),
        }
    }
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Unknown(_) | Error::NoRecipe(_) | Error::NoSuchImage { .. } => Kind::NotFound,
            Error::NoDockerfile(_) | Error::Context { .. } => Kind::NotFound,
            Error::Ambiguous(_) | Error::BadReference(_) | Error::OnlyDockerfile(_) => Kind::Usage,
            Error::InUse(_) | Error::Write(ext4::Error::NearlyFull { .. }) => Kind::Refused,
            Error::Space(error) => error.kind(),
            Error::Cancelled => Kind::Cancelled,
            Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Kind::NotFound
            }
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Unknown(_) => {
                "see what there is: sistemo image list; or fetch one: sistemo image pull debian".into()
            }
            Error::Ambiguous(_) => "type more of it, or the name".into(),
            Error::NoSuchImage { .. } => {
                "check the name; see what is here: sistemo image list; recipes: debian, debian:bookworm, debian:trixie"
                    .into()
            }
            Error::BadReference(_) => {
                "for example: debian, nginx:1.27, registry.example/team/app:1, ./disk.ext4".into()
            }
            Error::NoRecipe(_) => "the recipes are debian, debian:bookworm and debian:trixie".into(),
            Error::Format(_) | Error::NotExt4 { .. } => {
                "give a .ext4 disk, a .tar, .tar.gz, .tar.xz or .tar.zst, or a folder with an OCI layout".into()
            }
            Error::SeveralImages(_) => "save one image at a time".into(),
            Error::Escapes { .. } => "do not use this archive; it may be hostile".into(),
            Error::Damaged(_)
            | Error::Digest { .. }
            | Error::LayerCount { .. }
            | Error::NoEntry(_) => {
                "fetch it again; if that does not help, the source itself is damaged".into()
            }
            Error::Tool { said, .. } if error::way_out_of_words(said).is_some() => {
                return error::way_out_of_words(said);
            }
            Error::Tool { program: "mmdebstrap", .. } => {
                "check the network and the package sources: apt-get update; sistemo doctor".into()
            }
            Error::Tool { .. } => "see what is wrong with this computer: sistemo doctor".into(),
            Error::Registry { .. } => {
                "check the name, and log in if it is private: docker login REGISTRY".into()
            }
            Error::Refused { .. } => "check the address".into(),
            Error::Index { .. } => "check registry_url: sistemo config".into(),
            Error::Unreachable { .. } | Error::Download { .. } => {
                "check the name and the network, and try again: what was fetched is kept".into()
            }
            Error::LayerKind { .. } | Error::Platform { .. } => "choose another tag".into(),
            Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "check the path".into()
            }
            Error::File { source, .. } | Error::Write(ext4::Error::Write(source)) => {
                return error::way_out_of(source);
            }
            Error::Write(ext4::Error::NearlyFull { .. }) => {
                "free some space (sistemo image prune, sistemo volume list), or lower the setting min_disk_free"
                    .into()
            }
            Error::Context { .. } => {
                "name a folder: sistemo image build -f Dockerfile DIR".into()
            }
            Error::OnlyDockerfile(_) | Error::NoDockerfile(_) => "say which: sistemo image build -f FILE DIR".into(),
            Error::NoBuilder { install, .. } => match install {
                Some(line) => format!("install one: {line}"),
                None => "install buildah, podman or docker".into(),
            },
            Error::Builder { .. } => {
                "mend the Dockerfile, or what it needs, and build it again".into()
            }
            Error::InUse(_) => "try again in a moment".into(),
            Error::Space(error) => return error.hint(),
            Error::Store(error) => return error.hint(),
            Error::Layer(_) => "the image itself is at fault; build or fetch it anew".into(),
            _ => return None,
        })
    }

    fn detail(&self) -> Option<String> {
        match self {
            Error::Builder { last, .. } if !last.is_empty() => Some(last.join("\n")),
            _ => None,
        }
    }
}
