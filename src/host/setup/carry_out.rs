//! Does what the plan says.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::firecracker;
use super::{Act, Action, KernelSource};
use crate::error::{Advice, Kind};
use crate::event::Progress;
use crate::guest::kernel::{self, Kernels};
use crate::host::command;
use crate::host::packages::{PackageManager, Tool};

/// Makes the key pair whose private half is to lie at the path it is given.
pub type KeyMaker<'a> =
    &'a (dyn Fn(&Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync);

/// A failure of setup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory could not be made or locked.
    #[error("cannot make {}", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The package manager failed.
    #[error(transparent)]
    Packages(#[from] command::Error),
    /// Firecracker could not be had.
    #[error("cannot install Firecracker")]
    Firecracker(#[from] firecracker::Error),
    /// No kernel could be had.
    #[error("cannot get a kernel ready")]
    Kernel(#[from] kernel::Error),
    /// The key pair could not be made.
    #[error("cannot make the key pair {}", path.display())]
    Keys {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The package manager is not one that is known.
    #[error("this host lacks {missing}, and its package manager is not known")]
    ByHand { missing: String },
    /// A package was installed and does not bring its program.
    #[error("{program} is still missing after its package was installed")]
    StillMissing { program: &'static str },
    /// The work was broken off.
    #[error("setup was broken off")]
    BrokenOff,
}

impl Advice for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::BrokenOff => Kind::Cancelled,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Make { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as root: sudo sistemo setup".into())
            }
            Error::Packages(error) => error.hint(),
            Error::Kernel(error) => error.hint(),
            Error::Firecracker(error) => error.hint(),
            Error::ByHand { missing } => Some(format!(
                "install {missing} by hand, then run sistemo setup again"
            )),
            Error::StillMissing { program } => {
                Some(format!("look for {program} with: which {program}"))
            }
            Error::Make { .. } | Error::Keys { .. } | Error::BrokenOff => None,
        }
    }
}

/// Carries out `actions` in order and stops at the first that fails, or when it is cancelled. Each is announced before it
/// begins. What programs print goes to `logs/setup.log` in the data directory.
///
/// A package manager at work is waited for, also when it is cancelled: one that is killed leaves the host with packages
/// half installed. (An interrupt typed at a terminal reaches it too, and it ends in its own way.)
pub async fn carry_out(
    actions: &[Action],
    data_dir: &Path,
    key_file: &Path,
    make_keys: KeyMaker<'_>,
    progress: &Progress,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    if actions.is_empty() {
        return Ok(());
    }
    make_directory(data_dir)?;
    let _alone = unless(cancel, alone(data_dir, progress)).await?;
    Kernels::new(data_dir).sweep()?;
    let log = data_dir.join("logs/setup.log");
    for action in actions {
        if cancel.is_cancelled() {
            return Err(Error::BrokenOff);
        }
        progress.step(&action.says);
        let done = match &action.act {
            Act::DataDirectory => make_directory(data_dir),
            Act::Refresh(manager) => {
                let refresh = refresh(*manager, &log);
                to_its_end(cancel, progress, refresh).await
            }
            Act::Install { manager, packages } => {
                let install = install(*manager, packages, &log, cancel);
                to_its_end(cancel, progress, install).await
            }
            Act::Firecracker { release, required } => {
                let install = release.install_if_it_can_be(*required, data_dir, progress);
                unless(cancel, async { Ok(install.await?) }).await
            }
            Act::Kernel(source) => {
                unless(cancel, get_kernel(source, data_dir, &log, progress)).await
            }
            Act::KeyPair => make_keys(key_file).map_err(|source| Error::Keys {
                path: key_file.into(),
                source,
            }),
            Act::ByHand { missing } => Err(Error::ByHand {
                missing: super::programs(missing),
            }),
        };
        // A package manager that heard the interrupt too has failed because of it.
        match done {
            Err(_) if cancel.is_cancelled() => return Err(Error::BrokenOff),
            done => done?,
        }
    }
    Ok(())
}

/// Does `work` unless it is cancelled.
async fn unless<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(Error::BrokenOff),
    }
}

