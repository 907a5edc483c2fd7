//! The network home: the namespace that all of Sistemo's network lives in.

use std::fs::File;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::stat::fstat;
use tokio::net::{TcpSocket, TcpStream};

use super::error::Error;
use super::namespace::{self, Namespace};

/// An open network home. Cheap to clone.
///
/// Opened once and held: a path that is unmounted or named anew later does not change where the engine works.
#[derive(Clone, Debug)]
pub struct Home {
    pub(super) namespace: Namespace,
    /// What machines' namespaces are marked with, so that two homes on one host don't take each other's for leftovers.
    pub(super) mark: String,
    /// The file it was opened from, when it is not the process's own namespace.
    pub(super) path: Option<PathBuf>,
}

impl Home {
    /// Opens a home: `host` is the namespace that the process runs in, anything else the path of one, such as
    /// `/run/netns/lab`.
    ///
    /// # Errors
    ///
    /// When the path cannot be opened or is not a network namespace.
    pub fn open(setting: &str) -> Result<Home, Error> {
        let host = setting == "host";
        let path = PathBuf::from(if host {
            "/proc/thread-self/ns/net"
        } else {
            setting
        });
        let failed = |source| Error::OpenHome {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(failed)?;
        if !namespace::is_network_namespace(&file) {
            return Err(Error::NotANamespace { path });
        }
        // A namespace is identified by its device and inode numbers (namespaces(7)).
        let stat = fstat(file.as_fd()).map_err(|errno| failed(errno.into()))?;
        let namespace = Namespace {
            name: setting.into(),
            file: (!host).then(|| Arc::new(file.into())),
            turn: Arc::default(),
        };
        Ok(Home {
            namespace,
            mark: format!("sistemo home {}:{}", stat.st_dev, stat.st_ino),
            path: (!host).then_some(path),
        })
    }

    /// The file that the home was opened from; none when it is the process's own namespace.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Does `work` on a thread that has entered the home, and waits for it. For short work: in async code the caller's
    /// thread is held up meanwhile.
    ///
    /// # Errors
    ///
    /// When the home cannot be entered, which takes `CAP_SYS_ADMIN` unless it is the host's.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        match self
            .namespace
            .spawn(move |entered| entered.map(|()| work()))?
            .join()
        {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Does async `work` on a thread that has entered the home, for as long as it takes: sockets that it makes belong to
    /// the home. What it spawns ends with it.
    ///
    /// # Errors
    ///
    /// When the home cannot be entered.
    pub async fn inside<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let name = self.namespace.name.clone();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|source| Error::Enter { name, source })?;
            Ok(runtime.block_on(work()))
        };
        self.namespace.blocking(work).await
    }

    /// Connects to `address` from inside the home. The stream has `TCP_NODELAY` set; it may be used anywhere.
    ///
    /// # Errors
    ///
    /// As `connect(2)`, and [`io::ErrorKind::TimedOut`] after `timeout`.
    pub async fn connect(&self, address: SocketAddrV4, timeout: Duration) -> io::Result<TcpStream> {
        connect_by(self.socket().await?, address, timeout).await
    }

    /// A socket belongs for good to the namespace of the thread that made it.
    async fn socket(&self) -> io::Result<TcpSocket> {
        if self.namespace.file.is_none() {
            return TcpSocket::new_v4();
        }
        // The inner result is the socket's; the outer one says whether the home could be entered.
        let made = self.namespace.blocking(|| Ok(TcpSocket::new_v4())).await;
        made.map_err(io::Error::other)?
    }
}

/// Connects a socket of whichever namespace to `address`.
pub(super) async fn connect_by(
    socket: TcpSocket,
    address: SocketAddrV4,
    timeout: Duration,
) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    match tokio::time::timeout(timeout, socket.connect(address.into())).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "{address} did not answer within {} s",
                timeout.as_secs_f32()
            ),
        )),
    }
}
