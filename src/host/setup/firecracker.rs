//! Firecracker's release, fetched and installed in the data directory.
//!
//! ```text
//! <mirror or the project's releases>/v1.17.0/firecracker-v1.17.0-x86_64.tgz
//!     │ digest, while it is written       wrong ─► refused, removed
//!     ▼
//! <data>/bin/.new-…/      firecracker: unpacked, executable, on the disk
//!     │ renamed
//!     ▼
//! <data>/bin/             firecracker
//! ```
//!
//! The archive has Firecracker's `jailer`, too, whose work is done here for all hypervisors alike (`vmm::contain`).
//!
//! The digests are those that the project publishes beside each archive (`….tgz.sha256.txt`), and that many who install
//! it have written down. They are of this one release: another is installed by hand, and named in the settings.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use sha2::{Digest, Sha256};

use crate::error::{Advice, way_out_of};
use crate::event::Progress;
use crate::vmm::firecracker;

/// The release that setup installs.
pub const VERSION: &str = "1.17.0";
/// Where the project publishes releases.
const RELEASES: &str = "https://github.com/firecracker-microvm/firecracker/releases/download";
/// SHA-256 of the archives, by architecture.
const DIGESTS: [(&str, &str); 2] = [
    (
        "x86_64",
        "06094a1108ae9e82aa4c23a775aa92758f53f1175d422270d9d6162cb9ade558",
    ),
    (
        "aarch64",
        "e351ebe4f7a16b5873bbd51005d2e6767103cff4d5ebc829df2d3f95a93e2256",
    ),
];
/// The programs that are taken out of the archive.
const PROGRAMS: [&str; 1] = ["firecracker"];
/// What begins the names of folders in the making.
const NEW: &str = ".new-";
/// The largest archive and the largest program that are believed, in bytes; they have about 8 MiB.
const LARGEST: u64 = 256 << 20;
/// How long a server may take to take a call, and to say something.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);
/// Attempts after the first.
const RETRIES: usize = 2;

/// A failure to install Firecracker.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no release of Firecracker for {0}")]
    Architecture(&'static str),
    #[error("cannot fetch {url}")]
    Fetch {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} is not what it should be: its SHA-256 is {is} instead of {should}")]
    Digest {
        url: String,
        is: String,
        should: String,
    },
    #[error("the archive {url} has no program {program}")]
    NotInside { url: String, program: &'static str },
    #[error("{url} is too large for a release of Firecracker")]
    TooLarge { url: String },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Advice for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::Fetch { .. } => Some(
                "name a mirror: sistemo config set firecracker_mirror URL; or install it by hand: \
                 sistemo config set firecracker PATH"
                    .into(),
            ),
            Error::Digest { .. } | Error::NotInside { .. } | Error::TooLarge { .. } => {
                Some("look at the mirror: sistemo config show firecracker_mirror".into())
            }
            Error::Write { source, .. } => way_out_of(source),
            Error::Architecture(_) => None,
        }
    }
}

/// A release for this host, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The archive's address.
    pub url: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

impl Release {
    /// The release for this host, from `mirror` or from the project itself.
    pub fn of_host(mirror: Option<&str>) -> Result<Release, Error> {
        Release::of(std::env::consts::ARCH, mirror)
    }

    fn of(architecture: &'static str, mirror: Option<&str>) -> Result<Release, Error> {
        let (_, sha256) = (DIGESTS.iter())
            .find(|(known, _)| *known == architecture)
            .ok_or(Error::Architecture(architecture))?;
        let base = mirror.unwrap_or(RELEASES).trim_end_matches('/');
        let url = format!("{base}/v{VERSION}/firecracker-v{VERSION}-{architecture}.tgz");
        let sha256 = (*sha256).into();
        Ok(Release { url, sha256 })
    }

    /// Installs it. Where it cannot be had machines do without, which is said, unless it is `required`.
    pub(super) async fn install_if_it_can_be(
        &self,
        required: bool,
        data_dir: &Path,
        progress: &Progress,
    ) -> Result<(), Error> {
        match self.install(data_dir, progress).await {
            Err(error) if !required => {
                let why = crate::error::Error::from(error).report();
                progress.note(format!("{why}; machines run under QEMU"));
                Ok(())
            }
            installed => installed,
        }
    }