/// Does `work`, also when it is cancelled; then says why it goes on.
async fn to_its_end<T>(
    cancel: &CancellationToken,
    progress: &Progress,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = cancel.cancelled() => {}
    }
    progress.note("waiting for the package manager, which must not be ended half-way");
    work.await
}

fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::Make {
            path: path.into(),
            source,
        })
}

/// The lock that keeps two setups from each other's way; held until it is dropped, whatever becomes of this program.
async fn alone(data_dir: &Path, progress: &Progress) -> Result<File, Error> {
    let path = data_dir.join("setup.lock");
    let fail = |source| Error::Make {
        path: path.clone(),
        source,
    };
    let file = File::create(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(source)) => return Err(fail(source)),
        Err(TryLockError::WouldBlock) => {}
    }
    progress.note("waiting for another setup to end");
    tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await
        .map_err(|_| Error::BrokenOff)?
        .map_err(fail)
}

async fn refresh(manager: PackageManager, log: &Path) -> Result<(), Error> {
    manager.refresh().run(Path::new("/"), Some(log)).await?;
    Ok(())
}

async fn install(
    manager: PackageManager,
    packages: &[&str],
    log: &Path,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let line = manager.install(packages);
    if let Err(error) = line.run(Path::new("/"), Some(log)).await {
        if cancel.is_cancelled() {
            return Err(error.into());
        }
        // The lists may be younger than a day and yet name packages that the mirror has replaced.
        refresh(manager, log).await?;
        line.run(Path::new("/"), Some(log)).await?;
    }
    let missing = Tool::ALL.into_iter().find(|tool| {
        let ours = manager
            .package(*tool)
            .is_some_and(|p| packages.contains(&p));
        ours && tool.find().is_none()
    });
    match missing {
        Some(tool) => Err(Error::StillMissing {
            program: tool.program(),
        }),
        None => Ok(()),
    }
}

async fn get_kernel(
    source: &KernelSource,
    data_dir: &Path,
    log: &Path,
    progress: &Progress,
) -> Result<(), Error> {
    let kernels = Kernels::new(data_dir);
    match source {
        KernelSource::Host => blocking(move || kernels.install_host()).await,
        KernelSource::Path(path) => {
            let path = path.clone();
            blocking(move || kernels.install(&path)).await
        }
        KernelSource::Packages(manager) => {
            let fetched = from_packages(*manager, &kernels, log).await;
            match (fetched, kernel::host_image()) {
                (Err(error), Ok(_)) => {
                    progress.note(format!(
                        "{}; using this host's own kernel instead",
                        crate::error::Error::from(error).report()
                    ));
                    blocking(move || kernels.install_host()).await
                }
                (fetched, _) => fetched,
            }
        }
    }
}

async fn from_packages(
    manager: PackageManager,
    kernels: &Kernels,
    log: &Path,
) -> Result<(), Error> {
    let workspace = kernels.workspace()?;
    let packages = kernel::fetch(manager, workspace.path(), Some(log)).await?;
    let kernels = kernels.clone();
    blocking(move || kernels.install_all(&packages)).await?;
    // Kept until now, for the packages are in it.
    fs::remove_dir_all(workspace.path()).map_err(|source| Error::Make {
        path: workspace.path().into(),
        source,
    })
}

/// Work that takes seconds and does not wait for anything but the disk.
async fn blocking(
    work: impl FnOnce() -> Result<kernel::Kernel, kernel::Error> + Send + 'static,
) -> Result<(), Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::BrokenOff)??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_must_not_be_cut_off_is_waited_for() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let (noted, heard) = tokio::sync::oneshot::channel();
        let noted = std::sync::Mutex::new(Some(noted));
        let progress = Progress::new(move |_| {
            let noted = noted.lock().unwrap().take();
            noted.unwrap().send(()).unwrap();
        });
        // It ends only after the cancellation has been noticed.
        let work = async { heard.await.map(|()| 7) };
        assert_eq!(to_its_end(&cancel, &progress, work).await, Ok(7));
        let never = std::future::pending::<Result<(), Error>>();
        assert!(matches!(
            unless(&cancel, never).await,
            Err(Error::BrokenOff)
        ));
    }
}
