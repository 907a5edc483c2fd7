//! Copying files and folders between the host and guests, over SFTP.
//!
//! Permissions (without set-user-id and set-group-id) and times are kept, owners are not; links stay links; holes stay
//! holes. A file is written under a name of its own beside its place ([`part`]) and renamed when it is whole, so a copy
//! that is cut off leaves no half a file, and one that is run again goes on with the large file where it stopped: with
//! what there is of the same source, if that ends as the source does there.
//!
//! Knows nothing of machines: it is given sessions with guests, and what to call them.

mod error;
mod file;
mod folder;
mod part;
mod side;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::time::TimeSpec;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use side::{Guest, Side};

use crate::event::Progress;
use file::Place;
use folder::Folder;
use side::{Facts, FileKind};
use tree::{Failures, Into, Job, Tree};

/// Standard input, or what stands for it.
pub type Input = Pin<Box<dyn AsyncRead + Send>>;
/// Standard output, or what stands for it.
pub type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// Large files that are copied at once.
const LARGE: usize = 4;

/// What a copy did. The field names are the keys of `-o json`; they are only ever added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    pub files: u64,
    pub folders: u64,
    pub links: u64,
    /// Sizes of the files.
    pub bytes: u64,
    /// Of these, what an earlier copy had brought already.
    pub resumed_bytes: u64,
    /// Pipes, sockets and devices.
    pub skipped: u64,
}

/// Where a copy goes on from: counts, and what all of it shares.
pub(crate) struct Tally {
    files: AtomicU64,
    folders: AtomicU64,
    links: AtomicU64,
    skipped: AtomicU64,
    resumed: AtomicU64,
    entries: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    label: String,
    progress: Progress,
    cancel: CancellationToken,
    large: Semaphore,
}

impl Tally {
    fn new(label: String, progress: Progress, cancel: CancellationToken) -> Tally {
        let zero = AtomicU64::default;
        Tally {
            files: zero(),
            folders: zero(),
            links: zero(),
            skipped: zero(),
            resumed: zero(),
            entries: zero(),
            done: zero(),
            total: zero(),
            label,
            progress,
            cancel,
            large: Semaphore::new(LARGE),
        }
    }

    /// More is to be copied: entries and bytes.
    fn found(&self, (entries, bytes): (u64, u64)) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes have reached their place.
    fn moved(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // It has ended when it is said to have.
        let total = self.total.load(Ordering::Relaxed).max(done + 1);
        self.progress.transfer("cp", &self.label, done, Some(total));
    }

    fn end(&self) -> Copied {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let bytes = count(&self.done);
        self.progress
            .transfer("cp", &self.label, bytes, Some(bytes));
        Copied {
            files: count(&self.files),
            folders: count(&self.folders),
            links: count(&self.links),
            bytes,
            resumed_bytes: count(&self.resumed),
            skipped: count(&self.skipped),
        }
    }
}

/// Where something is copied from or to.
pub enum From {
    Paths { side: Side, paths: Vec<PathBuf> },
    Stream(Input),
}

/// Where something is copied to.
pub enum To {
    Path { side: Side, path: PathBuf },
    Stream(Output),
}

