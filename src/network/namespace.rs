//! Network namespaces: entering one, and the named ones of machines.
//!
//! A machine's namespace is named the way `ip netns` names them (ip-netns(8)): a bind mount of the namespace on a file
//! in `/run/netns`. It is furnished *before* it is mounted, so one that has a name is whole, and one that was cut off
//! half-way had no name and ended with the thread that made it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::{Mutex, oneshot};

use super::error::Error;
use super::links::Links;
use super::plan::is_short;

/// Where named namespaces are (`NETNS_RUN_DIR` of iproute2).
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "sistemo-";

/// The name of the namespace of the machine whose id begins with `short`.
pub(super) fn name(short: &str) -> String {
    format!("{PREFIX}{short}")
}

/// Where the namespace `name` is mounted.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// An open namespace, and what to call it in a message.
#[derive(Clone, Debug)]
pub(super) struct Namespace {
    pub name: String,
    /// Absent: the one that the process runs in, which needs no entering.
    pub file: Option<Arc<OwnedFd>>,
    /// One step at a time in a home and its machines' namespaces, see [`Namespace::work`].
    pub turn: Arc<Mutex<()>>,
}

impl Namespace {
    /// Starts a thread in the namespace that does `work`, and ends. The thread is new because entering cannot be
    /// taken back reliably, and a worker thread of the runtime would carry the namespace into unrelated work.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce(Result<(), Error>) -> T + Send + 'static,
    ) -> Result<thread::JoinHandle<T>, Error> {
        let namespace = self.clone();
        let thread = thread::Builder::new().name(format!("in {}", self.name));
        thread
            .spawn(move || work(namespace.enter()))
            .map_err(|source| self.not_entered(source))
    }

    /// Moves this thread into the namespace.
    fn enter(&self) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET)
            .map_err(|errno| self.not_entered(errno.into()))
    }

    fn not_entered(&self, source: io::Error) -> Error {
        Error::Enter {
            name: self.name.clone(),
            source,
        }
    }

    /// Does blocking `work` on a thread in the namespace. It runs to its end even when this future is dropped.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, result) = oneshot::channel();
        self.spawn(move |entered| {
            // Nobody may be waiting any more; then the result is of no use to anyone.
            let _ = done.send(entered.and_then(|()| work()));
        })?;
        let died = |_| Err(self.not_entered(io::Error::other("the thread in it panicked")));
        result.await.unwrap_or_else(died)
    }

    /// The same, when its turn has come: what a dropped call had begun is over before the next call begins, so that an
    /// undo is never overtaken by what it undoes.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let work = move || {
            let result = work();
            drop(turn);
            result
        };
        self.blocking(work).await
    }

    /// Does `work` in the namespace in its turn, on a thread with a runtime and a netlink socket of its own. It runs to
    /// its end even when this future is dropped: a step is never cut in two by a cancelled caller.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(Links) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let name = self.name.clone();
        self.in_turn(move || with_netlink(&name, work)).await
    }

    /// Opens the named namespace `name` beside this one; `None` when there is none, or only the file of one whose
    /// making was cut off.
    pub fn open(&self, name: &str) -> Result<Option<Namespace>, Error> {
        match File::open(path(name)) {
            Ok(file) if is_network_namespace(&file) => Ok(Some(Namespace {
                name: name.into(),
                file: Some(Arc::new(file.into())),
                turn: Arc::clone(&self.turn),
            })),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Namespace {
                act: "open",
                name: name.into(),
                source,
            }),
        }
    }

    /// Makes the named namespace `name`, furnished by `furnish`, which runs inside. Whoever else makes one of the same
    /// name at the same time, one of the two is kept and both see it.
    pub async fn create(
        &self,
        name: &str,
        furnish: impl AsyncFnOnce(Links) -> Result<(), Error> + Send + 'static,
    ) -> Result<Namespace, Error> {
        let called = name.to_owned();
        let make = move || {
            let failed = |act, source| Error::Namespace {
                act,
                name: called.clone(),
                source,
            };
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| failed("create", errno.into()))?;
            with_netlink(&called, furnish)?;
            publish(&called).map_err(|source| failed("mount", source))
        };
        self.in_turn(make).await?;
        self.open(name)?.ok_or_else(|| Error::Namespace {
            act: "find",
            name: name.into(),
            source: io::ErrorKind::NotFound.into(),
        })
    }

    /// Takes the name from the namespace `name`; without one it ends as soon as no process is in it. Fine when there is
    /// none.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.in_turn(move || remove(&name)).await
    }
}

