//! Network namespaces: entering one and working in it. Those of machines have names ([`named`]).

mod named;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::{Mutex, oneshot};

use self::named::publish;
use super::error::Error;
use super::links::Links;

pub(super) use self::named::{is_torn, name, path, remove, shorts};

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