/// Copies. Several sources go into a folder; one goes into a folder that is there, and else becomes what is named.
/// With `follow`, links are copied as what they lead to; a link that is named as a source always is.
///
/// # Errors
///
/// When something could not be copied. The rest has been, unless the connection, the disk or the user's patience ended.
pub async fn copy(
    from: Vec<From>,
    to: To,
    follow: bool,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<Copied, Error> {
    let label = label(&from);
    let tally = Tally::new(label, progress.clone(), cancel.clone());
    let several = from
        .iter()
        .map(|from| match from {
            From::Paths { paths, .. } => paths.len(),
            From::Stream(_) => 1,
        })
        .sum::<usize>()
        > 1;
    match to {
        To::Stream(output) => to_stream(from, output, &tally).await?,
        To::Path { side, path } => {
            let target = Target::find(side, path, several).await?;
            let mut failures = Failures::default();
            for from in from {
                match from {
                    From::Stream(input) => from_stream(input, &target, &tally).await?,
                    From::Paths { side, paths } => {
                        let tree = Tree {
                            side: &side,
                            follow,
                            tally: &tally,
                        };
                        let mut jobs = Vec::new();
                        for path in paths {
                            match target.job(&side, path).await {
                                Ok(job) => jobs.push(job),
                                Err(error) if several && !error.ends_all() => {
                                    tally.found((1, 0));
                                    failures.add(error);
                                }
                                Err(error) => return Err(error),
                            }
                        }
                        tree.run(jobs, &mut failures).await?;
                    }
                }
            }
            failures.outcome(tally.entries.load(Ordering::Relaxed))?;
        }
    }
    Ok(tally.end())
}

/// What a bar says that is copied.
fn label(from: &[From]) -> String {
    match from {
        [From::Paths { paths, .. }] if paths.len() == 1 => {
            let name = paths[0].file_name().unwrap_or(paths[0].as_os_str());
            Side::Host.shown(Path::new(name))
        }
        [From::Stream(_)] => "standard input".into(),
        _ => "files".into(),
    }
}

async fn from_stream(input: Input, target: &Target, tally: &Tally) -> Result<(), Error> {
    let Some(name) = &target.name else {
        return Err(Error::IsAFolder(target.shown()));
    };
    let now = jiff::Timestamp::now();
    let now = TimeSpec::new(now.as_second(), now.subsec_nanosecond().into());
    let facts = Facts {
        kind: FileKind::File,
        size: 0,
        mode: 0o644,
        accessed: now,
        modified: now,
        number: (0, 0),
        sparse: false,
    };
    let place = Place {
        folder: &target.folder,
        name,
    };
    file::from_stream(input, &place, &facts, tally).await?;
    tally.files.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn to_stream(from: Vec<From>, mut output: Output, tally: &Tally) -> Result<(), Error> {
    for from in from {
        let From::Paths { side, paths } = from else {
            continue;
        };
        for path in paths {
            let facts = side.facts(&path, true).await?;
            match facts.kind {
                FileKind::File => {}
                FileKind::Other(what) => {
                    let place = side.shown(&path);
                    return Err(Error::Special { place, what });
                }
                _ => return Err(Error::IsAFolder(side.shown(&path))),
            }
            tally.found((1, facts.size));
            output = file::to_stream(&side, &path, &facts, output, tally).await?;
            tally.files.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The place that was named, as what is to be done there.
struct Target {
    folder: Folder,
    /// What the one source is to be called, if that is not its own name.
    name: Option<PathBuf>,
    /// Whether the name was written as a folder's.
    slash: bool,
}

impl Target {
    async fn find(side: Side, path: PathBuf, several: bool) -> Result<Target, Error> {
        let slash = ends_as_folder(&path);
        let there = match side.facts(&path, true).await {
            Ok(facts) => Some(facts.kind),
            Err(Error::Act { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let path = match there {
            Some(FileKind::Folder) => {
                let folder = Folder::open(&side, &path).await?;
                return Ok(Target {
                    folder,
                    name: None,
                    slash: false,
                });
            }
            _ if several && there.is_some() => return Err(Error::NotAFolder(side.shown(&path))),
            _ if several => return Err(Error::NoFolder(side.shown(&path))),
            Some(FileKind::Other(what)) => {
                let place = side.shown(&path);
                return Err(Error::Special { place, what });
            }
            // A link leads to the file that is meant.
            Some(_) => side.resolve(&path).await?,
            None => path,
        };
        let name = path.file_name().map(PathBuf::from);
        let Some(name) = name else {
            return Err(Error::NoFolder(side.shown(&path)));
        };
        let parent = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let folder = match Folder::open(&side, &parent).await {
            Err(Error::Act { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoFolder(side.shown(&parent)));
            }
            folder => folder?,
        };
        Ok(Target {
            folder,
            name: Some(name),
            slash: slash && there.is_none(),
        })
    }

    /// What was named, for a person.
    fn shown(&self) -> String {
        match &self.name {
            Some(name) => self.folder.shown(name),
            None => self.folder.side().shown(self.folder.path()),
        }
    }

    /// What is to be done for a source that was named.
    async fn job(&self, side: &Side, path: PathBuf) -> Result<Job, Error> {
        let facts = side.facts(&path, true).await?;
        let into = Into::existing(self.folder.clone());
        let own = own_name(&path);
        match facts.kind {
            FileKind::Folder => self.is_outside(side, &path).await?,
            FileKind::File if own.is_none() => return Err(Error::NotAFolder(side.shown(&path))),
            FileKind::File if self.slash => return Err(Error::NoFolder(self.shown())),
            FileKind::File => {}
            FileKind::Link => {}
            FileKind::Other(what) => {
                let place = side.shown(&path);
                return Err(Error::Special { place, what });
            }
        }
        let Some(name) = self.name.clone().or(own) else {
            // What is in it goes into what is there.
            return Ok(Job::Folder { path, into });
        };
        let place = self.folder.path().join(&name);
        let there = self.folder.side().facts(&place, false).await;
        match (there.map(|there| there.kind), facts.kind) {
            (Ok(FileKind::Other(what)), _) => {
                let place = self.folder.shown(&name);
                return Err(Error::Special { place, what });
            }
            (Ok(FileKind::Folder), FileKind::File) => {
                return Err(Error::IsAFolder(self.folder.shown(&name)));
            }
            (Ok(FileKind::File), FileKind::Folder) => {
                return Err(Error::NotAFolder(self.folder.shown(&name)));
            }
            _ => {}
        }
        Ok(Job::Entry {
            path,
            facts: Ok(facts),
            name,
            into,
        })
    }

    /// A folder is not copied into itself.
    async fn is_outside(&self, side: &Side, path: &Path) -> Result<(), Error> {
        let there = self.folder.side();
        if side.identity() != there.identity() {
            return Ok(());
        }
        let (from, to) = (
            side.resolve(path).await?,
            there.resolve(self.folder.path()).await?,
        );
        match to.starts_with(&from) {
            true => Err(Error::IntoItself(side.shown(path))),
            false => Ok(()),
        }
    }
}

/// The name that a source has by itself; none when it is `.`, `..`, `/`, or ends with `/.`, which stand for what is in
/// a folder.
fn own_name(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    let trimmed = match bytes.iter().rposition(|byte| *byte != b'/') {
        Some(last) => &bytes[..=last],
        None => return None,
    };
    if trimmed == b"." || trimmed.ends_with(b"/.") {
        return None;
    }
    match path.components().next_back() {
        Some(Component::Normal(name)) => Some(name.into()),
        _ => None,
    }
}

/// Whether a path says that it is a folder's.
fn ends_as_folder(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}