fn with_netlink<T>(
    name: &str,
    work: impl AsyncFnOnce(Links) -> Result<T, Error>,
) -> Result<T, Error> {
    let enter = |source| Error::Enter {
        name: name.into(),
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(enter)?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(enter)?;
        tokio::spawn(connection);
        work(Links::new(handle)).await
    })
}

nix::ioctl_none!(ns_get_nstype, 0xb7, 0x3);

/// Whether `file` is a network namespace (ioctl_nsfs(2), `NS_GET_NSTYPE`).
pub(super) fn is_network_namespace(file: &impl std::os::fd::AsRawFd) -> bool {
    // SAFETY: the descriptor is open and this request takes no argument; on any other kind of file it fails.
    let kind = unsafe { ns_get_nstype(file.as_raw_fd()) };
    kind == Ok(CloneFlags::CLONE_NEWNET.bits())
}

/// Gives this thread's namespace a name.
fn publish(name: &str) -> io::Result<()> {
    let _lock = prepare_directory()?;
    let path = path(name);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(&path)
    {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if is_network_namespace(&File::open(&path)?) {
                return Ok(());
            }
        }
        Err(error) => return Err(error),
    }
    let mine = Path::new("/proc/thread-self/ns/net");
    mount(
        Some(mine),
        &path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    Ok(())
}

/// Makes `/run/netns` a shared mount, as `ip netns` does, so that a namespace mounted or unmounted here is so in every
/// mount namespace; and locks it, as `ip netns` does, against others that do the same.
fn prepare_directory() -> io::Result<Flock<File>> {
    fs::create_dir_all(DIRECTORY)?;
    let lock = lock_directory()?;
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    match mount(None::<&str>, DIRECTORY, None::<&str>, shared, None::<&str>) {
        Ok(()) => {}
        // Not a mount point yet.
        Err(Errno::EINVAL) => {
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(DIRECTORY), DIRECTORY, None::<&str>, bind, None::<&str>)?;
            mount(None::<&str>, DIRECTORY, None::<&str>, shared, None::<&str>)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    Ok(lock)
}

fn lock_directory() -> io::Result<Flock<File>> {
    Flock::lock(File::open(DIRECTORY)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// See [`Namespace::remove`].
pub(super) fn remove(name: &str) -> Result<(), Error> {
    let failed = |source| Error::Namespace {
        act: "remove",
        name: name.into(),
        source,
    };
    let path = path(name);
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let _lock = lock_directory().map_err(failed)?;
    loop {
        match umount2(&path, MntFlags::MNT_DETACH) {
            // There may be more than one mount on the file.
            Ok(()) => {}
            // Not a mount point, or not there.
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Whether `name` is a file that nothing is mounted on, and nobody is about to.
pub(super) fn is_torn(name: &str) -> Result<bool, Error> {
    let looked = || {
        let _lock = lock_directory()?;
        File::open(path(name)).map(|file| !is_network_namespace(&file))
    };
    match looked() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map_err(|source| Error::Namespace {
            act: "look at",
            name: name.into(),
            source,
        }),
    }
}

/// The eight digits of every machine that has a file in `/run/netns`, in order.
pub(super) fn shorts() -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Namespace {
                act: "list",
                name: DIRECTORY.into(),
                source,
            });
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut shorts: Vec<_> = names
        .filter_map(|name| {
            name.strip_prefix(PREFIX)
                .filter(|rest| is_short(rest))
                .map(Into::into)
        })
        .collect();
    shorts.sort();
    Ok(shorts)
}