    /// Fetches, checks and installs it. What is in the way of an earlier installation is replaced in one step.
    pub async fn install(&self, data_dir: &Path, progress: &Progress) -> Result<(), Error> {
        let folder = firecracker::place(data_dir, "");
        let fail = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Write { path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&folder)
            .map_err(fail(&folder))?;
        sweep(&folder).map_err(fail(&folder))?;
        let fresh = tempfile::Builder::new()
            .prefix(NEW)
            .tempdir_in(&folder)
            .map_err(fail(&folder))?;
        let archive = fresh.path().join("archive.tgz");
        let attempt = || self.fetch(&archive, progress);
        let is = attempt
            .retry(ExponentialBuilder::default().with_max_times(RETRIES))
            .when(is_passing)
            .await?;
        if is != self.sha256 {
            return Err(Error::Digest {
                url: self.url.clone(),
                is,
                should: self.sha256.clone(),
            });
        }
        self.unpack(&archive, fresh.path())?;
        for program in PROGRAMS {
            let place = firecracker::place(data_dir, program);
            fs::rename(fresh.path().join(program), &place).map_err(fail(&place))?;
        }
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(fail(&folder))
    }

    /// One attempt to fetch it; its digest.
    async fn fetch(&self, path: &Path, progress: &Progress) -> Result<String, Error> {
        let fetch = |source: reqwest::Error| Error::Fetch {
            url: self.url.clone(),
            source: source.without_url(),
        };
        let fail = |source| Error::Write {
            path: path.into(),
            source,
        };
        // Fails when another part of the program has chosen one already, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()
            .map_err(fetch)?;
        let mut answer = (client.get(&self.url).send().await)
            .and_then(reqwest::Response::error_for_status)
            .map_err(fetch)?;
        let total = answer.content_length();
        let mut file = File::create(path).map_err(fail)?;
        let (mut digest, mut done) = (Sha256::new(), 0);
        while let Some(piece) = answer.chunk().await.map_err(fetch)? {
            done += piece.len() as u64;
            if done > LARGEST {
                let url = self.url.clone();
                return Err(Error::TooLarge { url });
            }
            digest.update(&piece);
            io::Write::write_all(&mut file, &piece).map_err(fail)?;
            progress.transfer(
                "firecracker",
                &format!("Firecracker {VERSION}"),
                done,
                total,
            );
        }
        Ok(hex(&digest.finalize()))
    }

    /// Writes the programs in the archive to `into`.
    fn unpack(&self, archive: &Path, into: &Path) -> Result<(), Error> {
        let fail = |source| Error::Write {
            path: into.into(),
            source,
        };
        let file = File::open(archive).map_err(fail)?;
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
        let mut missing = PROGRAMS.to_vec();
        for entry in tar.entries().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = entry.path().map_err(fail)?.into_owned();
            // release-v1.17.0-x86_64/firecracker-v1.17.0-x86_64; others end in .debug, .yaml and the like.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stem = format!("-v{VERSION}-{}", std::env::consts::ARCH);
            let Some(program) =
                (missing.iter().copied()).find(|program| name == format!("{program}{stem}"))
            else {
                continue;
            };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let mut out = (File::options().write(true).create_new(true).mode(0o755))
                .open(into.join(program))
                .map_err(fail)?;
            io::copy(&mut entry.take(LARGEST), &mut out).map_err(fail)?;
            // Contained machines have users of their own, who run it: whatever the umask, they may.
            out.set_permissions(Permissions::from_mode(0o755))
                .map_err(fail)?;
            out.sync_all().map_err(fail)?;
            missing.retain(|other| *other != program);
        }
        match missing.first() {
            None => Ok(()),
            Some(program) => Err(Error::NotInside {
                url: self.url.clone(),
                program,
            }),
        }
    }
}

/// Whether another attempt may succeed: the server was not reached, fell silent or is in trouble.
fn is_passing(error: &Error) -> bool {
    let Error::Fetch { source, .. } = error else {
        return false;
    };
    source
        .status()
        .is_none_or(|status| status.is_server_error())
}

/// Removes what installations that were killed have left behind. Call it when no other installs.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(NEW) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "firecracker_tests.rs"]
mod tests;
